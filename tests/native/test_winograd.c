/* SPDX-License-Identifier: Apache-2.0 */

/* 3x3 convolutions that go the Winograd way, against plain fp64 loops: sides that are no multiple of a tile, channels
 * that are no multiple of a block, paddings, and what is folded behind; groups of tiles that cross images. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "refusal.h"

static const uint32_t one[] = {1, 1}, three[] = {3, 3};

static void expect_method(const struct model_maker *maker, int winograd, const char *what) {
    int vectors = strcmp(pomona_cpu_level(), "scalar") != 0;
    if (runs_by(maker, POMONA_PRECISION_DEFAULT, "window", "winograd") != (winograd && vectors))
        fail_msg("%s: not the expected method", what);
}

/* Convolution, batch norm, sum with its own input's projection, ReLU. */
static void check(uint32_t height, uint32_t width, uint32_t in, uint32_t out, const char *padding, int residual) {
    struct model_maker maker;
    char attributes[64], what[128];
    snprintf(attributes, sizeof attributes, "{\"padding\": %s}", padding);
    snprintf(what, sizeof what, "%ux%u, %u to %u channels, padding %s", height, width, in, out, padding);
    maker_begin(&maker, height, width, in + height);
    const char *from = lead_in(&maker, 3, in), *last = "norm";
    if (residual) maker_conv(&maker, "side", from, one, in, out, 1, NULL);
    maker_conv(&maker, "window", from, three, in, out, 0, attributes);
    maker_norm(&maker, "norm", "window", out);
    if (residual) maker_node(&maker, "add", last = "sum", "side,norm", NULL);
    maker_node(&maker, "activation", "relu", last, "{\"kind\": \"relu\"}");
    maker_features(&maker, "relu");
    expect_method(&maker, 1, what);
    assert_int_equal(check_graph(&maker, what), residual ? 5 : 4);
    maker_end(&maker);
}

static void test_sides(void **state) {
    (void)state;
    for (uint32_t side = 10; side <= 17; side++) check(side, 27 - side, 32, 48, "\"same\"", side % 2);
}

static void test_channels(void **state) {
    (void)state;
    static const uint32_t counts[] = {32, 33, 40, 72};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) check(12, 11, counts[i], counts[j], "\"same\"", (i + j) % 2);
}

static void test_paddings(void **state) {
    (void)state;
    check(14, 13, 32, 32, "\"valid\"", 0);
    check(13, 15, 40, 32, "[0, 1, 1, 0]", 0);
    check(12, 12, 32, 40, "[3, 2, 0, 4]", 0);
}

/* 40 tiles an image: a group of 56 holds the end of one and the beginning of the next. */
static void test_groups_across_images(void **state) {
    (void)state;
    check(17, 29, 32, 32, "\"same\"", 1);
}

static void expect_direct(uint32_t side, uint32_t in, uint32_t out, const char *attributes) {
    struct model_maker maker;
    maker_begin(&maker, side, side, 1);
    maker_conv(&maker, "window", lead_in(&maker, 1, in), three, in, out, 0, attributes);
    maker_features(&maker, "window");
    expect_method(&maker, 0, attributes);
    maker_end(&maker);
}

static void test_what_stays_direct(void **state) {
    (void)state;
    expect_direct(9, 64, 64, "{\"padding\": \"same\"}");
    expect_direct(16, 16, 64, "{\"padding\": \"same\"}");
    expect_direct(16, 64, 16, "{\"padding\": \"same\"}");
    expect_direct(32, 64, 64, "{\"padding\": \"same\", \"strides\": [2, 2]}");
    expect_direct(16, 64, 64, "{\"padding\": \"same\", \"dilations\": [2, 2]}");
}

/* The transformed kernel is four times as large as the file's: not made for a file that a later layer spoils. */
static void test_refused_later(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 16, 16, 1);
    maker_conv(&maker, "first", "input", one, 3, 64, 1, NULL);
    maker_conv(&maker, "window", "first", three, 64, 64, 1, "{\"padding\": \"same\"}");
    maker_features(&maker, "window");
    expect_method(&maker, 1, "64 to 64 channels");
    maker_node(&maker, "add", "sum", "window,input", NULL);
    maker_features(&maker, "sum");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "layer sum: add of 16x16x64 and 16x16x3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_paddings),
        cmocka_unit_test(test_groups_across_images),
        cmocka_unit_test(test_what_stays_direct),
        cmocka_unit_test(test_refused_later),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
