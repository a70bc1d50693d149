/* SPDX-License-Identifier: Apache-2.0 */

/* 1x1 convolutions by inner products, on CPUs that gain by them, against plain fp64 loops: channels and outputs that
 * fill no block, what is folded behind, bands, inputs in parts and of several sweeps, numbers of all sizes; the same
 * bits in any batch; and where inner products have no part. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"

static const uint32_t one[] = {1, 1}, three[] = {3, 3};
static const char *const same = "{\"padding\": \"same\"}";

/* "wide", which every network here has, runs by inner products, if `inner` and this CPU gains by them. */
static void expect_inner(const struct model_maker *maker, int inner, const char *what) {
    int found = runs_by(maker, POMONA_PRECISION_DEFAULT, "wide", "conv_inner");
    if (found != (inner && pomona_cpu_inner())) fail_msg("%s: not the expected method", what);
}

static void finish(struct model_maker *maker, const char *last, const char *what) {
    maker_features(maker, last);
    expect_inner(maker, 1, what);
    check_graph(maker, what);
    maker_end(maker);
}

/* Five layers with weights, the last one's value a norm's. */
static const char *begin(struct model_maker *maker, uint32_t height, uint32_t width, uint32_t channels) {
    maker_begin(maker, height, width, channels + height);
    maker_conv(maker, "last lead", lead_in(maker, 4, 24), one, 24, channels, 0, NULL);
    maker_norm(maker, "known", "last lead", channels);
    return "known";
}

/* Convolution, batch norm, sum with its own input's projection, an activation. */
static void check(uint32_t height, uint32_t width, uint32_t in, uint32_t out, int residual, const char *kind) {
    struct model_maker maker;
    char what[128], attributes[32];
    snprintf(what, sizeof what, "%ux%u, %u to %u channels, %s", height, width, in, out, kind);
    snprintf(attributes, sizeof attributes, "{\"kind\": \"%s\"}", kind);
    const char *from = begin(&maker, height, width, in), *last = "norm";
    if (residual) maker_conv(&maker, "side", from, one, in, out, 1, NULL);
    maker_conv(&maker, "wide", from, one, in, out, 0, NULL);
    maker_norm(&maker, "norm", "wide", out);
    if (residual) maker_node(&maker, "add", last = "sum", "side,norm", NULL);
    maker_node(&maker, "activation", "end", last, attributes);
    finish(&maker, "end", what);
}

static void test_channels(void **state) {
    (void)state;
    static const uint32_t ins[] = {16, 17, 24, 32, 40, 63, 80, 160}, outs[] = {32, 33, 40, 48, 56, 64, 100};
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t j = i % 2; j < 7; j += 2) check(7 + i, 9 - j, ins[i], outs[j], j > 2, i % 3 ? "relu" : "swish");
}

/* Several sweeps of the input, which hold 512 KiB of it; and many channels. */
static void test_sweeps(void **state) {
    (void)state;
    check(61, 59, 48, 40, 1, "relu6");
    check(14, 15, 1000, 72, 0, "relu");
    check(1, 1, 500, 200, 1, "swish");
}

/* What reads the value runs the convolution by bands, of a part of the rows where there are many. */
static void test_bands(void **state) {
    (void)state;
    for (uint32_t side = 5; side < 150; side += 71) {
        struct model_maker maker;
        const char *from = begin(&maker, side, side + 2, 40);
        maker_conv(&maker, "wide", from, one, 40, 88, 0, NULL);
        maker_norm(&maker, "norm", "wide", 88);
        maker_node(&maker, "activation", "relu", "norm", "{\"kind\": \"relu6\"}");
        maker_depthwise(&maker, "reader", "relu", three, 88, 0, same);
        finish(&maker, "reader", "bands");
    }
}

