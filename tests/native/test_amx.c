/* SPDX-License-Identifier: Apache-2.0 */

/* The AMX kernels by an emulation of the tiles, and by the CPU's own where it has them: single tiles against fp64 sums
 * of the same pairs, and the registers' state. test_bf16 runs by them too, as test_bf16_amx. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulated.h"
#include "amx_emulation.h"
#include "guarded.h"
#include "tile_checks.h"

extern const struct pm_bf16_kernels pm_bf16_kernels_amx;

/* ---- single tiles ---- */

#define SEGMENTS_MAX 10

static struct guarded random_pairs(size_t count, int at_end) {
    struct guarded memory = guarded_floats(count, at_end);
    for (size_t i = 0; i < count; i++) memory.data[i] = pm_bf16_pair(random_float(), random_float());
    return memory;
}

struct tile_case {
    const struct pm_conv_tiling *tiling;
    int pixels, segments, residual, clamped, at_end;
    ptrdiff_t distance;
};

struct tile_memory {
    struct guarded input, weights, epilogue, residual, output;
    struct pm_segment segments[SEGMENTS_MAX];
    struct pm_conv_tile tile;
};

/* One plane after the other, so that the last pair read is the last there is. */
static void set_up(const struct tile_case *c, struct tile_memory *m) {
    size_t plane = (size_t)(c->pixels - 1) * (size_t)c->distance + PM_BLOCK, blocks = (size_t)c->tiling->blocks;
    size_t pixels = (size_t)c->pixels * PM_BLOCK, segments = (size_t)c->segments;
    for (int s = 0; s < c->segments; s++) m->segments[s] = (struct pm_segment){s * (ptrdiff_t)plane, PM_BLOCK};
    m->input = random_pairs(segments * plane, c->at_end);
    m->weights = random_pairs(segments * PM_BLOCK * blocks * PM_BLOCK, c->at_end);
    m->epilogue = random_floats(2 * blocks * PM_BLOCK, c->at_end);
    m->residual = random_floats(blocks * pixels + (blocks - 1) * 2 * GAP, c->at_end);
    m->output = guarded_floats(blocks * pixels + (blocks - 1) * GAP, c->at_end);
    for (size_t i = 0; i < blocks * pixels + (blocks - 1) * GAP; i++) m->output.data[i] = UNTOUCHED;
    m->tile = (struct pm_conv_tile){.input = m->input.data,
                                    .weights = m->weights.data,
                                    .scale = m->epilogue.data,
                                    .shift = m->epilogue.data + blocks * PM_BLOCK,
                                    .residual = c->residual ? m->residual.data : NULL,
                                    .output = m->output.data,
                                    .segments = m->segments,
                                    .segment_count = c->segments,
                                    .partial_segments = c->segments,
                                    .input_pixel = c->distance,
                                    .output_block = (ptrdiff_t)pixels + GAP,
                                    .residual_block = (ptrdiff_t)pixels + 2 * GAP,
                                    .low = c->clamped ? -0.5f : -INFINITY,
                                    .high = c->clamped ? 0.5f : INFINITY};
}

