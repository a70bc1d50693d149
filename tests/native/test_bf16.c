/* SPDX-License-Identifier: Apache-2.0 */

/* Convolutions in bf16, of numbers that it holds (whole_nets.h). How others are rounded is tested apart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "kernels/bf16.h"
#include "net_check.h"
#include "whole_nets.h"

static const uint32_t one[] = {1, 1};

struct window_case {
    uint32_t height, width, kernel[2], in, out, groups;
    const char *rest; /* of the attributes */
};

/* Convolution, batch norm, sum with its own input's projection, ReLU. */
static void check(const struct window_case *w, int bf16) {
    struct model_maker maker;
    char attributes[128], what[192];
    snprintf(attributes, sizeof attributes, "{\"groups\": %u, %s}", w->groups, w->rest);
    snprintf(what, sizeof what, "%ux%u pixels, %ux%u of %u to %u channels, %s", w->height, w->width, w->kernel[0],
             w->kernel[1], w->in, w->out, attributes);
    begin_whole(&maker, w->height, w->width, w->in + w->out);
    spread_colours(&maker, w->in);
    maker_conv(&maker, "window", "colours", w->kernel, w->in / w->groups, w->out, 1, attributes);
    shorten(&maker, "window/kernel", w->kernel[0] * w->kernel[1] * w->in / w->groups * w->out);
    maker_norm(&maker, "norm", "window", w->out);
    maker_node(&maker, "activation", "relu", "norm", "{\"kind\": \"relu\"}");
    maker_features(&maker, "relu");
    if (runs_by(&maker, POMONA_PRECISION_BF16, "window", "bf16") != bf16)
        fail_msg("%s: not in the expected precision", what);
    check_graph_in(&maker, POMONA_PRECISION_BF16, what);
    maker_end(&maker);
}

static void test_windows(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const struct window_case cases[] = {
        {7, 9, {1, 1}, 24, 40, 1, "\"padding\": \"valid\""},
        {29, 31, {1, 1}, 96, 17, 1, "\"padding\": \"valid\""}, /* several sweeps */
        {61, 67, {1, 1}, 192, 33, 1, "\"padding\": \"valid\""},
        {8, 9, {1, 1}, 64, 64, 1, "\"strides\": [2, 2]"},
        {91, 130, {1, 1}, 192, 33, 1, "\"strides\": [1, 2]"},
        {120, 61, {1, 1}, 256, 16, 1, "\"strides\": [3, 1]"},
        {15, 16, {1, 1}, 80, 48, 2, "\"strides\": [2, 3]"},
        {17, 13, {3, 3}, 20, 24, 1, "\"strides\": [2, 2], \"padding\": \"same\""},
        {60, 64, {3, 3}, 64, 40, 1, "\"strides\": [2, 2], \"padding\": [0, 1, 0, 1]"},
        {9, 9, {3, 3}, 16, 16, 1, "\"padding\": \"same\""}, /* one block: a row of the window is one run */
        {13, 11, {5, 5}, 34, 16, 1, "\"padding\": \"same\""},
        {13, 17, {1, 7}, 32, 48, 1, "\"padding\": \"same\""},
        {17, 13, {7, 1}, 18, 16, 1, "\"padding\": [3, 2, 0, 1]"},
        {19, 23, {3, 3}, 24, 16, 1, "\"dilations\": [2, 3], \"padding\": \"same\""},
        {15, 15, {4, 4}, 32, 40, 1, "\"strides\": [4, 4]"},
        {9, 8, {3, 3}, 32, 64, 4, "\"padding\": \"same\""},
        {9, 8, {3, 3}, 24, 24, 4, "\"padding\": \"same\""},
        {9, 8, {1, 1}, 80, 48, 2, "\"padding\": \"valid\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i], 1);
}

/* The first layer: rows of its windows are gathered, unless one is longer than two blocks of floats. With a stride of 2
 * to the right it is one of digits (test_digits.c), unless its sums are too long for them. */
static void check_rgb(uint32_t height, uint32_t width, const uint32_t *kernel, uint32_t out, const char *attributes,
                      int bf16) {
    struct model_maker maker;
    char what[192];
    snprintf(what, sizeof what, "%ux%u of RGB, %ux%u pixels, %s", kernel[0], kernel[1], height, width, attributes);
    begin_whole(&maker, height, width, out);
    maker_conv(&maker, "window", "input", kernel, 3, out, 1, attributes);
    shorten(&maker, "window/kernel", kernel[0] * kernel[1] * 3 * out);
    maker_norm(&maker, "norm", "window", out);
    maker_features(&maker, "norm");
    if (runs_by(&maker, POMONA_PRECISION_BF16, "window", "bf16") != bf16)
        fail_msg("%s: not in the expected precision", what);
    check_graph_in(&maker, POMONA_PRECISION_BF16, what);
    maker_end(&maker);
}

static void test_first_layers(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const uint32_t seven[] = {7, 7}, three[] = {3, 3}, tall[] = {4, 1}, wide[] = {1, 10}, eleven[] = {1, 11};
    static const uint32_t large[] = {18, 10};
    check_rgb(224, 224, seven, 64, "{\"strides\": [2, 1], \"padding\": [3, 3, 3, 3]}", 1); /* several sweeps */
    check_rgb(31, 45, three, 33, "{\"strides\": [2, 3], \"padding\": \"same\"}", 1);
    check_rgb(31, 45, three, 33, "{\"strides\": [2, 2], \"padding\": \"same\"}", 0);
    check_rgb(41, 45, large, 24, "{\"strides\": [2, 2], \"padding\": \"same\"}", 1);
    check_rgb(30, 44, three, 16, "{\"strides\": [3, 1], \"padding\": \"valid\"}", 1);
    check_rgb(17, 13, one, 40, "{\"padding\": \"valid\"}", 1);
    check_rgb(19, 23, tall, 16, "{\"dilations\": [2, 1], \"padding\": [1, 0, 2, 1]}", 1);
    check_rgb(9, 41, wide, 24, "{\"strides\": [1, 4], \"padding\": \"same\"}", 1);
    check_rgb(9, 41, eleven, 24, "{\"padding\": \"same\"}", 0);
    check_rgb(19, 23, three, 24, "{\"dilations\": [1, 2], \"padding\": \"same\"}", 0);
}

/* Bands of a convolution in bf16 (conv_bands.h): its input is rounded once for all of them. */
static void test_bands(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const uint32_t three[] = {3, 3};
    struct model_maker maker;
    begin_whole(&maker, 41, 150, 4);
    spread_colours(&maker, 24);
    short_conv(&maker, "window", "colours", 24, 72, NULL);
    maker_depthwise(&maker, "depthwise", "window", three, 72, 1, "{\"padding\": \"same\"}");
    maker_features(&maker, "depthwise");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "window", "bf16"), 1);
    check_graph_in(&maker, POMONA_PRECISION_BF16, "bands");
    maker_end(&maker);
}

