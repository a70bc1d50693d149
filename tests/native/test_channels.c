/* SPDX-License-Identifier: Apache-2.0 */

/* Layers over channels against plain fp64 loops: concatenations in their own memory and copied, scales and shifts,
 * layer norms, softmax, sums and products with one pixel, crops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "refusal.h"

static const uint32_t point[] = {1, 1}, square[] = {3, 3};
static const uint32_t channel_counts[] = {1, 3, 8, 11, 16, 17, 24, 32, 40, 96, 200};
#define CHANNEL_COUNTS (sizeof channel_counts / sizeof *channel_counts)
#define PICK(maker, list) ((list)[(size_t)maker_random(maker, 0, (float)(sizeof(list) / sizeof *(list)))])

static void check(struct model_maker *maker, const char *features, uint32_t layers) {
    maker_features(maker, features);
    assert_int_equal(check_graph(maker, features), layers);
    maker_end(maker);
}

/* ---- concat ---- */

/* Each part is read by others too: one as a whole window with a halo, one by an addition. */
static void test_concat(void **state) {
    (void)state;
    struct model_maker dice = {.random = 3};
    for (uint32_t i = 0; i < 60; i++) {
        struct model_maker maker;
        uint32_t a = PICK(&dice, channel_counts), b = PICK(&dice, channel_counts), c = PICK(&dice, channel_counts);
        maker_begin(&maker, 7, 9, i);
        maker_conv(&maker, "a", "input", square, 3, a, 1, "{\"padding\": \"same\"}");
        maker_conv(&maker, "b", "a", square, a, b, 1, "{\"padding\": \"same\"}");
        maker_conv(&maker, "c", "b", point, b, c, 1, NULL);
        maker_node(&maker, "concat", "joined", "a,b,c", NULL);
        maker_conv(&maker, "last", "joined", square, a + b + c, a, 1, "{\"padding\": \"same\"}");
        maker_node(&maker, "add", "sum", "a,last", NULL);
        check(&maker, "sum", 5);
    }
}

/* The parts of a dense block grow in one piece of memory: each step reads all that was there before. */
static void check_dense_block(uint32_t start, uint32_t growth, int steps) {
    struct model_maker maker;
    char last[16] = "start", name[4][16];
    uint32_t channels = start;
    maker_begin(&maker, 8, 6, start);
    maker_conv(&maker, "start", "input", square, 3, start, 1, "{\"padding\": \"same\"}");
    for (int i = 0; i < steps; i++, channels += growth) {
        char pair[40];
        for (int j = 0; j < 4; j++) snprintf(name[j], sizeof name[j], "%c%d", "nrgc"[j], i);
        maker_norm(&maker, name[0], last, channels);
        maker_node(&maker, "activation", name[1], name[0], "{\"kind\": \"relu\"}");
        maker_conv(&maker, name[2], name[1], square, channels, growth, 1, "{\"padding\": \"same\"}");
        snprintf(pair, sizeof pair, "%s,%s", last, name[2]);
        maker_node(&maker, "concat", name[3], pair, NULL);
        memcpy(last, name[3], sizeof last);
    }
    maker_conv(&maker, "end", last, square, channels, 20, 1, "{\"padding\": \"same\"}");
    check(&maker, "end", 2 + 3 * (uint32_t)steps);
}

static void test_dense_block(void **state) {
    (void)state;
    check_dense_block(64, 32, 5);
    check_dense_block(24, 12, 5);
    check_dense_block(8, 16, 4);
}

