/* SPDX-License-Identifier: Apache-2.0 */

/* Every layer kind, alone and folded, in small random networks against plain fp64 loops. CTest runs this program once
 * for each compiled level.
 *
 * The bound: inputs and weights are of order one, sums have at most 49 x 100 products of which fp32 keeps 24 bits, and
 * partial sums keep the error from growing with their number; a wrong tap or channel shows at 1e-1. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "naive_net.h"

#define BOUND 1e-5 /* of the largest value of the map */
#define IMAGES 3
#define BATCH 2
#define SKIPPED 77 /* CTest's SKIP_RETURN_CODE */

static int input_side(const struct model_maker *maker, const char *side) {
    return cJSON_GetObjectItem(cJSON_GetObjectItem(maker->graph, "input"), side)->valueint;
}

static void compare(const struct naive_map *expected, const float *found, const char *what) {
    int count = expected->height * expected->width * expected->channels;
    double largest = 0, worst = 0;
    for (int i = 0; i < count; i++) {
        largest = fmax(largest, fabs(expected->values[i]));
        double difference = fabs(found[i] - expected->values[i]);
        if (!(difference <= worst)) worst = difference; /* NaN too */
    }
    if (!(worst <= BOUND * largest)) fail_msg("%s: differs by %g, values up to %g", what, worst, largest);
}

/* Runs the network on IMAGES images and compares each; returns the layers left after folding. */
static uint32_t check_graph(const struct model_maker *maker, const char *what) {
    uint32_t height = (uint32_t)input_side(maker, "height"), width = (uint32_t)input_side(maker, "width");
    struct model_file file = maker_write(maker);
    uint8_t *rgb = random_pixels(height, width, IMAGES, 7);
    pomona_model *model = open_model(&file);
    pomona_model_info info = {.size = sizeof info};
    pomona_session_options options = {.size = sizeof options, .pooling = POMONA_POOLING_NONE, .batch = BATCH};
    pomona_session *session = NULL;
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    assert_int_equal(pomona_session_open(model, &options, &session, NULL), POMONA_OK);
    size_t length = pomona_session_output_length(session);
    float *found = malloc(length * IMAGES * sizeof *found);
    assert_int_equal(pomona_session_run_pixels(session, rgb, IMAGES, found, NULL), POMONA_OK);
    for (size_t i = 0; i < IMAGES; i++) {
        struct naive_map expected = naive_run(maker, rgb + i * height * width * 3);
        assert_int_equal(expected.height, info.feature_height);
        assert_int_equal(expected.width, info.feature_width);
        assert_int_equal(expected.channels, info.feature_channels);
        compare(&expected, found + i * length, what);
        free(expected.values);
    }
    uint32_t layers = info.layer_count;
    pomona_session_close(session);
    pomona_model_close(model);
    assert_int_equal(pomona_memory_in_use(), 0);
    free(found);
    free(rgb);
    free_model(&file);
    return layers;
}

/* ---- windows ---- */

static const uint32_t kernels[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {2, 4}};
static const uint32_t channel_counts[] = {1, 3, 11, 16, 17, 24, 40, 100};
static const uint32_t sides[] = {1, 2, 5, 7, 8, 13, 17, 29};
#define PICK(maker, list) ((list)[(size_t)maker_random(maker, 0, (float)(sizeof(list) / sizeof *(list)))])

struct window_case {
    const uint32_t *kernel;
    uint32_t in, out, height, width, stride[2], dilation[2], padding[4];
    int rule, bias, order, norm; /* rule: 0 valid, 1 same, 2 four numbers; order: convolutions before it */
};

