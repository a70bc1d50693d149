/* SPDX-License-Identifier: Apache-2.0 */

/* Both convolutions against plain fp64 loops: windows, strides, paddings, dilations, groups, odd channel counts, and
 * places in the network (the first layers sum in other ways than later ones). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "refusal.h"

static const uint32_t kernels[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {2, 4}, {4, 4}};
static const uint32_t lone_kernels[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {11, 11}, {9, 2}, {3, 13}, {4, 4}};
static const uint32_t channel_counts[] = {1, 3, 11, 16, 17, 24, 40, 100};
static const uint32_t group_counts[] = {2, 3, 4, 7, 32}, group_sizes[] = {1, 2, 4, 5, 8, 16, 24, 32, 48};
static const uint32_t multipliers[] = {1, 1, 1, 2, 3, 5, 16, 20};
static const uint32_t sides[] = {1, 2, 5, 7, 8, 13, 17, 29};
#define PICK(maker, list) ((list)[(size_t)maker_random(maker, 0, (float)(sizeof(list) / sizeof *(list)))])

enum kind { DENSE, GROUPED, DEPTHWISE };

struct window_case {
    const uint32_t *kernel;
    enum kind kind;
    uint32_t in, out, groups, height, width, stride[2], dilation[2], padding[4];
    int rule, bias, order, norm; /* rule: 0 valid, 1 same, 2 four numbers; order: convolutions before it */
};

/* Straight on the network's input there are 3 channels. */
static void draw_channels(struct model_maker *dice, struct window_case *w) {
    uint32_t groups = w->order ? PICK(dice, group_counts) : 3;
    w->groups = w->kind == GROUPED ? groups : 1;
    w->in = w->kind == GROUPED ? groups * PICK(dice, group_sizes) : PICK(dice, channel_counts);
    if (w->order == 0) w->in = 3;
    w->out = w->kind == GROUPED ? groups * PICK(dice, group_sizes) : PICK(dice, channel_counts);
    if (w->kind == DEPTHWISE) w->out = w->in * PICK(dice, multipliers);
}

static struct window_case draw(struct model_maker *dice, enum kind kind) {
    struct window_case w = {.kernel = kind == DEPTHWISE ? PICK(dice, lone_kernels) : PICK(dice, kernels),
                            .kind = kind,
                            .height = PICK(dice, sides),
                            .width = PICK(dice, sides)};
    for (int i = 0; i < 2; i++) {
        w.stride[i] = (uint32_t)maker_random(dice, 1, 5);
        w.dilation[i] = maker_random(dice, 0, 1) < 0.6f ? 1 : (uint32_t)maker_random(dice, 2, 4);
    }
    for (int i = 0; i < 4; i++) w.padding[i] = (uint32_t)maker_random(dice, 0, 4);
    w.rule = (int)maker_random(dice, 0, 3);
    w.bias = (int)maker_random(dice, 0, 2);
    w.norm = (int)maker_random(dice, 0, 2);
    w.order = (int)maker_random(dice, 0, 5);
    draw_channels(dice, &w);
    return w;
}

/* Whether the window fits its input, and the naive loops a moment. */
static int fits(const struct window_case *w) {
    double depth = (double)w->kernel[0] * w->kernel[1] * (w->kind == DEPTHWISE ? 1 : (double)w->in / w->groups);
    double each = depth * w->out / w->stride[0] / w->stride[1] + (double)w->order * w->in * w->in;
    if (each * w->height * w->width > 1e6) return 0;
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
    int length = snprintf(text, size, "{\"strides\": [%u, %u], \"dilations\": [%u, %u], \"padding\": %s", w->stride[0],
                          w->stride[1], w->dilation[0], w->dilation[1], padding);
    if (w->kind == GROUPED) length += snprintf(text + length, size - (size_t)length, ", \"groups\": %u", w->groups);
    snprintf(text + length, size - (size_t)length, "}");
}

static void check_window(const struct window_case *w, uint32_t seed) {
    struct model_maker maker;
    char attributes[256], what[400];
    window_attributes(w, attributes, sizeof attributes);
    snprintf(what, sizeof what, "%s %ux%u of %ux%u, %u to %u channels, after %d: %s",
             w->kind == DEPTHWISE ? "depthwise" : "conv", w->kernel[0], w->kernel[1], w->height, w->width, w->in,
             w->out, w->order, attributes);
    maker_begin(&maker, w->height, w->width, seed);
    const char *from = lead_in(&maker, w->order, w->in);
    if (w->kind == DEPTHWISE)
        maker_multiplied(&maker, "window", from, w->kernel, w->in, w->out / w->in, w->bias, attributes);
    else maker_conv(&maker, "window", from, w->kernel, w->in / w->groups, w->out, w->bias, attributes);
    if (w->norm) maker_norm(&maker, "norm", "window", w->out);
    maker_features(&maker, w->norm ? "norm" : "window");
    assert_int_equal(check_graph(&maker, what), w->order + 1);
    maker_end(&maker);
}

