/* SPDX-License-Identifier: Apache-2.0 */

/* 1x1 convolutions that go by Strassen's method, once or twice, against plain fp64 loops: rows, blocks and channels
 * that do not halve, several bands, strides, small maps, what is folded behind, maps that lie within others; and the
 * same bits in any batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"

#define LEAST 160 /* channels, in and out */
#define LEAST_GATHERED 304
#define LEAST_FEW 400
#define LEAST_TWICE_FEW 608
#define LEAST_TWICE 512
#define LEAST_TWICE_OUT 336

#define ONCE "conv_strassen"
#define TWICE "conv_strassen_twice"

static const uint32_t one[] = {1, 1}, three[] = {3, 3};
static const char *const same = "{\"padding\": \"same\"}";

/* `method`: the name of its kernel, or NULL for one that is not of Strassen's. */
static void expect_method(const struct model_maker *maker, const char *layer, const char *method, const char *what) {
    int vectors = strcmp(pomona_cpu_level(), "scalar") != 0;
    int found = runs_by(maker, POMONA_PRECISION_DEFAULT, layer, ONCE);
    int twice = runs_by(maker, POMONA_PRECISION_DEFAULT, layer, TWICE);
    if (found != (method && vectors) || twice != (method && vectors && !strcmp(method, TWICE)))
        fail_msg("%s: not the expected method", what);
}

static void finish(struct model_maker *maker, const char *last, const char *method, const char *what) {
    maker_features(maker, last);
    expect_method(maker, "wide", method, what);
    check_graph(maker, what);
    maker_end(maker);
}

struct layer {
    uint32_t height, width, in, out;
    uint32_t stride[2]; /* 0: 1 */
};

/* Convolution, batch norm, sum with its own input's projection, an activation. */
static void check(const struct layer *l, int residual, const char *kind, const char *method) {
    struct model_maker maker;
    char what[128], attributes[32], strides[64];
    uint32_t down = l->stride[0] ? l->stride[0] : 1, across = l->stride[1] ? l->stride[1] : 1;
    snprintf(what, sizeof what, "%ux%u by %ux%u, %u to %u channels, %s", l->height, l->width, down, across, l->in,
             l->out, kind);
    snprintf(attributes, sizeof attributes, "{\"kind\": \"%s\"}", kind);
    snprintf(strides, sizeof strides, "{\"strides\": [%u, %u]}", down, across);
    maker_begin(&maker, l->height, l->width, l->in + l->height);
    const char *from = lead_in(&maker, l->in < LEAST_TWICE ? 3 : 1, l->in), *last = "norm";
    if (residual) maker_conv(&maker, "side", from, one, l->in, l->out, 1, strides);
    maker_conv(&maker, "wide", from, one, l->in, l->out, 0, strides);
    maker_norm(&maker, "norm", "wide", l->out);
    if (residual) maker_node(&maker, "add", last = "sum", "side,norm", NULL);
    maker_node(&maker, "activation", "end", last, attributes);
    finish(&maker, "end", method, what);
}

static void once(uint32_t height, uint32_t width, uint32_t in, uint32_t out, int residual, const char *kind) {
    check(&(struct layer){height, width, in, out, {0}}, residual, kind, ONCE);
}

static void twice(uint32_t height, uint32_t width, uint32_t in, uint32_t out, int residual, const char *kind) {
    check(&(struct layer){height, width, in, out, {0}}, residual, kind, TWICE);
}

static void test_sides(void **state) {
    (void)state;
    for (uint32_t more = 0; more < 5; more++) once(8 + more, 12 - more, LEAST, LEAST, more % 2, "relu");
    once(2, 40, LEAST, LEAST, 1, "relu6");
    once(3, 40, LEAST, LEAST, 0, "swish");
    once(64, 1, LEAST, LEAST, 1, "swish");
}