/* The input is a concatenation whose second part begins within a block, a sum, or pooled; it has a halo for others. */
static void test_inputs(void **state) {
    (void)state;
    struct model_maker maker;
    const char *from = begin(&maker, 11, 10, 24);
    maker_conv(&maker, "other", from, one, 24, 24, 0, NULL);
    maker_norm(&maker, "other norm", "other", 24);
    maker_node(&maker, "concat", "joined", "known,other norm", NULL);
    maker_conv(&maker, "wide", "joined", one, 48, 40, 1, NULL);
    finish(&maker, "wide", "a concatenation");

    from = begin(&maker, 12, 9, 40);
    maker_depthwise(&maker, "deep", from, three, 40, 0, same);
    maker_norm(&maker, "deep norm", "deep", 40);
    maker_node(&maker, "add", "sum", "known,deep norm", NULL);
    maker_node(&maker, "max_pool", "pool", "sum", "{\"pool\": [2, 2], \"strides\": [2, 2]}");
    maker_conv(&maker, "wide", "pool", one, 40, 72, 1, NULL);
    maker_depthwise(&maker, "halo", "pool", three, 40, 0, same);
    maker_conv(&maker, "side", "halo", one, 40, 72, 1, NULL);
    maker_node(&maker, "add", "all", "wide,side", NULL);
    finish(&maker, "all", "a pooled sum");

    from = begin(&maker, 9, 13, 40);
    maker_node(&maker, "activation", "relu", from, "{\"kind\": \"relu\"}");
    maker_depthwise(&maker, "deep", "relu", three, 40, 0, same);
    maker_conv(&maker, "wide", "deep", one, 40, 48, 1, NULL);
    finish(&maker, "wide", "a depthwise convolution");
}

static void scale(struct model_maker *maker, const char *tensor, uint32_t count, float by) {
    float *numbers = maker_numbers(maker, tensor);
    for (uint32_t i = 0; i < count; i++) numbers[i] *= by;
    maker_sum(maker, tensor);
}

/* Inputs and weights of other sizes than one, which weights are scaled to. */
static void test_sizes(void **state) {
    (void)state;
    static const float sizes[][2] = {{1024, 1},        {1 / 1024.0f, 1}, {1, 1024},
                                     {1, 1 / 1024.0f}, {3e5f, 1e-12f},   {1e-5f, 1e9f}};
    for (int i = 0; i < 6; i++) {
        struct model_maker maker;
        const char *from = begin(&maker, 6, 7, 80);
        maker_conv(&maker, "wide", from, one, 80, 64, 0, NULL);
        maker_features(&maker, "wide");
        scale(&maker, "known/gamma", 80, sizes[i][0]);
        scale(&maker, "known/beta", 80, sizes[i][0]);
        scale(&maker, "wide/kernel", 80 * 64, sizes[i][1]);
        finish(&maker, "wide", "sizes");
    }
}

static void test_batches(void **state) {
    (void)state;
    struct model_maker maker;
    const char *from = begin(&maker, 9, 11, 72);
    maker_conv(&maker, "wide", from, one, 72, 56, 1, NULL);
    maker_features(&maker, "wide");
    expect_inner(&maker, 1, "a batch");
    struct model_file file = maker_write(&maker);
    pomona_model *model = open_model(&file);
    check_batches(model, 5, 5);
    pomona_model_close(model);
    free_model(&file);
    maker_end(&maker);
}

static void expect_other(uint32_t in, uint32_t out, const uint32_t *kernel, const char *attributes, int known) {
    struct model_maker maker;
    const char *from = begin(&maker, 8, 9, in);
    if (!known) maker_conv(&maker, from = "unknown", "known", one, in, in, 0, NULL);
    maker_conv(&maker, "wide", from, kernel, in, out, 0, attributes);
    maker_features(&maker, "wide");
    expect_inner(&maker, 0, attributes);
    maker_end(&maker);
}

static void test_what_others_do(void **state) {
    (void)state;
    expect_other(15, 64, one, "{}", 1);
    expect_other(64, 31, one, "{}", 1);
    expect_other(64, 64, three, "{}", 1);
    expect_other(64, 64, one, "{\"strides\": [2, 2]}", 1);
    expect_other(64, 64, one, "{\"padding\": [1, 0, 0, 0]}", 1);
    expect_other(64, 64, one, "{}", 0);
    struct model_maker maker; /* numbers whose squares might leave fp32 */
    const char *from = begin(&maker, 8, 9, 64);
    maker_conv(&maker, "wide", from, one, 64, 64, 0, NULL);
    maker_features(&maker, "wide");
    scale(&maker, "known/gamma", 64, 1e7f);
    expect_inner(&maker, 0, "large numbers");
    maker_end(&maker);
    /* the first layers */
    maker_begin(&maker, 8, 8, 1);
    maker_conv(&maker, "lead", lead_in(&maker, 1, 64), one, 64, 64, 0, NULL);
    maker_norm(&maker, "known", "lead", 64);
    maker_conv(&maker, "wide", "known", one, 64, 64, 0, NULL);
    maker_features(&maker, "wide");
    expect_inner(&maker, 0, "the first layers");
    maker_end(&maker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels),       cmocka_unit_test(test_sweeps), cmocka_unit_test(test_bands),
        cmocka_unit_test(test_inputs),         cmocka_unit_test(test_sizes),  cmocka_unit_test(test_batches),
        cmocka_unit_test(test_what_others_do),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
