/* SPDX-License-Identifier: Apache-2.0 */

/* 1x1 convolutions in bf16 by fixed-point numbers (kernels/fixed.h), on CPUs that gain by them: of numbers that bf16
 * and they hold (whole_nets.h) against plain fp64 loops, of others near them; the same bits in any batch; and what goes
 * other ways. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/bf16.h"
#include "naive_net.h"
#include "net_check.h"
#include "whole_nets.h"

static const uint32_t one[] = {1, 1}, three[] = {3, 3};
static const char *const same = "{\"padding\": \"same\"}";

/* "wide", which every network here has, is in bf16, by fixed-point numbers if `fixed` and this CPU gains by them. */
static void expect_fixed(const struct model_maker *maker, int fixed, const char *what) {
    const int gains = pm_cpu_adds_beside() && pm_bf16_kernels()->fixed;
    if (runs_by(maker, POMONA_PRECISION_BF16, "wide", "fixed") != (fixed && gains))
        fail_msg("%s: not the expected method", what);
}

static void finish(struct model_maker *maker, const char *last, const char *what) {
    maker_features(maker, last);
    expect_fixed(maker, 1, what);
    check_graph_in(maker, POMONA_PRECISION_BF16, what);
    maker_end(maker);
}

static void check(uint32_t height, uint32_t width, uint32_t in, uint32_t out, int residual, const char *attributes) {
    struct model_maker maker;
    char what[128];
    snprintf(what, sizeof what, "%ux%u, %u to %u channels, %s", height, width, in, out, attributes);
    begin_whole(&maker, height, width, in + out);
    spread_colours(&maker, in);
    short_conv(&maker, "wide", "colours", in, out, attributes);
    maker_norm(&maker, "norm", "wide", out);
    if (residual) short_conv(&maker, "side", "colours", in, out, attributes);
    if (residual) maker_node(&maker, "add", "sum", "norm,side", NULL);
    maker_node(&maker, "activation", "end", residual ? "sum" : "norm", "{\"kind\": \"relu\"}");
    finish(&maker, "end", what);
}

static void test_channels(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const uint32_t ins[] = {32, 34, 40, 56, 58, 64, 88, 150}, outs[] = {64, 65, 80, 96, 100};
    for (uint32_t i = 0; i < 8; i++)
        for (uint32_t j = i % 2; j < 5; j += 2) check(7 + i, 9 - j, ins[i], outs[j], j > 2, "{}");
    check(1, 1, 2048, 72, 1, "{}");
}

/* Several sweeps of the input, which hold 512 KiB of it; windows that leave pixels out. */
static void test_sweeps(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    check(61, 59, 56, 64, 1, "{}");
    check(61, 59, 192, 64, 0, "{\"strides\": [2, 2]}");
    check(14, 15, 1000, 72, 0, "{\"strides\": [1, 3]}");
}

/* What reads the value runs the convolution by bands, in fp32 or of couples of pixels: each output is an input. */
static void test_bands(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    for (uint32_t side = 5; side < 150; side += 71) {
        struct model_maker maker;
        begin_whole(&maker, side, side + 2, side);
        spread_colours(&maker, 40);
        maker_conv(&maker, "lead", "colours", one, 40, 40, 0, NULL);
        maker_conv(&maker, "wide", "lead", one, 40, 88, 0, NULL);
        float *lead = maker_numbers(&maker, "lead/kernel"), *wide = maker_numbers(&maker, "wide/kernel");
        for (uint32_t i = 0; i < 40 * 40; i++) lead[i] = i / 40 == i % 40;
        for (uint32_t i = 0; i < 40 * 88; i++) wide[i] = i / 88 == i % 88 % 40 ? ldexpf(1, -(int)(i % 3)) : 0;
        maker_sum(&maker, "lead/kernel");
        maker_sum(&maker, "wide/kernel");
        maker_depthwise(&maker, "reader", "wide", three, 88, 0, same);
        shorten(&maker, "reader/kernel", 9 * 88);
        finish(&maker, "reader", "bands");
    }
}

/* The input: pairs that a depthwise convolution writes, with a gate, of a map with a halo. */
static void test_inputs(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    for (uint32_t channels = 40; channels < 100; channels += 8) {
        struct model_maker maker;
        begin_whole(&maker, 13, 12, channels);
        spread_colours(&maker, channels);
        picking_depthwise(&maker, "deep", "colours", channels, same);
        short_conv(&maker, "wide", "deep", channels, 72, NULL);
        finish(&maker, "wide", "pairs");
    }
    struct model_maker maker;
    begin_whole(&maker, 9, 8, 2);
    spread_colours(&maker, 48);
    gate_colours(&maker, 48);
    short_conv(&maker, "wide", "gated", 48, 64, NULL);
    finish(&maker, "wide", "a gate");

    begin_whole(&maker, 11, 10, 3);
    spread_colours(&maker, 40);
    short_conv(&maker, "wide", "colours", 40, 64, NULL);
    picking_depthwise(&maker, "halo", "colours", 40, same);
    short_conv(&maker, "side", "halo", 40, 64, NULL);
    maker_node(&maker, "add", "sum", "wide,side", NULL);
    finish(&maker, "sum", "a halo");
}