/* The joined map takes no memory beside its parts. */
static void test_concat_is_not_copied(void **state) {
    (void)state;
    const uint64_t map = 32 * 32 * 64 * sizeof(float);
    struct model_maker maker;
    pomona_model_info info = {.size = sizeof info};
    maker_begin(&maker, 32, 32, 1);
    maker_conv(&maker, "a", "input", point, 3, 64, 1, NULL);
    maker_conv(&maker, "b", "a", point, 64, 64, 1, NULL);
    maker_node(&maker, "concat", "ab", "a,b", NULL);
    maker_conv(&maker, "c", "ab", point, 128, 16, 1, NULL);
    maker_features(&maker, "c");
    struct model_file file = maker_write(&maker);
    pomona_model *model = open_model(&file);
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    assert_in_range(info.arena_bytes, 2 * map, 3 * map);
    pomona_layer_info layer = {.size = sizeof layer};
    assert_int_equal(pomona_model_get_layer(model, 2, &layer, NULL), POMONA_OK);
    assert_string_equal(layer.kernel, "in place");
    pomona_model_close(model);
    free_model(&file);
    maker_end(&maker);
}

/* A part twice, the network's input as a part, one part alone, parts that are concatenations in two places. */
static void test_odd_concats(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++) {
        struct model_maker maker;
        uint32_t n = channel_counts[i];
        maker_begin(&maker, 5, 6, 4);
        maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
        maker_node(&maker, "concat", "alone", "a", NULL);
        maker_node(&maker, "concat", "twice", "alone,input,alone,a", NULL);
        maker_node(&maker, "concat", "again", "input,twice,alone", NULL);
        maker_node(&maker, "concat", "all", "twice,again,twice", NULL);
        maker_node(&maker, "activation", "relu", "all", "{\"kind\": \"relu\"}");
        check(&maker, "relu", 5);
    }
}

/* A clamp of all is one of the parts' makers, unless others read a part or a function comes last. */
static void test_clamped_concat(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++) {
        struct model_maker maker;
        uint32_t n = channel_counts[i];
        maker_begin(&maker, 5, 6, (uint32_t)i);
        maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
        maker_conv(&maker, "b", "a", square, n, n, 1, "{\"padding\": \"same\"}");
        maker_conv(&maker, "c", "b", square, n, n, 1, "{\"padding\": \"same\"}");
        maker_node(&maker, "activation", "tanh", "c", "{\"kind\": \"tanh\"}");
        maker_conv(&maker, "d", "a", point, n, n, 1, NULL);
        maker_conv(&maker, "e", "a", point, n, 16, 1, NULL);
        maker_node(&maker, "concat", "inner", "d,e", NULL);
        maker_node(&maker, "concat", "all", "b,inner,tanh", NULL);
        maker_node(&maker, "activation", "relu", "all", "{\"kind\": \"relu\"}");
        check(&maker, "relu", 7);
    }
}

/* Values of many shapes beside each other, as in Inception: a pool with a halo of its own, a strided branch. */
static void test_inception_block(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 13, 15, 8);
    const char *from = lead_in(&maker, 1, 40);
    maker_node(&maker, "max_pool", "pool", from, "{\"pool\": [3, 3], \"strides\": [2, 2]}");
    maker_conv(&maker, "conv", from, square, 40, 48, 1, "{\"strides\": [2, 2]}");
    maker_conv(&maker, "reduce", from, point, 40, 17, 1, NULL);
    maker_conv(&maker, "double", "reduce", square, 17, 24, 1, "{\"strides\": [2, 2]}");
    maker_node(&maker, "activation", "relu", "double", "{\"kind\": \"relu\"}");
    maker_node(&maker, "concat", "mixed", "conv,relu,pool", NULL);
    maker_node(&maker, "avg_pool", "mean", "mixed", "{\"pool\": [3, 3], \"strides\": [1, 1], \"padding\": \"same\"}");
    maker_conv(&maker, "other", "mixed", square, 112, 9, 1, "{\"padding\": \"same\"}");
    maker_node(&maker, "concat", "end", "other,mean", NULL);
    check(&maker, "end", 9);
}

/* Three parts of `n` channels, one of which others read too, beneath a clamp, pools and a padding with a crop of it, as
 * in NASNet; `last` reads all of it. */
