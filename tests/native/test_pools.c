/* SPDX-License-Identifier: Apache-2.0 */

/* Pools against plain fp64 loops: windows, strides, paddings, ceil, odd channel counts, zeros before them that count,
 * a clamp behind them, and a neighbour that gives their input a halo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "refusal.h"

static const uint32_t windows[][2] = {{1, 1}, {2, 2}, {3, 3}, {5, 5}, {7, 7}, {3, 1}, {2, 5}, {13, 11}};
static const uint32_t channel_counts[] = {1, 3, 11, 16, 17, 24, 40, 100};
static const uint32_t sides[] = {1, 2, 3, 5, 7, 8, 13, 29};
static const uint32_t square[] = {5, 5};
#define PICK(maker, list) ((list)[(size_t)maker_random(maker, 0, (float)(sizeof(list) / sizeof *(list)))])

struct pool_case {
    const uint32_t *window;
    const char *op;
    uint32_t channels, height, width, stride[2], padding[4], zeros[4];
    int strided, rule, ceil, count, order, clamped, neighbour; /* rule: 0 valid, 1 same, 2 four numbers */
};

static int chance(struct model_maker *dice, float share) { return maker_random(dice, 0, 1) < share; }

static struct pool_case draw(struct model_maker *dice) {
    struct pool_case p = {.window = PICK(dice, windows), .height = PICK(dice, sides), .width = PICK(dice, sides)};
    p.op = chance(dice, 0.5f) ? "max_pool" : "avg_pool";
    p.order = chance(dice, 0.9f);
    p.channels = p.order ? PICK(dice, channel_counts) : 3;
    p.strided = chance(dice, 0.7f);
    p.rule = (int)maker_random(dice, 0, 3);
    p.ceil = chance(dice, 0.5f);
    p.count = chance(dice, 0.5f);
    p.clamped = chance(dice, 0.3f);
    p.neighbour = chance(dice, 0.3f);
    int zeros = chance(dice, 0.3f);
    for (int i = 0; i < 2; i++) p.stride[i] = p.strided ? (uint32_t)maker_random(dice, 1, 5) : p.window[i];
    for (int i = 0; i < 4; i++) {
        p.padding[i] = (uint32_t)maker_random(dice, 0, (float)p.window[i / 2]);
        p.zeros[i] = zeros ? (uint32_t)maker_random(dice, 0, 4) : 0;
    }
    return p;
}

/* Whether the window fits its input. */
static int fits(const struct pool_case *p) {
    uint32_t room[] = {p->height, p->width};
    for (int i = 0; i < 2; i++) {
        uint32_t pads = p->rule == 2 ? p->padding[2 * i] + p->padding[2 * i + 1] : 0;
        uint32_t slack = p->ceil ? p->stride[i] - 1 : 0;
        if (p->rule != 1 && p->window[i] > room[i] + p->zeros[2 * i] + p->zeros[2 * i + 1] + pads + slack) return 0;
    }
    return 1;
}

static void pool_attributes(const struct pool_case *p, char *text, size_t size) {
    char strides[64] = "", padding[64] = "";
    if (p->strided) snprintf(strides, sizeof strides, ", \"strides\": [%u, %u]", p->stride[0], p->stride[1]);
    if (p->rule == 1) snprintf(padding, sizeof padding, ", \"padding\": \"same\"");
    if (p->rule == 2)
        snprintf(padding, sizeof padding, ", \"padding\": [%u, %u, %u, %u]", p->padding[0], p->padding[1],
                 p->padding[2], p->padding[3]);
    snprintf(text, size, "{\"pool\": [%u, %u]%s%s%s%s}", p->window[0], p->window[1], strides, padding,
             p->ceil ? ", \"ceil\": true" : "", p->count ? ", \"count_padding\": true" : "");
}

/* A depthwise convolution reads the same value with a wide halo; its mean is multiplied into the features. */
static const char *add_neighbour(struct model_maker *maker, const char *from, const char *last, uint32_t channels) {
    char pair[64];
    snprintf(pair, sizeof pair, "%s,mean", last);
    maker_depthwise(maker, "neighbour", from, square, channels, 1, "{\"padding\": \"same\"}");
    maker_node(maker, "global_pool", "mean", "neighbour", "{\"kind\": \"max\"}");
    maker_node(maker, "multiply", "product", pair, NULL);
    return "product";
}