/* Parts of one size with gaps between them, in which a pool leaves what it likes. */
static void test_parts(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    for (uint32_t part = 12; part < 100; part += 16) {
        struct model_maker maker;
        begin_whole(&maker, 9, 10, part);
        spread_colours(&maker, part);
        for (int i = 0; i < 4; i++) {
            char name[8];
            snprintf(name, sizeof name, "part%d", i);
            picking_depthwise(&maker, name, i ? "part0" : "colours", part, same);
        }
        maker_node(&maker, "concat", "parts", "part0,part1,part2,part3", NULL);
        maker_node(&maker, "max_pool", "pool", "parts", "{\"pool\": [2, 2]}");
        short_conv(&maker, "wide", "pool", 4 * part, 72, NULL);
        finish(&maker, "wide", "parts");
    }
}

/* Powers of two, which change nothing but the size of numbers. */
static void test_sizes(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const int powers[][2] = {{40, 0}, {-40, 0}, {0, 60}, {0, -60}, {90, -70}, {-90, 60}};
    for (int i = 0; i < 6; i++) {
        struct model_maker maker;
        begin_whole(&maker, 6, 7, 5);
        spread_colours(&maker, 80);
        short_conv(&maker, "wide", "colours", 80, 64, NULL);
        float *colours = maker_numbers(&maker, "colours/kernel"), *wide = maker_numbers(&maker, "wide/kernel");
        for (uint32_t n = 0; n < 3 * 80; n++) colours[n] = ldexpf(colours[n], powers[i][0]);
        for (uint32_t n = 0; n < 80 * 64; n++) wide[n] = ldexpf(wide[n], powers[i][1]);
        maker_sum(&maker, "colours/kernel");
        maker_sum(&maker, "wide/kernel");
        finish(&maker, "wide", "sizes");
    }
}

/* Weights that are zero, and inputs that are: what is left is the shift. */
static void test_zeros(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    for (int inputs = 0; inputs < 2; inputs++) {
        const char *what = inputs ? "colours/kernel" : "wide/kernel";
        struct model_maker maker;
        begin_whole(&maker, 6, 7, 6);
        spread_colours(&maker, 40);
        maker_conv(&maker, "wide", "colours", one, 40, 64, 1, NULL);
        float *numbers = maker_numbers(&maker, what);
        memset(numbers, 0, (inputs ? 3 * 40 : 40 * 64) * sizeof *numbers);
        maker_sum(&maker, what);
        finish(&maker, "wide", what);
    }
}

/* Numbers of every kind: each product is off by 2^-8 at most where both are rounded to bf16, and such errors do not all
 * have one sign. */
static void test_other_numbers(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    struct model_maker maker;
    maker_begin(&maker, 9, 11, 7);
    maker_conv(&maker, "lead", "input", one, 3, 200, 1, NULL);
    maker_conv(&maker, "wide", "lead", one, 200, 96, 1, NULL);
    maker_features(&maker, "wide");
    expect_fixed(&maker, 1, "any numbers");
    struct model_file file = maker_write(&maker);
    uint8_t *rgb = random_pixels(9, 11, 1, 3);
    pomona_model *model = open_model_in(&file, POMONA_PRECISION_BF16);
    size_t length;
    float *found = run_images(model, rgb, 1, 1, &length);
    struct naive_map expected = naive_run(&maker, rgb);
    double errors = 0, squares = 0;
    for (size_t i = 0; i < length; i++) {
        errors += pow(found[i] - expected.values[i], 2);
        squares += pow(expected.values[i], 2);
    }
    print_message("           error %.1e of the rms\n", sqrt(errors / squares));
    assert_true(errors < squares * pow(2, -16));
    free(found);
    free(rgb);
    free(expected.values);
    pomona_model_close(model);
    free_model(&file);
    maker_end(&maker);
}

static void test_batches(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    struct model_maker maker;
    maker_begin(&maker, 9, 11, 8);
    maker_conv(&maker, "lead", "input", one, 3, 72, 1, NULL);
    maker_conv(&maker, "wide", "lead", one, 72, 88, 1, NULL);
    maker_features(&maker, "wide");
    expect_fixed(&maker, 1, "a batch");
    struct model_file file = maker_write(&maker);
    pomona_model *model = open_model_in(&file, POMONA_PRECISION_BF16);
    check_batches(model, 5, 5);
    pomona_model_close(model);
    free_model(&file);
    maker_end(&maker);
}

static void expect_other(uint32_t in, uint32_t out, const uint32_t *kernel, const char *attributes) {
    struct model_maker maker;
    maker_begin(&maker, 8, 9, in);
    maker_conv(&maker, "lead", "input", one, 3, in, 1, NULL);
    maker_conv(&maker, "wide", "lead", kernel, strstr(attributes, "groups") ? in / 2 : in, out, 0, attributes);
    maker_features(&maker, "wide");
    expect_fixed(&maker, 0, attributes);
    maker_end(&maker);
}

static void test_what_others_do(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    expect_other(30, 64, one, "{}");
    expect_other(2050, 64, one, "{}");
    expect_other(64, 63, one, "{}");
    expect_other(64, 64, three, "{}");
    expect_other(128, 128, one, "{\"groups\": 2}");
    expect_other(64, 64, one, "{\"padding\": [1, 0, 0, 0]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels),       cmocka_unit_test(test_sweeps),  cmocka_unit_test(test_bands),
        cmocka_unit_test(test_inputs),         cmocka_unit_test(test_parts),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_zeros),          cmocka_unit_test(test_batches), cmocka_unit_test(test_other_numbers),
        cmocka_unit_test(test_what_others_do),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
