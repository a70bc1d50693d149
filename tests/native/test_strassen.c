/* SPDX-License-Identifier: Apache-2.0 */

/* 1x1 convolutions that go by Strassen's method, against plain fp64 loops: rows, blocks and channels that do not halve,
 * several bands, what is folded behind, maps that lie within others; and the same bits in any batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"

#define LEAST 128 /* channels */

static const uint32_t one[] = {1, 1}, three[] = {3, 3};
static const char *const same = "{\"padding\": \"same\"}";

static void expect_method(const struct model_maker *maker, const char *layer, int found, const char *what) {
    int vectors = strcmp(pomona_cpu_level(), "scalar") != 0;
    if (runs_by(maker, POMONA_PRECISION_DEFAULT, layer, "strassen") != (found && vectors))
        fail_msg("%s: not the expected method", what);
}

static void finish(struct model_maker *maker, const char *last, const char *what) {
    maker_features(maker, last);
    expect_method(maker, "wide", 1, what);
    check_graph(maker, what);
    maker_end(maker);
}

/* Convolution, batch norm, sum with its own input's projection, an activation. */
static void check(uint32_t height, uint32_t width, uint32_t in, uint32_t out, int residual, const char *kind) {
    struct model_maker maker;
    char what[96], attributes[32];
    snprintf(what, sizeof what, "%ux%u, %u to %u channels, %s", height, width, in, out, kind);
    snprintf(attributes, sizeof attributes, "{\"kind\": \"%s\"}", kind);
    maker_begin(&maker, height, width, in + height);
    const char *from = lead_in(&maker, 3, in), *last = "norm";
    if (residual) maker_conv(&maker, "side", from, one, in, out, 1, NULL);
    maker_conv(&maker, "wide", from, one, in, out, 0, NULL);
    maker_norm(&maker, "norm", "wide", out);
    if (residual) maker_node(&maker, "add", last = "sum", "side,norm", NULL);
    maker_node(&maker, "activation", "end", last, attributes);
    finish(&maker, "end", what);
}

static void test_sides(void **state) {
    (void)state;
    for (uint32_t more = 0; more < 5; more++) check(8 + more, 12 - more, LEAST, LEAST, more % 2, "relu");
    check(2, 40, LEAST, LEAST, 1, "relu6");
    check(3, 40, LEAST, LEAST, 0, "swish");
    check(64, 1, LEAST, LEAST, 1, "swish");
}

/* Odd blocks and a last one that is not full, on either side. */
static void test_channels(void **state) {
    (void)state;
    static const uint32_t more[] = {0, 1, 8, 16, 23, 32};
    for (int i = 0; i < 6; i++)
        for (int j = i % 2; j < 6; j += 2)
            check(9, 8, LEAST + more[i], LEAST + more[j], j > 2, i > 2 ? "relu" : "swish");
}

/* 1.25 MiB and more are cut into bands of rows. */
static void test_bands(void **state) {
    (void)state;
    check(53, 50, LEAST, LEAST, 1, "relu");
    check(47, 31, LEAST, 2 * LEAST + 24, 0, "swish");
    check(3, 900, LEAST, LEAST, 0, "relu"); /* as many as there are pairs of rows */
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
        expect_method(&maker, "other", 1, "read by a depthwise convolution");
        finish(&maker, "alone", "halos");
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
    finish(&maker, "last", "parts");
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
    finish(&maker, "sum", "crop");
}

static void test_batches(void **state) {
    (void)state;
    struct model_maker maker;
    size_t length;
    maker_begin(&maker, 9, 11, 6);
    maker_conv(&maker, "wide", lead_in(&maker, 3, LEAST + 40), one, LEAST + 40, LEAST + 8, 1, NULL);
    maker_features(&maker, "wide");
    expect_method(&maker, "wide", 1, "a batch");
    struct model_file file = maker_write(&maker);
    pomona_model *model = open_model(&file);
    uint8_t *rgb = random_pixels(9, 11, 5, 8);
    float *alone = run_images(model, rgb, 5, 1, &length);
    for (uint32_t batch = 2; batch <= 5; batch++) {
        float *together = run_images(model, rgb, 5, batch, &length);
        assert_memory_equal(alone, together, length * 5 * sizeof *alone);
        free(together);
    }
    pomona_model_close(model);
    free_model(&file);
    free(alone);
    free(rgb);
    maker_end(&maker);
}

static void expect_direct(uint32_t height, uint32_t width, uint32_t in, uint32_t out, const uint32_t *kernel,
                          const char *attributes) {
    struct model_maker maker;
    maker_begin(&maker, height, width, 1);
    maker_conv(&maker, "wide", lead_in(&maker, 2, in), kernel, in, out, 0, attributes);
    maker_features(&maker, "wide");
    expect_method(&maker, "wide", 0, attributes);
    maker_end(&maker);
}

static void test_what_stays_direct(void **state) {
    (void)state;
    expect_direct(7, 7, LEAST, LEAST, one, "{}");
    expect_direct(1, 100, LEAST, LEAST, one, "{}");
    expect_direct(10, 10, LEAST - 1, LEAST, one, "{}");
    expect_direct(10, 10, LEAST, LEAST - 1, one, "{}");
    expect_direct(20, 20, LEAST, LEAST, one, "{\"strides\": [2, 2]}");
    expect_direct(10, 10, LEAST, LEAST, one, "{\"padding\": [0, 1, 0, 0]}");
    expect_direct(10, 10, LEAST, LEAST, three, "{}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),   cmocka_unit_test(test_channels),
        cmocka_unit_test(test_bands),   cmocka_unit_test(test_halos),
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_crop),
        cmocka_unit_test(test_batches), cmocka_unit_test(test_what_stays_direct),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