static void check_pool(const struct pool_case *p, uint32_t seed) {
    struct model_maker maker;
    char attributes[256], zeros[80], what[400];
    pool_attributes(p, attributes, sizeof attributes);
    snprintf(zeros, sizeof zeros, "{\"padding\": [%u, %u, %u, %u]}", p->zeros[0], p->zeros[1], p->zeros[2],
             p->zeros[3]);
    snprintf(what, sizeof what, "%s of %ux%ux%u after %d, zeros %s: %s", p->op, p->height, p->width, p->channels,
             p->order, zeros, attributes);
    maker_begin(&maker, p->height, p->width, seed);
    const char *from = lead_in(&maker, p->order, p->channels), *last = "pool";
    maker_node(&maker, "zero_pad", "zeros", from, zeros);
    maker_node(&maker, p->op, "pool", "zeros", attributes);
    if (p->clamped) maker_node(&maker, "activation", last = "relu", "pool", "{\"kind\": \"relu\"}");
    if (p->neighbour) last = add_neighbour(&maker, from, last, p->channels);
    maker_features(&maker, last);
    assert_int_equal(check_graph(&maker, what), p->order + 1 + 3 * p->neighbour); /* zeros and clamp are folded */
    maker_end(&maker);
}

static void test_windows(void **state) {
    (void)state;
    struct model_maker dice = {.random = 1};
    int done = 0;
    for (uint32_t i = 0; done < 600; i++) {
        struct pool_case p = draw(&dice);
        if (!fits(&p)) continue;
        check_pool(&p, i);
        done++;
    }
}