/* Odd blocks and a last one that is not full, on either side. */
static void test_channels(void **state) {
    (void)state;
    static const uint32_t more[] = {0, 1, 8, 16, 23, 32};
    for (int i = 0; i < 6; i++)
        for (int j = i % 2; j < 6; j += 2)
            once(9, 8, LEAST + more[i], LEAST + more[j], j > 2, i > 2 ? "relu" : "swish");
}

/* 1.25 MiB and more are cut into bands of rows. */
static void test_bands(void **state) {
    (void)state;
    once(53, 50, LEAST, LEAST, 1, "relu");
    once(47, 31, LEAST, 2 * LEAST + 24, 0, "swish");
    once(3, 900, LEAST, LEAST, 0, "relu"); /* as many as there are pairs of rows */
}

/* Rows and blocks whose halves, or halves of halves, are not alike. */
static void test_twice(void **state) {
    (void)state;
    static const uint32_t more[] = {0, 8, 16, 23, 40, 55};
    for (uint32_t i = 0; i < 6; i++)
        twice(6 + i, 13 - i, LEAST_TWICE + more[i], LEAST_TWICE_OUT + more[(i * 5 + 2) % 6], i % 2,
              i > 2 ? "relu" : "swish");
    twice(64, 1, LEAST_TWICE, LEAST_TWICE_OUT + 24, 1, "relu6");
    twice(13, 90, LEAST_TWICE + 24, LEAST_TWICE_OUT, 1, "relu"); /* bands of as few rows as there may be */
}

static void test_strides(void **state) {
    (void)state;
    check(&(struct layer){17, 16, LEAST_GATHERED + 8, LEAST_GATHERED, {2, 2}}, 0, "relu", ONCE);
    check(&(struct layer){9, 26, LEAST_GATHERED, LEAST_GATHERED + 24, {1, 3}}, 1, "swish", ONCE);
    check(&(struct layer){23, 8, LEAST_GATHERED + 16, LEAST_GATHERED, {3, 1}}, 1, "relu", ONCE);
    check(&(struct layer){80, 60, LEAST_GATHERED, LEAST_GATHERED, {2, 2}}, 0, "relu", ONCE); /* bands */
    check(&(struct layer){20, 15, LEAST_TWICE + 8, LEAST_TWICE_OUT, {2, 2}}, 1, "relu", TWICE);
}

static void test_small_maps(void **state) {
    (void)state;
    once(4, 10, LEAST_FEW, LEAST_FEW + 8, 1, "relu");
    once(7, 7, LEAST_TWICE, LEAST_TWICE, 0, "relu");
    twice(7, 7, LEAST_TWICE_FEW + 24, LEAST_TWICE_FEW, 0, "swish");
    check(&(struct layer){13, 13, LEAST_TWICE_FEW, LEAST_TWICE_FEW, {2, 2}}, 1, "relu", TWICE);
}

/* Input and output have halos of other widths, and so has the residual; the depthwise convolution, which alone reads
 * one of them, does not run that one by bands. */
static void test_halos(void **state) {
    (void)state;
    static const uint32_t five[] = {5, 5};
    for (uint32_t width = 8; width < 20; width += 3) {
        struct model_maker maker;
        maker_begin(&maker, 11, width, width);
        const char *from = lead_in(&maker, 2, LEAST + 8);
        maker_depthwise(&maker, "reads input", from, five, LEAST + 8, 0, same);
        maker_conv(&maker, "wide", from, one, LEAST + 8, LEAST + 8, 1, NULL);
        maker_node(&maker, "add", "sum", "wide,reads input", NULL);
        maker_depthwise(&maker, "reads sum", "sum", three, LEAST + 8, 0, same);
        maker_node(&maker, "add", "all", "reads sum,reads input", NULL);
        maker_conv(&maker, "other", "all", one, LEAST + 8, LEAST, 1, NULL);
        maker_depthwise(&maker, "alone", "other", three, LEAST, 0, same);
        maker_features(&maker, "alone");
        expect_method(&maker, "other", ONCE, "read by a depthwise convolution");
        finish(&maker, "alone", ONCE, "halos");
    }
}