static struct window_case draw(struct model_maker *dice) {
    struct window_case w = {.kernel = PICK(dice, kernels),
                            .in = PICK(dice, channel_counts),
                            .out = PICK(dice, channel_counts),
                            .height = PICK(dice, sides),
                            .width = PICK(dice, sides)};
    for (int i = 0; i < 2; i++) {
        w.stride[i] = (uint32_t)maker_random(dice, 1, 4);
        w.dilation[i] = maker_random(dice, 0, 1) < 0.6f ? 1 : (uint32_t)maker_random(dice, 2, 4);
    }
    for (int i = 0; i < 4; i++) w.padding[i] = (uint32_t)maker_random(dice, 0, 4);
    w.rule = (int)maker_random(dice, 0, 3);
    w.bias = (int)maker_random(dice, 0, 2);
    w.norm = (int)maker_random(dice, 0, 2);
    w.order = (int)maker_random(dice, 0, 5);
    return w;
}

/* Whether the window fits its input. */
static int fits(const struct window_case *w) {
    uint32_t room[] = {w->height, w->width};
    for (int i = 0; i < 2; i++) {
        uint32_t pads = w->rule == 2 ? w->padding[2 * i] + w->padding[2 * i + 1] : 0;
        if (w->rule != 1 && (w->kernel[i] - 1) * w->dilation[i] + 1 > room[i] + pads) return 0;
    }
    return 1;
}

static void window_attributes(const struct window_case *w, char *text, size_t size) {
    char padding[64] = "\"same\"";
    if (w->rule == 0) snprintf(padding, sizeof padding, "\"valid\"");
    if (w->rule == 2)
        snprintf(padding, sizeof padding, "[%u, %u, %u, %u]", w->padding[0], w->padding[1], w->padding[2],
                 w->padding[3]);
    snprintf(text, size, "{\"strides\": [%u, %u], \"dilations\": [%u, %u], \"padding\": %s}", w->stride[0],
             w->stride[1], w->dilation[0], w->dilation[1], padding);
}

/* 1x1 convolutions that lead from the input to `channels`; the last one's name, or the input's. */
static const char *lead_in(struct model_maker *maker, int count, uint32_t channels) {
    static const char *const names[] = {"lead0", "lead1", "lead2", "lead3"};
    static const uint32_t one[] = {1, 1};
    const char *last = "input";
    for (int i = 0; i < count; i++) {
        maker_conv(maker, names[i], last, one, i ? channels : 3, channels, 1, NULL);
        last = names[i];
    }
    return last;
}

static void check_window(const struct window_case *w, int depthwise, uint32_t seed) {
    struct model_maker maker;
    char attributes[256], what[400];
    window_attributes(w, attributes, sizeof attributes);
    snprintf(what, sizeof what, "%ux%u of %ux%u, %u to %u channels, after %d: %s", w->kernel[0], w->kernel[1],
             w->height, w->width, w->in, w->out, w->order, attributes);
    maker_begin(&maker, w->height, w->width, seed);
    const char *from = lead_in(&maker, w->order, w->in);
    if (depthwise) maker_depthwise(&maker, "window", from, w->kernel, w->in, w->bias, attributes);
    else maker_conv(&maker, "window", from, w->kernel, w->order ? w->in : 3, w->out, w->bias, attributes);
    if (w->norm) maker_norm(&maker, "norm", "window", depthwise ? w->in : w->out);
    maker_features(&maker, w->norm ? "norm" : "window");
    assert_int_equal(check_graph(&maker, what), w->order + 1);
    maker_end(&maker);
}

static void check_windows(int depthwise, int wanted, uint32_t seed) {
    struct model_maker dice = {.random = seed};
    int done = 0;
    for (uint32_t i = 0; done < wanted; i++) {
        struct window_case w = draw(&dice);
        if (depthwise && w.order == 0) w.order = 1; /* depthwise never comes first */
        if (!fits(&w)) continue;
        check_window(&w, depthwise, i);
        done++;
    }
}

static void test_conv2d(void **state) {
    (void)state;
    check_windows(0, 400, 1);
}

static void test_depthwise_conv2d(void **state) {
    (void)state;
    check_windows(1, 250, 2);
}