/* The gate of squeeze-and-excite, of powers of two, is in the input before it is rounded. */
static void check_gate(uint32_t channels, uint32_t height, uint32_t width) {
    struct model_maker maker;
    begin_whole(&maker, height, width, channels);
    spread_colours(&maker, channels);
    gate_colours(&maker, channels);
    short_conv(&maker, "window", "gated", channels, 40, NULL);
    maker_features(&maker, "window");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "window", "bf16"), 1);
    assert_int_equal(check_graph_in(&maker, POMONA_PRECISION_BF16, "gate"), 4);
    maker_end(&maker);
}

static void test_gate(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    check_gate(24, 7, 9);
    check_gate(40, 29, 31);
    check_gate(192, 61, 67); /* several sweeps */
}

/* No pair may stand across two groups, or reach past the last channel. */
static void test_odd_channels_stay_in_fp32(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const struct window_case odd = {7, 9, {1, 1}, 25, 40, 1, "\"padding\": \"valid\""},
                                    groups = {9, 8, {3, 3}, 20, 24, 4, "\"padding\": \"same\""},
                                    winograd = {12, 13, {3, 3}, 33, 40, 1, "\"padding\": \"same\""};
    check(&odd, 0);
    check(&winograd, 0);
    check(&groups, 0);
}

/* The nearest of the numbers whose lower 16 bits are zero; the even one of two as near. By arithmetic, where the
 * library goes by bits. */
static float nearest(float value) {
    int exponent;
    double mantissa = frexp(value, &exponent);
    return (float)ldexp(nearbyint(ldexp(mantissa, 8)), exponent - 8);
}

static void expect_pair(float pair, float even, float odd) {
    uint32_t bits, halves[2];
    memcpy(&bits, &pair, sizeof bits);
    halves[0] = bits << 16;
    halves[1] = bits & 0xffff0000u;
    for (int i = 0; i < 2; i++) {
        float half, value = i ? odd : even;
        memcpy(&half, &halves[i], sizeof half);
        if (half != nearest(value)) fail_msg("%.9g becomes %.9g, not %.9g", value, half, nearest(value));
    }
}

/* Random ones of all sizes, and every second one half way between two of bf16. */
static struct guarded random_values(int pixels, int at_end) {
    static uint32_t random = 1;
    struct guarded values = guarded_floats((size_t)pixels * PM_BLOCK, at_end);
    for (int i = 0; i < pixels * PM_BLOCK; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t bits = (random >> 9 | random << 23) & 0x8fffffffu;
        bits |= 0x30000000u; /* far from overflow and from numbers without a leading bit */
        if (i % 2) bits = (bits & 0xffff0000u) | 0x8000u;
        memcpy(&values.data[i], &bits, sizeof bits);
    }
    return values;
}