/* The input is a part of a concatenation whose next part begins within its last block; the output, part of another. */
static void test_parts(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 10, 9, 4);
    const char *from = lead_in(&maker, 2, 24);
    maker_conv(&maker, "part", from, one, 24, LEAST + 24, 1, NULL);
    maker_conv(&maker, "next", from, one, 24, 40, 1, NULL);
    maker_node(&maker, "concat", "joined", "part,next", NULL);
    maker_conv(&maker, "reads joined", "joined", one, LEAST + 64, 24, 1, NULL);
    maker_conv(&maker, "wide", "part", one, LEAST + 24, LEAST + 40, 1, NULL);
    maker_node(&maker, "concat", "again", "wide,reads joined", NULL);
    maker_conv(&maker, "last", "again", three, LEAST + 64, 16, 1, same);
    finish(&maker, "last", ONCE, "parts");
}

/* A crop lies in what it is cut from. */
static void test_crop(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 13, 14, 5);
    const char *from = lead_in(&maker, 2, LEAST);
    maker_node(&maker, "crop", "cut", from, "{\"cropping\": [1, 2, 3, 1]}");
    maker_conv(&maker, "wide", "cut", one, LEAST, LEAST, 1, NULL);
    maker_conv(&maker, "other", from, three, LEAST, LEAST, 1, "{\"padding\": [0, 0, 0, 0]}");
    maker_node(&maker, "crop", "edge", "other", "{\"cropping\": [0, 1, 1, 1]}");
    maker_node(&maker, "add", "sum", "wide,edge", NULL);
    finish(&maker, "sum", ONCE, "crop");
}

static void same_in_batches(uint32_t in, uint32_t out, const char *method) {
    struct model_maker maker;
    maker_begin(&maker, 9, 11, 6);
    maker_conv(&maker, "wide", lead_in(&maker, 3, in), one, in, out, 1, NULL);
    maker_features(&maker, "wide");
    expect_method(&maker, "wide", method, "a batch");
    struct model_file file = maker_write(&maker);
    pomona_model *model = open_model(&file);
    check_batches(model, 5, 5);
    pomona_model_close(model);
    free_model(&file);
    maker_end(&maker);
}

static void test_batches(void **state) {
    (void)state;
    same_in_batches(LEAST + 40, LEAST + 8, ONCE);
    same_in_batches(LEAST_TWICE + 40, LEAST_TWICE_OUT + 8, TWICE);
}

static void expect_direct(uint32_t height, uint32_t width, uint32_t in, uint32_t out, const uint32_t *kernel,
                          const char *attributes) {
    struct model_maker maker;
    maker_begin(&maker, height, width, 1);
    maker_conv(&maker, "wide", lead_in(&maker, 2, in), kernel, in, out, 0, attributes);
    maker_features(&maker, "wide");
    expect_method(&maker, "wide", NULL, attributes);
    maker_end(&maker);
}

static void test_what_stays_direct(void **state) {
    (void)state;
    expect_direct(7, 7, LEAST_FEW - 1, LEAST_FEW, one, "{}");
    expect_direct(3, 13, LEAST_FEW, LEAST_FEW, one, "{}");
    expect_direct(1, 100, LEAST, LEAST, one, "{}");
    expect_direct(10, 10, LEAST - 1, LEAST, one, "{}");
    expect_direct(10, 10, LEAST, LEAST - 1, one, "{}");
    expect_direct(10, 10, 127, 4 * LEAST, one, "{}");
    expect_direct(10, 10, 4 * LEAST, 127, one, "{}");
    expect_direct(20, 20, LEAST_GATHERED - 8, LEAST_GATHERED - 8, one, "{\"strides\": [2, 2]}");
    expect_direct(10, 10, LEAST, LEAST, one, "{\"padding\": [0, 1, 0, 0]}");
    expect_direct(10, 10, LEAST, LEAST, three, "{}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_small_maps),
        cmocka_unit_test(test_halos),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_what_stays_direct),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