static void check_windows(enum kind kind, int wanted, uint32_t seed) {
    struct model_maker dice = {.random = seed};
    int done = 0;
    for (uint32_t i = 0; done < wanted; i++) {
        struct window_case w = draw(&dice, kind);
        if (!fits(&w)) continue;
        check_window(&w, i);
        done++;
    }
}

static void test_dense(void **state) {
    (void)state;
    check_windows(DENSE, 400, 1);
}

static void test_grouped(void **state) {
    (void)state;
    check_windows(GROUPED, 250, 4);
}

static void test_depthwise(void **state) {
    (void)state;
    check_windows(DEPTHWISE, 300, 2);
}

/* The shapes that have kernels of their own, and maps of one pixel. */
static void test_special_windows(void **state) {
    (void)state;
    static const uint32_t odd[] = {1, 3, 5};
    for (uint32_t side = 0; side < 3; side++)
        for (uint32_t stride = 1; stride <= 2; stride++)
            for (uint32_t map = 1; map <= 31; map += 6) {
                const uint32_t kernel[] = {odd[side], odd[side]};
                struct window_case w = {kernel, DENSE, 40, 24, 1, map, map, {stride, stride}, {1, 1}, {0}, 1, 1, 1, 1};
                check_window(&w, map);
                w.order = 4;
                check_window(&w, map);
                w.order = 1;
                w.kind = DEPTHWISE;
                w.out = w.in;
                check_window(&w, map);
            }
}

/* The groups of ResNeXt (32 x 4, 32 x 8), RegNet (8, 16, 24, 48) and GoogLeNet's kin: whole blocks, halves of one, and
 * panels of two. */
static void test_known_groups(void **state) {
    (void)state;
    static const uint32_t sizes[][2] = {{32, 4}, {32, 8}, {5, 8}, {6, 16}, {3, 24}, {4, 48}, {3, 32}, {2, 64}};
    static const uint32_t kernel[] = {3, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t stride = 1; stride <= 2; stride++) {
            uint32_t channels = sizes[i][0] * sizes[i][1];
            struct window_case w = {kernel,           GROUPED, channels, channels, sizes[i][0], 15, 14,
                                    {stride, stride}, {1, 1},  {0},      1,        0,           4,  1};
            check_window(&w, (uint32_t)i);
        }
}

/* A dense layer as the format writes it: a kernel over the whole map, then one over a map of one pixel. */
static void test_dense_layers(void **state) {
    (void)state;
    static const uint32_t whole[] = {7, 7}, one[] = {1, 1};
    struct model_maker maker;
    maker_begin(&maker, 7, 7, 5);
    const char *from = lead_in(&maker, 3, 72);
    maker_conv(&maker, "first", from, whole, 72, 200, 1, NULL);
    maker_node(&maker, "activation", "relu", "first", "{\"kind\": \"relu\"}");
    maker_conv(&maker, "second", "relu", one, 200, 10, 1, NULL);
    maker_features(&maker, "second");
    assert_int_equal(check_graph(&maker, "dense layers"), 5);
    maker_end(&maker);
}

static void expect_refusal(struct model_maker *maker, const char *message) {
    maker_features(maker, "window");
    expect_refused_model(maker, POMONA_BAD_MODEL, message);
}

static void test_refused_groups(void **state) {
    (void)state;
    static const uint32_t kernel[] = {3, 3};
    struct model_maker maker;
    maker_begin(&maker, 8, 8, 1);
    maker_conv(&maker, "window", lead_in(&maker, 1, 24), kernel, 8, 16, 0, "{\"groups\": 3}");
    expect_refusal(&maker, "layer window: 16 outputs in 3 groups");
    maker_begin(&maker, 8, 8, 1);
    maker_conv(&maker, "window", lead_in(&maker, 1, 24), kernel, 24, 24, 0, "{\"groups\": 3}");
    expect_refusal(&maker, "layer window: its kernel takes 72 channels, its input has 24");
    maker_begin(&maker, 8, 8, 1);
    maker_conv(&maker, "window", lead_in(&maker, 1, 24), kernel, 24, 24, 0, "{\"groups\": 0}");
    expect_refusal(&maker, "window: `groups` must be a whole number");
    maker_begin(&maker, 8, 8, 1);
    maker_conv(&maker, "window", lead_in(&maker, 1, 24), kernel, 1, 24, 0, "{\"groups\": 4294967295}");
    expect_refusal(&maker, "layer window: 24 outputs in 4294967295 groups");
    maker_begin(&maker, 8, 8, 1);
    maker_multiplied(&maker, "window", lead_in(&maker, 1, 24), kernel, 12, 2, 0, NULL);
    expect_refusal(&maker, "layer window: its kernel takes 12 channels, its input has 24");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),          cmocka_unit_test(test_grouped),
        cmocka_unit_test(test_depthwise),      cmocka_unit_test(test_special_windows),
        cmocka_unit_test(test_known_groups),   cmocka_unit_test(test_dense_layers),
        cmocka_unit_test(test_refused_groups), cmocka_unit_test(test_large_map),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