static void check_parts(uint32_t n, const char *last, const uint32_t *kernel) {
    struct model_maker maker;
    maker_begin(&maker, 9, 8, n);
    maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
    maker_conv(&maker, "b", "a", point, n, n, 1, NULL);
    maker_conv(&maker, "c", "b", point, n, n, 1, NULL);
    maker_node(&maker, "concat", "joined", "a,b,c", NULL);
    maker_node(&maker, "activation", "relu", "joined", "{\"kind\": \"relu\"}");
    maker_node(&maker, "max_pool", "greatest", "relu",
               "{\"pool\": [3, 3], \"strides\": [1, 1], \"padding\": \"same\"}");
    maker_conv(&maker, "left", "greatest", point, 3 * n, 40, 1, NULL);
    maker_node(&maker, "zero_pad", "padded", "relu", "{\"padding\": [0, 1, 0, 1]}");
    maker_node(&maker, "crop", "moved", "padded", "{\"cropping\": [1, 0, 1, 0]}");
    maker_node(&maker, "avg_pool", "mean", "moved", "{\"pool\": [1, 1], \"strides\": [2, 2]}");
    maker_conv(&maker, "right", "mean", point, 3 * n, 24, 1, NULL);
    maker_conv(&maker, "even", "relu", point, 3 * n, 24, 1, "{\"strides\": [2, 2]}");
    maker_node(&maker, "add", "sum", "right,even", NULL);
    maker_conv(&maker, "last", "relu", kernel, 3 * n, 40, 1, last);
    maker_node(&maker, "add", "both", "left,last", NULL);
    maker_node(&maker, "max_pool", "half", "both", "{\"pool\": [1, 1], \"strides\": [2, 2]}");
    maker_node(&maker, "concat", "all", "half,sum", NULL);
    check(&maker, "all", 14);
}

static void test_parts(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++) {
        check_parts(channel_counts[i], "{\"padding\": \"valid\"}", point);
        check_parts(channel_counts[i], "{\"padding\": \"same\"}", square);
    }
    for (uint32_t n = 9; n < 60; n += 5) check_parts(n, NULL, point);
}

/* Those of more than half a block, unless somebody reads channels by their number. */
static void test_parts_in_place(void **state) {
    (void)state;
    static const struct {
        uint32_t n;
        const uint32_t *kernel;
        const char *reader, *ends;
        int in_place;
    } cases[] = {
        {11, point, "{}", NULL, 1},  {44, point, "{\"strides\": [2, 2]}", NULL, 1},
        {8, point, "{}", NULL, 0},   {44, point, "{\"groups\": 2}", NULL, 0},
        {44, square, "{}", NULL, 0}, {44, point, "{}", "global_pool", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_maker maker;
        maker_begin(&maker, 9, 8, 2);
        maker_conv(&maker, "a", "input", square, 3, cases[i].n, 1, NULL);
        maker_conv(&maker, "b", "a", point, cases[i].n, cases[i].n, 1, NULL);
        maker_node(&maker, "concat", "joined", "a,b", NULL);
        maker_conv(&maker, "last", "joined", cases[i].kernel,
                   strstr(cases[i].reader, "groups") ? cases[i].n : 2 * cases[i].n, 32, 1, cases[i].reader);
        if (cases[i].ends) maker_node(&maker, cases[i].ends, "end", "joined", "{\"kind\": \"avg\"}");
        if (cases[i].ends) maker_node(&maker, cases[i].ends, "other", "last", "{\"kind\": \"avg\"}");
        if (cases[i].ends) maker_node(&maker, "concat", "ends", "end,other", NULL);
        maker_features(&maker, cases[i].ends ? "ends" : "last");
        assert_int_equal(runs_by(&maker, POMONA_PRECISION_FP32, "joined", "in place"), cases[i].in_place);
        check_graph(&maker, "parts in place");
        maker_end(&maker);
    }
}

/* ---- by channel ---- */

/* Alone, folded into the convolution before it, folded twice, and not over a clamp. */
static void test_affine(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++)
        for (int which = 0; which < 4; which++) {
            struct model_maker maker;
            uint32_t n = channel_counts[i];
            maker_begin(&maker, 5, 4, (uint32_t)i);
            maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
            maker_affine(&maker, "scaled", "a", n, which);
            maker_norm(&maker, "norm", "scaled", n);
            maker_affine(&maker, "again", "norm", n, 3 - which);
            check(&maker, "again", 1);
            maker_begin(&maker, 5, 4, (uint32_t)i);
            maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
            maker_node(&maker, "activation", "relu", "a", "{\"kind\": \"relu\"}");
            maker_affine(&maker, "scaled", "relu", n, which);
            maker_node(&maker, "add", "sum", "relu,scaled", NULL);
            check(&maker, "sum", 3);
        }
}

