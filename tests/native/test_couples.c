/* SPDX-License-Identifier: Apache-2.0 */

/* Depthwise convolutions in bf16, of couples of pixels (kernels/bf16.h): routines by themselves near guard pages, and
 * networks of numbers that bf16 holds (whole_nets.h). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "kernels/bf16.h"
#include "net_check.h"
#include "whole_nets.h"

/* Rounded as a pair's even half is. */
static float rounded(float value) {
    float pair = pm_bf16_pair(value, 0);
    return half_of(pair, 0);
}

static void check_couple_row(int pixels, int at_end) {
    struct guarded from = random_floats((size_t)pixels * PM_BLOCK, at_end);
    struct guarded to = guarded_floats((size_t)((pixels + 1) / 2) * PM_BLOCK, at_end);
    memset(to.data, 0xff, (size_t)((pixels + 1) / 2) * PM_BLOCK * sizeof(float));
    pm_bf16_kernels()->couple_row(to.data, from.data, pixels, -0.4f, 0.5f);
    for (int i = 0; i < (pixels + 1) / 2 * 2; i++)
        for (int c = 0; c < PM_BLOCK; c++) {
            float expected = i < pixels ? rounded(fminf(fmaxf(from.data[i * PM_BLOCK + c], -0.4f), 0.5f)) : 0;
            assert_true(half_of(to.data[i / 2 * PM_BLOCK + c], i % 2) == expected);
        }
    free_guarded(&from);
    free_guarded(&to);
}

static void test_rows_become_couples(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    for (int pixels = 1; pixels < 40; pixels++) check_couple_row(pixels, pixels % 2), check_couple_row(pixels, 1);
}

/* A routine's row: windows of `d` over random couples, one row of them after the other. */
struct row_case {
    const struct pm_bf16_depthwise *d;
    int pixels, phase, halves, at_end;
    struct guarded input, weights, affine, output;
    struct pm_depthwise_row row;
};

static int couples_under(const struct row_case *c) {
    return (c->phase + (c->pixels - 1) * c->d->stride + c->d->side + 1) / 2;
}

/* The weight of couple x, list `list` of row y; numbers beside the window are zero. */
static void draw_weights(struct row_case *c) {
    const int lists = c->d->stride == 1 ? 2 : 1, couples = (c->d->side + 1) / 2;
    float taps[PM_BF16_WINDOW_MAX][PM_BF16_WINDOW_MAX + 2][PM_BLOCK] = {{{0}}};
    float *to = c->weights.data;
    for (int y = 0; y < c->d->side; y++) {
        for (int i = 0; i < c->d->side * PM_BLOCK; i++) taps[y][1 + i / PM_BLOCK][i % PM_BLOCK] = random_float();
        for (int list = 0; list < lists; list++)
            for (int x = 0; x < couples; x++)
                for (int lane = 0; lane < PM_BLOCK; lane++) {
                    int tap = 2 * x - (c->phase ^ list) + 1;
                    *to++ = pm_bf16_pair(taps[y][tap][lane], taps[y][tap + 1][lane]);
                }
    }
}

static void begin_row(struct row_case *c) {
    const int side = c->d->side, under = couples_under(c), lists = c->d->stride == 1 ? 2 : 1;
    c->input = random_floats((size_t)(under * side) * PM_BLOCK, c->at_end);
    for (int i = 0; i < under * side * PM_BLOCK; i++) c->input.data[i] = pm_bf16_pair(random_float(), random_float());
    c->weights = guarded_floats((size_t)(lists * side * (side + 1) / 2) * PM_BLOCK, c->at_end);
    draw_weights(c);
    c->affine = random_floats((size_t)2 * PM_BLOCK, c->at_end);
    c->output = guarded_floats((size_t)c->pixels * PM_BLOCK - (c->halves ? PM_BLOCK / 2 : 0), c->at_end);
    c->row = (struct pm_depthwise_row){
        .input = c->input.data,
        .weights = c->weights.data,
        .scale = c->affine.data,
        .shift = c->affine.data + PM_BLOCK,
        .output = c->output.data,
        .pixels = c->pixels,
        .input_row = (ptrdiff_t)under * PM_BLOCK,
        .input_pixel = (ptrdiff_t)c->d->stride * PM_BLOCK,
        .kernel_height = side,
        .kernel_width = side,
        .low = -0.75f,
        .high = 1.5f,
    };
}