/* The change of channel c, if there is any: in fp32, as the affine kernel of the same level does it. */
static float changed(const struct pm_bf16_change *change, float value, int c) {
    if (!change->scale) return value;
    value = fmaf(value, change->scale[c], change->shift ? change->shift[c] : 0);
    return fminf(change->high, fmaxf(change->low, value));
}

/* Channel c of a pixel of two blocks, or 0 past the last channel. */
static float channel_of(const struct pm_bf16_pixels *p, int pixel, int c) {
    if (c >= (int)p->channels) return 0;
    return changed(&p->change, p->from[c / PM_BLOCK * p->block + pixel * PM_BLOCK + c % PM_BLOCK], c);
}

static void check_pixel(const struct pm_bf16_pixels *p, int i) {
    int c = i % PM_BLOCK * 2;
    float even = channel_of(p, i / PM_BLOCK, c), odd = channel_of(p, i / PM_BLOCK, c + 1);
    for (int s = 0; s < p->slices; s++, even -= nearest(even), odd -= nearest(odd)) {
        assert_true(pm_bf16_rest(channel_of(p, i / PM_BLOCK, c), s) == even);
        expect_pair(p->pairs[s * p->slice + i], even, odd);
        expect_pair(pm_bf16_pair(even, odd), even, odd);
    }
    if (p->slices == PM_BF16_SLICES) assert_true(even == 0 && odd == 0); /* nothing is lost */
}

/* The second block lies right behind the first, or behind the guard where no channel of it counts. */
static void check_narrow(int pixels, int channels, int slices, int at_end, const struct pm_bf16_change *change) {
    struct guarded from = random_values((channels > PM_BLOCK ? 2 : 1) * pixels, at_end);
    ptrdiff_t slice = (ptrdiff_t)pixels * PM_BLOCK;
    struct guarded to = guarded_floats((size_t)(slices * slice), at_end);
    for (int i = 0; i < slices * slice; i++) to.data[i] = NAN;
    const struct pm_bf16_pixels p = {.from = from.data,
                                     .pairs = to.data,
                                     .pixels = pixels,
                                     .step = PM_BLOCK,
                                     .block = (ptrdiff_t)pixels * PM_BLOCK,
                                     .channels = (uint32_t)channels,
                                     .slices = slices,
                                     .slice = slice,
                                     .change = *change};
    pm_bf16_kernels()->narrow(&p);
    for (int i = 0; i < pixels * PM_BLOCK; i++) check_pixel(&p, i);
    free_guarded(&from);
    free_guarded(&to);
}

/* Numbers as they are, by a gate, and by scale, shift and clamp. */
static void test_rounding(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    struct guarded scale = random_values(2, 1), shift = random_values(2, 1);
    const struct pm_bf16_change changes[] = {
        {NULL, NULL, 0, 0, 0},
        {scale.data, NULL, PM_BLOCK, -INFINITY, INFINITY},
        {scale.data, shift.data, PM_BLOCK, 0, 6},
    };
    for (int at_end = 0; at_end < 2; at_end++)
        for (int pixels = 1; pixels <= 130; pixels += pixels < 20 ? 1 : 55)
            for (int channels = 1; channels <= 2 * PM_BLOCK; channels++)
                for (int slices = 1; slices <= PM_BF16_SLICES; slices++)
                    check_narrow(pixels, channels, slices, at_end, &changes[(pixels + slices) % 3]);
    free_guarded(&scale);
    free_guarded(&shift);
}

/* The promise is kept or refused with its reason. */
static void test_refusal(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 8, 8, 1);
    maker_features(&maker, lead_in(&maker, 1, 16));
    struct model_file file = maker_write(&maker);
    pomona_model_options options = {sizeof options, POMONA_PRECISION_BF16};
    pomona_model *model = NULL;
    pomona_error error;
    pomona_status status = pomona_model_open_memory(file.data, file.length, &options, &model, &error);
    if (pm_bf16_kernels()) {
        assert_int_equal(status, POMONA_OK);
    } else {
        assert_int_equal(status, POMONA_UNSUPPORTED);
        assert_non_null(strstr(error.message, "AVX512_BF16"));
        assert_non_null(strstr(error.message, pomona_cpu_level()));
    }
    pomona_model_close(model);
    free_model(&file);
    maker_end(&maker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_first_layers),
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_odd_channels_stay_in_fp32),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_refusal),
    };
    int skipped = level_missing();
    return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