/* A block of ConvNeXt: norm, scale by channel, residual. */
static void test_layer_norm(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++)
        for (int which = 0; which < 4; which++) {
            struct model_maker maker;
            uint32_t n = channel_counts[i];
            if (n == 1) continue; /* its variance is nothing */
            maker_begin(&maker, 6, 7, (uint32_t)i);
            maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
            maker_layer_norm(&maker, "norm", "a", n, which);
            maker_norm(&maker, "more", "norm", n);
            maker_node(&maker, "activation", "relu", "more", "{\"kind\": \"relu6\"}");
            maker_conv(&maker, "point", "relu", point, n, n, 1, NULL);
            maker_affine(&maker, "scaled", "point", n, 1);
            maker_node(&maker, "add", "sum", "a,scaled", NULL);
            check(&maker, "sum", 3);
        }
}

static void test_layer_norm_of_the_input(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 6, 7, 1);
    maker_layer_norm(&maker, "norm", "input", 3, 3);
    maker_conv(&maker, "conv", "norm", square, 3, 17, 1, "{\"padding\": \"same\"}");
    check(&maker, "conv", 2);
}

static void test_softmax(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++)
        for (uint32_t side = 1; side < 4; side += 2) {
            struct model_maker maker;
            maker_begin(&maker, side, side, (uint32_t)i);
            maker_conv(&maker, "logits", "input", point, 3, channel_counts[i], 1, NULL);
            maker_affine(&maker, "large", "logits", channel_counts[i], 1);
            float *scale = channel_counts[i] > 1 ? maker_numbers(&maker, "large/scale") : NULL;
            if (scale) scale[0] = 1000, maker_sum(&maker, "large/scale"); /* exp() of it is no float */
            maker_node(&maker, "softmax", "classes", "large", NULL);
            check(&maker, "classes", 2);
        }
}

/* Squeeze and excite, and the same with a sum; and two maps. */
static void test_pairs(void **state) {
    (void)state;
    static const char *const ops[] = {"multiply", "add"};
    for (size_t i = 0; i < CHANNEL_COUNTS; i++)
        for (int op = 0; op < 2; op++) {
            struct model_maker maker;
            uint32_t n = channel_counts[i];
            maker_begin(&maker, 7, 5, (uint32_t)i);
            maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
            maker_node(&maker, "global_pool", "squeezed", "a", "{\"kind\": \"avg\"}");
            maker_conv(&maker, "excited", "squeezed", point, n, n, 1, NULL);
            maker_node(&maker, ops[op], "pair", "a,excited", NULL);
            maker_node(&maker, "activation", "relu", "pair", "{\"kind\": \"relu6\"}");
            check(&maker, "relu", 4);
            maker_begin(&maker, 7, 5, (uint32_t)i);
            maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
            maker_conv(&maker, "b", "a", square, n, n, 1, "{\"padding\": \"same\"}");
            maker_node(&maker, ops[op], "pair", "a,b", NULL);
            maker_node(&maker, ops[op], "double", "pair,pair", NULL);
            maker_node(&maker, "activation", "relu", "double", "{\"kind\": \"relu\"}");
            check(&maker, "relu", op ? 3 : 4);
        }
}