/* The shapes that have kernels of their own, and maps of one pixel. */
static void test_special_windows(void **state) {
    (void)state;
    static const uint32_t odd[] = {1, 3, 5};
    for (uint32_t side = 0; side < 3; side++)
        for (uint32_t stride = 1; stride <= 2; stride++)
            for (uint32_t map = 1; map <= 31; map += 6) {
                const uint32_t kernel[] = {odd[side], odd[side]};
                struct window_case w = {kernel, 40, 24, map, map, {stride, stride}, {1, 1}, {0}, 1, 1, 1, 1};
                check_window(&w, 0, map);
                check_window(&w, 1, map);
                w.order = 4;
                check_window(&w, 0, map);
            }
}

/* A map larger than what one sweep holds, with 1x1 and 3x3 windows and a residual. */
static void test_large_map(void **state) {
    (void)state;
    static const uint32_t one[] = {1, 1}, three[] = {3, 3};
    struct model_maker maker;
    maker_begin(&maker, 61, 67, 5);
    const char *from = lead_in(&maker, 4, 100);
    maker_conv(&maker, "point", from, one, 100, 100, 1, NULL);
    maker_node(&maker, "add", "sum", "lead3,point", NULL);
    maker_conv(&maker, "window", "sum", three, 100, 17, 1, "{\"padding\": \"same\"}");
    maker_features(&maker, "window");
    assert_int_equal(check_graph(&maker, "large map"), 6);
    maker_end(&maker);
}

/* ---- neighbours ---- */

static const uint32_t point[] = {1, 1}, square[] = {3, 3};

/* Starts a graph of 9 x 11 pixels whose values `a` and `b` have 24 channels. */
static void begin_pair(struct model_maker *maker) {
    maker_begin(maker, 9, 11, 3);
    maker_conv(maker, "a", "input", square, 3, 24, 1, "{\"padding\": \"same\"}");
    maker_conv(maker, "b", "a", point, 24, 24, 1, NULL);
}

static void check_pair(struct model_maker *maker, const char *features, uint32_t layers) {
    maker_features(maker, features);
    assert_int_equal(check_graph(maker, features), layers);
    maker_end(maker);
}

static void test_folded_chain(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_norm(&maker, "norm", "b", 24);
    maker_norm(&maker, "norm again", "norm", 24);
    maker_node(&maker, "add", "sum", "a,norm again", NULL);
    maker_node(&maker, "activation", "relu", "sum", "{\"kind\": \"relu\"}");
    maker_node(&maker, "activation", "relu6", "relu", "{\"kind\": \"relu6\"}");
    check_pair(&maker, "relu6", 2);
}

/* Nothing folds over a clamp or a residual. */
static void test_order_of_folding(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_node(&maker, "add", "sum", "b,a", NULL);
    maker_norm(&maker, "norm", "sum", 24);
    check_pair(&maker, "norm", 3);
    begin_pair(&maker);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_norm(&maker, "norm", "relu", 24);
    maker_node(&maker, "activation", "relu6", "norm", "{\"kind\": \"relu6\"}");
    check_pair(&maker, "relu6", 3);
    begin_pair(&maker);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_node(&maker, "add", "sum", "relu,a", NULL);
    check_pair(&maker, "sum", 3);
}

/* A value with two readers stays as it is. */
static void test_two_readers(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_norm(&maker, "norm", "b", 24);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_node(&maker, "add", "sum", "norm,relu", NULL);
    maker_node(&maker, "activation", "relu6", "sum", "{\"kind\": \"relu6\"}");
    check_pair(&maker, "relu6", 5);
    begin_pair(&maker);
    maker_node(&maker, "add", "double", "b,b", NULL);
    check_pair(&maker, "double", 3);
    begin_pair(&maker);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_node(&maker, "add", "sum", "b,relu", NULL);
    check_pair(&maker, "sum", 4);
}