/* In fp64, tap by tap; `magnitude` of the products. */
static double expected_at(const struct row_case *c, int pixel, int lane, double *magnitude) {
    const int side = c->d->side, couples = (side + 1) / 2, lists = c->d->stride == 1 ? 2 : 1;
    double sum = *magnitude = 0;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const int column = c->phase + pixel * c->d->stride + x, list = pixel % lists;
            const int slot = x + (c->phase ^ list);
            const float *in = &c->input.data[y * c->row.input_row + column / 2 * PM_BLOCK + lane];
            const float *weight = &c->weights.data[((y * lists + list) * couples + slot / 2) * PM_BLOCK + lane];
            const double product = (double)half_of(*in, column % 2) * half_of(*weight, slot % 2);
            sum += product;
            *magnitude += fabs(product);
        }
    *magnitude *= fabs(c->row.scale[lane]);
    return fmin(1.5, fmax(-0.75, sum * c->row.scale[lane] + c->row.shift[lane]));
}

static void check_row(struct row_case *c) {
    begin_row(c);
    c->d->run(&c->row, c->halves);
    for (int i = 0; i < c->pixels; i++)
        for (int lane = 0; lane < PM_BLOCK; lane++) {
            const float *pixel = &c->output.data[i * PM_BLOCK];
            double magnitude, expected = expected_at(c, i, lane, &magnitude);
            double found = c->halves ? half_of(pixel[lane / 2], lane % 2) : pixel[lane];
            double bound = 1e-6 * magnitude + 1e-7 + (c->halves ? fabs(expected) / 256 : 0);
            if (!(fabs(found - expected) <= bound))
                fail_msg("%s: pixel %d of %d, channel %d: %g, not %g", c->d->name, i, c->pixels, lane, found, expected);
        }
    free_guarded(&c->input);
    free_guarded(&c->weights);
    free_guarded(&c->affine);
    free_guarded(&c->output);
}

static void test_routines(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    for (const struct pm_bf16_depthwise *d = pm_bf16_kernels()->couples; d->name; d++)
        for (int pixels = 1; pixels <= 45; pixels++)
            for (int phase = 0; phase < 2; phase++)
                for (int how = 0; how < 4; how++)
                    if (d->phase < 0 || d->phase == phase)
                        check_row(&(struct row_case){
                            .d = d, .pixels = pixels, .phase = phase, .halves = how % 2, .at_end = how / 2});
}

struct net_case {
    uint32_t height, width, in, channels, side;
    const char *window, *between;
    int couples; /* 1: its routine reads them; 2: where the convolution before writes them */
};

/* A 1x1 convolution whose channel c is once or -1/2 times one of the input. */
static void pick(struct model_maker *maker, const char *name, const char *input, uint32_t in, uint32_t out,
                 const char *attributes) {
    static const uint32_t one[] = {1, 1};
    char tensor[64];
    snprintf(tensor, sizeof tensor, "%s/kernel", name);
    maker_conv(maker, name, input, one, in, out, 0, attributes);
    float *kernel = maker_numbers(maker, tensor);
    for (uint32_t i = 0; i < in * out; i++) {
        uint32_t channel = i % out;
        kernel[i] = i / out == (channel * 5 + 1) % in ? (channel % 3 == 1 ? -0.5f : 1) : 0;
    }
    maker_sum(maker, tensor);
}

/* Layers enough for the depthwise one not to be among the first; `paired`: another one reads pairs from it; `before`:
 * attributes of the convolution before it. */