/* A projection multiplies by the gate itself where its outputs are at most as many as there are pixels: 35. */
static void test_gate(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++)
        for (uint32_t out = 20; out <= 40; out += 20) {
            struct model_maker maker;
            uint32_t n = channel_counts[i];
            maker_begin(&maker, 7, 5, (uint32_t)i);
            maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
            maker_conv(&maker, "other", "a", square, n, out, 1, "{\"padding\": \"same\"}");
            maker_node(&maker, "global_pool", "squeezed", "a", "{\"kind\": \"avg\"}");
            maker_conv(&maker, "excited", "squeezed", point, n, n, 1, NULL);
            maker_node(&maker, "multiply", "gated", "a,excited", NULL);
            maker_conv(&maker, "project", "gated", point, n, out, 1, NULL);
            maker_node(&maker, "add", "sum", "other,project", NULL);
            check(&maker, "sum", out > 35 ? 6 : 5);
        }
}

/* What two nodes do alike to the same value is done once, and a clamp that all readers share by who makes the value. */
static void test_twins(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 7, 5, 3);
    maker_conv(&maker, "a", "input", square, 3, 24, 1, "{\"padding\": \"same\"}");
    maker_node(&maker, "activation", "first", "a", "{\"kind\": \"relu\"}");
    maker_node(&maker, "activation", "second", "a", "{\"kind\": \"relu\"}");
    maker_node(&maker, "avg_pool", "mean", "first", "{\"pool\": [3, 3], \"strides\": [1, 1], \"padding\": \"same\"}");
    maker_node(&maker, "avg_pool", "twin", "second", "{\"padding\": \"same\", \"strides\": [1, 1], \"pool\": [3, 3]}");
    maker_node(&maker, "avg_pool", "other", "second",
               "{\"pool\": [3, 3], \"strides\": [1, 1], \"padding\": [1, 1, 1, 1]}");
    maker_node(&maker, "activation", "sixth", "twin", "{\"kind\": \"clip\", \"low\": 0, \"high\": 0.5}");
    maker_node(&maker, "activation", "seventh", "mean", "{\"kind\": \"clip\", \"low\": 0, \"high\": 0.25}");
    maker_node(&maker, "concat", "all", "mean,twin,other,sixth,seventh", NULL);
    check(&maker, "all", 6);
}

static void test_crop(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 9, 8, 2);
    maker_node(&maker, "crop", "first", "input", "{\"cropping\": [0, 1, 2, 0]}");
    maker_conv(&maker, "a", "first", square, 3, 24, 1, "{\"padding\": \"same\"}");
    maker_node(&maker, "zero_pad", "pad", "a", "{\"padding\": [0, 1, 0, 1]}");
    maker_node(&maker, "crop", "shifted", "pad", "{\"cropping\": [1, 0, 1, 0]}");
    maker_node(&maker, "avg_pool", "left", "a", "{\"pool\": [1, 1], \"strides\": [2, 2]}");
    maker_node(&maker, "avg_pool", "right", "shifted", "{\"pool\": [1, 1], \"strides\": [2, 2]}");
    maker_node(&maker, "concat", "both", "left,right", NULL);
    check(&maker, "both", 7);
}