static void test_zero_pad(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker); /* copied: an addition reads no halo */
    maker_node(&maker, "zero_pad", "pad a", "a", "{\"padding\": [1, 2, 0, 3]}");
    maker_node(&maker, "zero_pad", "pad b", "b", "{\"padding\": [2, 1, 3, 0]}");
    maker_node(&maker, "add", "sum", "pad a,pad b", NULL);
    check_pair(&maker, "sum", 5);
    begin_pair(&maker); /* taken as halo by windows, two in a row too */
    maker_node(&maker, "zero_pad", "pad", "b", "{\"padding\": [1, 0, 2, 0]}");
    maker_node(&maker, "zero_pad", "more", "pad", "{\"padding\": [0, 2, 0, 1]}");
    maker_conv(&maker, "conv", "more", square, 24, 17, 1, "{\"strides\": [2, 1], \"padding\": [1, 1, 1, 1]}");
    maker_node(&maker, "zero_pad", "last", "conv", "{\"padding\": [1, 1, 1, 1]}");
    maker_depthwise(&maker, "depthwise", "last", square, 17, 1, NULL);
    check_pair(&maker, "depthwise", 4);
    begin_pair(&maker); /* both at once, and as the feature map itself */
    maker_node(&maker, "zero_pad", "pad", "b", "{\"padding\": [1, 1, 1, 1]}");
    maker_conv(&maker, "conv", "pad", point, 24, 24, 1, NULL);
    maker_node(&maker, "add", "sum", "pad,conv", NULL);
    check_pair(&maker, "sum", 4);
    begin_pair(&maker);
    maker_node(&maker, "zero_pad", "pad", "b", "{\"padding\": [1, 0, 0, 1]}");
    check_pair(&maker, "pad", 3);
}

/* The residual is the convolution's own input, the later of the two inputs comes first, and nodes that nobody needs. */
static void test_residuals(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_node(&maker, "add", "sum", "b,a", NULL);
    maker_conv(&maker, "window", "sum", square, 24, 24, 0, "{\"padding\": \"same\"}");
    maker_node(&maker, "add", "twice", "sum,window", NULL);
    maker_conv(&maker, "unused", "twice", point, 24, 24, 0, NULL);
    check_pair(&maker, "twice", 3);
    begin_pair(&maker); /* a residual with a halo beside a convolution without one */
    maker_conv(&maker, "window", "a", square, 24, 24, 0, "{\"padding\": \"same\"}");
    maker_conv(&maker, "point", "b", point, 24, 24, 0, NULL);
    maker_node(&maker, "add", "sum", "a,point", NULL);
    maker_node(&maker, "add", "all", "sum,window", NULL);
    check_pair(&maker, "all", 5);
}

/* A long network of small parts: many values share the arena. */
static void test_small_net(void **state) {
    (void)state;
    for (uint32_t side = 9; side < 24; side += 7) {
        struct model_maker maker;
        maker_small_net(&maker, side, 33, side);
        assert_int_equal(check_graph(&maker, "small net"), 6);
        maker_end(&maker);
    }
}

static void test_only_on_blocked_maps(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct model_maker maker;
        pomona_model *model = NULL;
        pomona_error error;
        maker_begin(&maker, 4, 4, 1);
        if (i == 0) maker_norm(&maker, "first", "input", 3);
        if (i == 1) maker_node(&maker, "activation", "first", "input", "{\"kind\": \"relu\"}");
        if (i == 2) maker_depthwise(&maker, "first", "input", square, 3, 0, NULL);
        maker_features(&maker, "first");
        struct model_file file = maker_write(&maker);
        assert_int_equal(pomona_model_open_memory(file.data, file.length, NULL, &model, &error), POMONA_UNSUPPORTED);
        assert_non_null(strstr(error.message, "layer first"));
        free_model(&file);
        maker_end(&maker);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv2d),
        cmocka_unit_test(test_depthwise_conv2d),
        cmocka_unit_test(test_special_windows),
        cmocka_unit_test(test_large_map),
        cmocka_unit_test(test_folded_chain),
        cmocka_unit_test(test_order_of_folding),
        cmocka_unit_test(test_two_readers),
        cmocka_unit_test(test_zero_pad),
        cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_small_net),
        cmocka_unit_test(test_only_on_blocked_maps),
    };
    const char *wanted = getenv("POMONA_CPU");
    if (wanted && strcmp(wanted, pomona_cpu_level()) != 0) {
        printf("skipped: this CPU runs %s, not %s\n", pomona_cpu_level(), wanted);
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