static void check_net(const struct net_case *n, int banded, int paired, const char *before) {
    struct model_maker maker;
    char what[192];
    const uint32_t window[] = {n->side, n->side};
    snprintf(what, sizeof what, "%ux%u, %u to %u channels, %s, %ux%u, %s%s%s", n->height, n->width, n->in, n->channels,
             n->between, n->side, n->side, n->window, banded ? ", by bands" : "", paired ? ", pairs" : "");
    begin_whole(&maker, n->height, n->width, n->channels);
    spread_colours(&maker, n->in);
    maker_node(&maker, "concat", "spread", "colours", NULL);
    pick(&maker, "first", "spread", n->in, n->in, NULL);
    pick(&maker, "second", "first", n->in, n->in, NULL);
    pick(&maker, "third", "second", n->in, n->channels, before);
    maker_node(&maker, "activation", "between", "third", n->between);
    if (!banded) maker_node(&maker, "concat", "map", "between", NULL);
    maker_depthwise(&maker, "depthwise", banded ? "between" : "map", window, n->channels, !paired, n->window);
    if (paired) pick_taps(&maker, "depthwise/kernel", n->side * n->side, n->channels);
    else shorten(&maker, "depthwise/kernel", n->side * n->side * n->channels);
    if (paired) short_conv(&maker, "last", "depthwise", n->channels, 24, NULL);
    maker_features(&maker, paired ? "last" : "depthwise");
    if (runs_by(&maker, POMONA_PRECISION_BF16, "depthwise", "depthwise_bf16") !=
        (n->couples == 1 || (n->couples == 2 && banded)))
        fail_msg("%s: not by the expected routine", what);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_FP32, "depthwise", "depthwise_bf16"), 0);
    check_graph_in(&maker, POMONA_PRECISION_BF16, what);
    maker_end(&maker);
}