/* Crops and paddings that lie in what they are made from, and one that cannot; read late, and beside a halo. */
static void test_views(void **state) {
    (void)state;
    for (size_t i = 0; i < CHANNEL_COUNTS; i++) {
        struct model_maker maker;
        uint32_t n = channel_counts[i];
        maker_begin(&maker, 9, 8, (uint32_t)i);
        maker_conv(&maker, "a", "input", square, 3, n, 1, "{\"padding\": \"same\"}");
        maker_node(&maker, "crop", "less", "a", "{\"cropping\": [1, 0, 1, 0]}");
        maker_node(&maker, "zero_pad", "again", "less", "{\"padding\": [1, 0, 1, 0]}");
        maker_node(&maker, "zero_pad", "more", "a", "{\"padding\": [0, 1, 0, 1]}");
        maker_node(&maker, "crop", "shifted", "more", "{\"cropping\": [1, 0, 1, 0]}");
        maker_conv(&maker, "b", "a", square, n, 17, 1, "{\"padding\": \"same\"}");
        maker_node(&maker, "add", "sum", "shifted,again", NULL);
        maker_node(&maker, "concat", "all", "a,shifted,sum,b", NULL);
        maker_conv(&maker, "c", "all", square, 3 * n + 17, n, 1, "{\"padding\": \"same\"}");
        maker_node(&maker, "multiply", "late", "c,shifted", NULL);
        check(&maker, "late", 10);
    }
}

/* ---- refusals ---- */

/* A layer `op` of inputs a (3x4x8), b (2x4x8), c (3x4x5) and d (1x1x8), with a weight of the wrong shape. */
static void expect_refusal(const char *op, const char *inputs, const char *attributes, pomona_status status,
                           const char *word) {
    struct model_maker maker;
    maker_begin(&maker, 3, 4, 1);
    maker_conv(&maker, "a", "input", point, 3, 8, 1, NULL);
    maker_conv(&maker, "b", "input", (uint32_t[]){2, 1}, 3, 8, 1, NULL);
    maker_conv(&maker, "c", "input", point, 3, 5, 1, NULL);
    maker_conv(&maker, "d", "input", (uint32_t[]){3, 4}, 3, 8, 1, NULL);
    maker_tensor(&maker, "wrong", (uint32_t[]){5, 0}, 0, 1);
    cJSON *node = maker_node(&maker, op, "last", inputs, attributes);
    if (!strcmp(op, "affine")) cJSON_AddStringToObject(cJSON_GetObjectItem(node, "weights"), "shift", "wrong");
    if (!strcmp(op, "layer_norm")) cJSON_AddStringToObject(cJSON_GetObjectItem(node, "weights"), "gamma", "wrong");
    maker_features(&maker, "last");
    expect_refused_model(&maker, status, word);
}

static void test_refusals(void **state) {
    (void)state;
    expect_refusal("concat", "a,b", NULL, POMONA_BAD_MODEL, "layer last: concat of 3x4 and 2x4");
    expect_refusal("concat", "", NULL, POMONA_BAD_MODEL, "layer last: 0 inputs");
    expect_refusal("multiply", "a,c", NULL, POMONA_BAD_MODEL, "layer last: multiply of 3x4x8 and 3x4x5");
    expect_refusal("multiply", "d,a", NULL, POMONA_BAD_MODEL, "layer last: multiply of 1x1x8 and 3x4x8");
    expect_refusal("add", "a,b", NULL, POMONA_BAD_MODEL, "layer last: add of 3x4x8 and 2x4x8");
    expect_refusal("add", "a", NULL, POMONA_BAD_MODEL, "layer last: 1 inputs");
    expect_refusal("affine", "a", NULL, POMONA_BAD_MODEL, "layer last: `shift` (tensor wrong) must have the shape [8]");
    expect_refusal("layer_norm", "a", "{\"epsilon\": 1e-6}", POMONA_BAD_MODEL, "layer last: `gamma` (tensor wrong)");
    expect_refusal("layer_norm", "a", NULL, POMONA_BAD_MODEL, "last: `epsilon`");
    expect_refusal("layer_norm", "a", "{\"epsilon\": 0}", POMONA_BAD_MODEL, "layer last: `epsilon`");
    expect_refusal("crop", "a", NULL, POMONA_BAD_MODEL, "last: `cropping`");
    expect_refusal("crop", "a", "{\"cropping\": [1, 2, 0, 0]}", POMONA_BAD_MODEL, "layer last: crops 3 rows");
    expect_refusal("crop", "a", "{\"cropping\": [0, 0, 65535, 65535]}", POMONA_BAD_MODEL, "131070 columns off 3x4");
    expect_refusal("crop", "a", "{\"cropping\": [-1, 0, 0, 0]}", POMONA_BAD_MODEL, "last: `cropping`");
    expect_refusal("zero_pad", "a", NULL, POMONA_BAD_MODEL, "last: `padding`");
    expect_refusal("zero_pad", "a", "{\"padding\": [0, 0, 65535, 65535]}", POMONA_LIMIT, "layer last: padded to more");
    expect_refusal("zero_pad", "a", "{\"padding\": [60000, 0, 60000, 0]}", POMONA_LIMIT, "layer last: its value");
    expect_refusal("softmax", "a,a", NULL, POMONA_BAD_MODEL, "layer last: 2 inputs");
    expect_refusal("concat", "a,last", NULL, POMONA_BAD_MODEL, "layer last: its input last");
}