static void tear_down(struct tile_memory *m) {
    struct guarded *all[] = {&m->input, &m->weights, &m->epilogue, &m->residual, &m->output};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

/* The even or odd number of a pair. */
static double half_of(float pair, int odd) {
    uint32_t bits;
    float half;
    memcpy(&bits, &pair, sizeof bits);
    bits = odd ? bits & 0xffff0000u : bits << 16;
    memcpy(&half, &bits, sizeof half);
    return half;
}

/* Products of bf16 are exact; n additions in fp32 miss by n / 2 x 2^-23 of the sum of magnitudes at most, and the
 * epilogue rounds a few times more. */
static void check_output(const struct tile_case *c, const struct tile_memory *m, int pixel, int channel) {
    const struct pm_conv_tile *t = &m->tile;
    const int outputs = c->tiling->blocks * PM_BLOCK, terms = c->segments * 2 * PM_BLOCK;
    double sum = 0, magnitude = 0;
    for (int i = 0; i < terms; i++) {
        ptrdiff_t pair = i / 2, segment = pair / PM_BLOCK;
        double x = half_of(t->input[m->segments[segment].offset + pixel * c->distance + pair % PM_BLOCK], i % 2);
        double product = x * half_of(t->weights[pair * outputs + channel], i % 2);
        sum += product;
        magnitude += fabs(product);
    }
    ptrdiff_t block = channel / PM_BLOCK, slot = pixel * PM_BLOCK + channel % PM_BLOCK;
    double residual = t->residual ? t->residual[block * t->residual_block + slot] : 0;
    double value = fmin(fmax(sum * t->scale[channel] + t->shift[channel] + residual, t->low), t->high);
    double bound =
        ldexp((terms + 4) * (magnitude * fabs(t->scale[channel]) + fabs(t->shift[channel]) + fabs(residual)), -24);
    float found = t->output[block * t->output_block + slot];
    if (!(fabs(found - value) <= bound))
        fail_msg("%s, %d pixels, %d segments: pixel %d, channel %d is %.9g instead "
                 "of %.9g",
                 c->tiling->name, c->pixels, c->segments, pixel, channel, found, value);
}

static void check_tile(const struct tile_case *c) {
    struct tile_memory m;
    set_up(c, &m);
    c->tiling->kernels[c->pixels - 1](&m.tile);
    for (int pixel = 0; pixel < c->pixels; pixel++)
        for (int channel = 0; channel < c->tiling->blocks * PM_BLOCK; channel++) check_output(c, &m, pixel, channel);
    check_gaps(c->tiling, &m.tile);
    check_alone(c->tiling, &m.tile, c->pixels, c->distance);
    tear_down(&m);
}

/* Strides of 1 to 3 pixels. */
static void check_tiling(const struct pm_conv_tiling *tiling) {
    static const int segments[] = {1, 2, 3, SEGMENTS_MAX};
    for (int pixels = 1; pixels <= tiling->pixels; pixels++)
        for (int s = 0; s < 4; s++)
            for (int stride = 1; stride <= 3; stride++)
                for (int way = 0; way < 8; way++)
                    check_tile(&(struct tile_case){tiling, pixels, segments[s], way & 1, way >> 1 & 1, way >> 2,
                                                   stride * PM_BLOCK});
}

static void check_table(const struct pm_bf16_kernels *kernels) {
    int narrow = 0;
    for (int i = 0; i < PM_CONV_TILINGS_MAX && kernels->conv[i].name; i++) {
        check_tiling(&kernels->conv[i]);
        narrow += kernels->conv[i].blocks == 1 && kernels->conv[i].input_pixel == 0;
    }
    kernels->release();
    assert_int_equal(narrow, 1); /* some tiling must take what is left */
}

static void test_tiles(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    check_table(&pm_bf16_kernels_emulated);
    print_message("           the CPU's own: %s\n", pm_cpu_allows_amx() ? "checked" : "skipped, it has none");
    if (pm_cpu_allows_amx()) check_table(&pm_bf16_kernels_amx);
}

/* ---- the registers' state ---- */

static void run_tile(int pixels) {
    struct tile_case c = {pm_bf16_kernels_emulated.conv, pixels, 2, 0, 0, 0, PM_BLOCK};
    struct tile_memory m;
    set_up(&c, &m);
    c.tiling->kernels[pixels - 1](&m.tile);
    tear_down(&m);
}

/* Shapes are loaded for another number of pixels alone, and again after they were given up. */
static void test_shapes_are_kept_until_release(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    pm_bf16_kernels_emulated.release();
    long before = amx_counts().configurations;
    static const int pixels[] = {25, 25, 24, 24, 25};
    static const long loaded[] = {1, 1, 2, 2, 3};
    for (int i = 0; i < 5; i++) {
        run_tile(pixels[i]);
        assert_int_equal(amx_counts().configurations - before, loaded[i]);
    }
    for (int i = 0; i < 2; i++) {
        pm_bf16_kernels_emulated.release();
        assert_int_equal(amx_counts().configured, 0);
    }
    run_tile(25);
    assert_int_equal(amx_counts().configurations - before, 4);
    pm_bf16_kernels_emulated.release();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_shapes_are_kept_until_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