static void test_nets(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const char same[] = "{\"padding\": \"same\"}", two[] = "{\"padding\": \"same\", \"strides\": [2, 2]}";
    static const char clip[] = "{\"kind\": \"clip\", \"low\": 2, \"high\": 100}",
                      leaky[] = "{\"kind\": \"leaky_relu\", \"alpha\": 0.5}";
    static const struct net_case cases[] = {
        {9, 11, 16, 96, 3, same, clip, 1},
        {14, 14, 24, 40, 5, same, clip, 1},
        {14, 7, 24, 34, 7, same, clip, 1},
        {12, 13, 20, 34, 3, two, clip, 2},
        {13, 12, 20, 16, 5, two, clip, 1},
        {33, 61, 20, 48, 7, two, leaky, 1},
        {41, 150, 16, 64, 3, same, clip, 1}, /* several bands */
        {41, 150, 16, 40, 5, "{\"padding\": [1, 2, 1, 3], \"strides\": [1, 2]}", clip, 1},
        {60, 151, 16, 32, 3, "{\"padding\": [0, 1, 0, 1], \"strides\": [2, 2]}", clip, 2},
        {60, 29, 16, 32, 3, "{\"padding\": [7, 7, 1, 0], \"dilations\": [7, 1]}", leaky, 1},
        {90, 300, 16, 32, 3, "{\"padding\": [9, 30, 1, 1]}", leaky, 1},
        {23, 29, 18, 50, 3, "{\"padding\": [2, 0, 3, 4], \"strides\": [3, 1]}", clip, 1},
        {9, 9, 17, 33, 3, same, clip, 1},                        /* odd channels: the convolution before is in fp32 */
        {9, 11, 16, 32, 3, "{\"padding\": \"valid\"}", clip, 0}, /* windows begin with the other pixel */
        {9, 11, 16, 32, 3, "{\"padding\": \"same\", \"dilations\": [1, 2]}", clip, 0},
        {9, 11, 16, 32, 4, same, clip, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int how = 0; how < 4; how++) check_net(&cases[i], how % 2, how / 2, NULL);
    static const struct net_case strided[] = {{31, 34, 16, 48, 3, same, clip, 1}, {83, 301, 16, 40, 5, same, clip, 1}};
    for (int how = 0; how < 8; how++) check_net(&strided[how / 4], how % 2, how / 2 % 2, "{\"strides\": [2, 3]}");
}

struct clamp_case {
    uint32_t height, width, channels, side, stride;
    int dilation, couples;
    const char *clamp;
    int alone; /* it is run by itself */
};

/* As in Xception: a clamp that the depthwise convolution alone reads, of a map that a shortcut reads as it is. What the
 * depthwise one gives is the residual of the pool. */
static void check_clamp(const struct clamp_case *c) {
    struct model_maker maker;
    char what[160], window[96], pool[96];
    const uint32_t side[] = {c->side, c->side};
    snprintf(what, sizeof what, "%s before %ux%u, stride %u, dilation %d, of %ux%ux%u", c->clamp, c->side, c->side,
             c->stride, c->dilation, c->height, c->width, c->channels);
    snprintf(window, sizeof window, "{\"padding\": \"same\", \"strides\": [%u, %u], \"dilations\": [1, %d]}", c->stride,
             c->stride, c->dilation);
    snprintf(pool, sizeof pool, "{\"pool\": [1, 1], \"strides\": [%u, %u]}", c->stride, c->stride);
    begin_whole(&maker, c->height, c->width, c->channels);
    spread_colours(&maker, 16);
    maker_node(&maker, "concat", "spread", "colours", NULL);
    pick(&maker, "first", "spread", 16, 16, NULL);
    pick(&maker, "second", "first", 16, 16, NULL);
    pick(&maker, "third", "second", 16, c->channels, NULL);
    maker_node(&maker, "activation", "clamp", "third", c->clamp);
    maker_depthwise(&maker, "depthwise", "clamp", side, c->channels, 1, window);
    shorten(&maker, "depthwise/kernel", c->side * c->side * c->channels);
    maker_node(&maker, "max_pool", "shortcut", "third", pool);
    maker_node(&maker, "add", "sum", "depthwise,shortcut", NULL);
    maker_features(&maker, "sum");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "depthwise", "depthwise_bf16"), c->couples);
    if ((runs_by(&maker, POMONA_PRECISION_BF16, "clamp", "") >= 0) != c->alone)
        fail_msg("%s: the clamp is %s", what, c->alone ? "gone" : "still there");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_FP32, "clamp", ""), 1);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "sum", ""), -1);
    check_graph_in(&maker, POMONA_PRECISION_BF16, what);
    maker_end(&maker);
}

/* A clamp that zeros pass is done while rows are rounded, or copied where the routine is in fp32. */
static void test_clamps(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const char relu[] = "{\"kind\": \"relu\"}", clip[] = "{\"kind\": \"clip\", \"low\": -9, \"high\": 77}",
                      above[] = "{\"kind\": \"clip\", \"low\": 1, \"high\": 77}",
                      leaky[] = "{\"kind\": \"leaky_relu\", \"alpha\": 0.5}";
    static const struct clamp_case cases[] = {
        {19, 19, 40, 3, 1, 1, 1, relu, 0},  {8, 8, 33, 5, 1, 1, 1, clip, 0},    {14, 15, 24, 5, 2, 1, 1, relu, 0},
        {13, 12, 34, 3, 2, 1, 0, relu, 0},  {12, 13, 16, 3, 1, 2, 0, clip, 0},  {90, 300, 32, 3, 1, 1, 1, relu, 0},
        {70, 160, 16, 3, 2, 1, 0, clip, 0}, {19, 19, 40, 3, 1, 1, 1, above, 1}, {19, 19, 40, 3, 1, 1, 1, leaky, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_clamp(&cases[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_become_couples),
        cmocka_unit_test(test_routines),
        cmocka_unit_test(test_nets),
        cmocka_unit_test(test_clamps),
    };
    int skipped = level_missing();
    return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