/* A last window that begins in the padding is dropped; one that only reaches into it is not. */
static void test_ceil(void **state) {
    (void)state;
    static const struct {
        const char *attributes;
        uint32_t side, expected;
    } cases[] = {
        {"{\"pool\": [3, 3], \"strides\": [2, 2], \"ceil\": true}", 6, 3},
        {"{\"pool\": [3, 3], \"strides\": [2, 2]}", 6, 2},
        {"{\"pool\": [2, 2], \"strides\": [2, 2], \"padding\": [1, 1, 1, 1], \"ceil\": true}", 4, 3},
        {"{\"pool\": [2, 2], \"strides\": [3, 3], \"padding\": [0, 1, 0, 1], \"ceil\": true}", 3, 1},
        {"{\"pool\": [2, 2], \"strides\": [2, 2], \"ceil\": true}", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_maker maker;
        maker_begin(&maker, cases[i].side, cases[i].side, 1);
        maker_node(&maker, "avg_pool", "pool", "input", cases[i].attributes);
        maker_features(&maker, "pool");
        struct model_file file = maker_write(&maker);
        pomona_model *model = open_model(&file);
        pomona_model_info info = {.size = sizeof info};
        assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
        assert_int_equal(info.feature_height, cases[i].expected);
        pomona_model_close(model);
        free_model(&file);
        check_graph(&maker, cases[i].attributes);
        maker_end(&maker);
    }
}

static void test_global(void **state) {
    (void)state;
    static const uint32_t heights[] = {1, 7, 112}, widths[] = {1, 5, 97};
    for (int i = 0; i < 3; i++)
        for (int maximum = 0; maximum < 2; maximum++)
            for (int order = 0; order < 2; order++) {
                struct model_maker maker;
                maker_begin(&maker, heights[i], widths[i], 9);
                maker_node(&maker, "global_pool", "pool", lead_in(&maker, order, 24),
                           maximum ? "{\"kind\": \"max\"}" : "{\"kind\": \"avg\"}");
                maker_conv(&maker, "reduce", "pool", (uint32_t[]){1, 1}, order ? 24 : 3, 5, 1, NULL);
                maker_features(&maker, "reduce");
                assert_int_equal(check_graph(&maker, "global pool"), order + 2);
                maker_end(&maker);
            }
}

static void expect_refusal(const char *op, const char *attributes, pomona_status status, const char *word) {
    struct model_maker maker;
    maker_begin(&maker, 6, 8, 1);
    maker_node(&maker, op, "pool", "input", attributes);
    maker_features(&maker, "pool");
    expect_refused_model(&maker, status, word);
}

static void test_refusals(void **state) {
    (void)state;
    expect_refusal("max_pool", NULL, POMONA_BAD_MODEL, "pool: `pool`");
    expect_refusal("max_pool", "{\"pool\": [0, 2]}", POMONA_BAD_MODEL, "pool: `pool`");
    expect_refusal("max_pool", "{\"pool\": [2]}", POMONA_BAD_MODEL, "pool: `pool`");
    expect_refusal("avg_pool", "{\"pool\": [2, 2], \"strides\": [0, 1]}", POMONA_BAD_MODEL, "pool: `strides`");
    expect_refusal("avg_pool", "{\"pool\": [7, 2]}", POMONA_BAD_MODEL, "layer pool: a window of 7x2");
    expect_refusal("avg_pool", "{\"pool\": [2, 65535]}", POMONA_BAD_MODEL, "layer pool: a window of 2x65535");
    expect_refusal("avg_pool", "{\"pool\": [2, 2], \"padding\": \"full\"}", POMONA_BAD_MODEL, "layer pool: `padding`");
    expect_refusal("max_pool", "{\"pool\": [2, 2], \"padding\": [2, 0, 0, 0]}", POMONA_BAD_MODEL,
                   "layer pool: a window of 2x2 may lie in a padding of 2");
    expect_refusal("max_pool", "{\"pool\": [2, 3], \"padding\": [0, 0, 0, 3]}", POMONA_BAD_MODEL,
                   "layer pool: a window of 2x3 may lie in a padding of 3");
    expect_refusal("max_pool", "{\"pool\": [2, 2], \"ceil\": 1}", POMONA_BAD_MODEL, "layer pool: `ceil`");
    expect_refusal("avg_pool", "{\"pool\": [2, 2], \"count_padding\": \"no\"}", POMONA_BAD_MODEL,
                   "layer pool: `count_padding`");
    expect_refusal("max_pool", "{\"pool\": [2, 2], \"dilations\": [1, 2]}", POMONA_UNSUPPORTED, "layer pool: max_pool");
    expect_refusal("global_pool", NULL, POMONA_BAD_MODEL, "pool: `kind`");
    expect_refusal("global_pool", "{\"kind\": \"median\"}", POMONA_UNSUPPORTED, "layer pool: global_pool `median`");
}

/* A pool adds the other value itself, unless others read the mean or the maximum. */
static void check_sum(const char *op, const char *padding, uint32_t channels, int read, int folds) {
    struct model_maker maker;
    char attributes[96];
    snprintf(attributes, sizeof attributes, "{\"pool\": [3, 3], \"strides\": [1, 1], \"padding\": %s}", padding);
    maker_begin(&maker, 9, 7, channels);
    maker_conv(&maker, "a", "input", square, 3, channels, 1, "{\"padding\": \"same\"}");
    maker_node(&maker, op, "pool", "a", attributes);
    maker_node(&maker, "add", "sum", "a,pool", NULL);
    maker_node(&maker, "activation", "relu", "sum", "{\"kind\": \"relu\"}");
    maker_node(&maker, "concat", "all", read ? "relu,pool" : "relu", NULL);
    maker_features(&maker, "all");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_FP32, "sum", "") < 0, folds);
    check_graph(&maker, "sum with a pool");
    maker_end(&maker);
}

static void test_sums(void **state) {
    (void)state;
    for (uint32_t channels = 1; channels < 50; channels += 7) {
        check_sum("avg_pool", "\"same\"", channels, 0, 1);
        check_sum("avg_pool", "[2, 0, 1, 1]", channels, 0, 1);
        check_sum("avg_pool", "\"same\"", channels, 1, 0);
        check_sum("max_pool", "\"same\"", channels, 0, 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows), cmocka_unit_test(test_ceil),     cmocka_unit_test(test_global),
        cmocka_unit_test(test_sums),    cmocka_unit_test(test_refusals),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