/* 1x1x(3 x 2^doublings), each concatenation named join0, join1 ... Returns the last one's name. */
static const char *doubled(struct model_maker *maker, int doublings) {
    static char name[16];
    char pair[40];
    maker_begin(maker, 1, 1, 1);
    snprintf(name, sizeof name, "input");
    for (int i = 0; i < doublings; i++) {
        snprintf(pair, sizeof pair, "%s,%s", name, name);
        snprintf(name, sizeof name, "join%d", i);
        maker_node(maker, "concat", name, pair, NULL);
    }
    return name;
}

/* Refused by the number of channels, before memory is taken. */
static void test_too_many_channels(void **state) {
    (void)state;
    struct model_maker maker;
    maker_features(&maker, doubled(&maker, 40));
    expect_refused_model(&maker, POMONA_LIMIT, "layer join22: 25165824 channels");
}

/* Layers without weights that would each pack 96 MiB of ones and zeros. */
static void test_packed_weights(void **state) {
    (void)state;
    struct model_maker maker;
    char from[16], name[16];
    snprintf(from, sizeof from, "%s", doubled(&maker, 22));
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "norm%d", i);
        maker_node(&maker, "layer_norm", name, from, "{\"epsilon\": 1e-6}");
        memcpy(from, name, sizeof from);
    }
    maker_features(&maker, from);
    expect_refused_model(&maker, POMONA_LIMIT, "layer norm42: the packed weights up to it need more than 4096 MiB");
}

/* One vector of 3,072 numbers for norm after norm: 48 KiB of folded scales and shifts for each. */
static void test_shared_weights(void **state) {
    (void)state;
    static const char *const roles[] = {"mean", "variance"};
    struct model_maker maker;
    char from[16], name[16];
    snprintf(from, sizeof from, "%s", doubled(&maker, 10));
    maker_tensor(&maker, "mean", (uint32_t[]){3072, 0}, 0, 1);
    maker_tensor(&maker, "variance", (uint32_t[]){3072, 0}, 1, 2);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "norm%d", i);
        cJSON *node = maker_node(&maker, "batch_norm", name, from, "{\"epsilon\": 1e-3}");
        for (int role = 0; role < 2; role++)
            cJSON_AddStringToObject(cJSON_GetObjectItem(node, "weights"), roles[role], roles[role]);
        memcpy(from, name, sizeof from);
    }
    maker_features(&maker, from);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "layer norm1: tensor mean");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_dense_block),
        cmocka_unit_test(test_concat_is_not_copied),
        cmocka_unit_test(test_odd_concats),
        cmocka_unit_test(test_clamped_concat),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_in_place),
        cmocka_unit_test(test_inception_block),
        cmocka_unit_test(test_affine),
        cmocka_unit_test(test_layer_norm),
        cmocka_unit_test(test_layer_norm_of_the_input),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_too_many_channels),
        cmocka_unit_test(test_packed_weights),
        cmocka_unit_test(test_shared_weights),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
