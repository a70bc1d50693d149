/* SPDX-License-Identifier: Apache-2.0 */

/* Kernels of fixed-point numbers (kernels/fixed.h) near guard pages, against arithmetic in 64 bits: how numbers become
 * such, of all sizes, and tiles, whose sums are exact up to the greatest that are promised. */
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
#include "kernels/digits.h"
#include "layers/conv_fixed.h"
#include "tile_checks.h"
#include "whole_nets.h"

#define MAX_BLOCKS 5
#define MAX_NUMBER (1 << PM_FIXED_BITS)

/* Where CPU and POMONA_CPU have bf16; they have VNNI, too. */
static const struct pm_fixed_kernels *kernels(void) {
    const struct pm_bf16_kernels *bf16 = pm_bf16_kernels();
    if (!bf16 || !bf16->fixed || pm_cpu_allowed() < PM_CPU_VNNI) {
        print_message("this CPU, or POMONA_CPU, has no fixed-point kernels\n");
        skip();
    }
    return bf16->fixed;
}

/* The number that is in `fixed`, without its bias. */
static int number_of(float fixed, int odd) {
    int16_t numbers[2];
    memcpy(numbers, &fixed, sizeof numbers);
    return odd ? numbers[1] : numbers[0] - PM_FIXED_BIAS;
}

static int32_t bits_of(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* ---- enter ---- */

struct enter_case {
    int pixels, blocks, at_end;
    uint16_t lanes[MAX_BLOCKS];
    ptrdiff_t block;
    struct guarded lines, own, units;
};

static float *pair_at(const struct enter_case *c, int pixel, int pair) {
    return &c->lines.data[pair / PM_BLOCK * c->block + pixel * PM_BLOCK + pair % PM_BLOCK];
}

static int is_there(const struct enter_case *c, int pair) { return c->lanes[pair / PM_BLOCK] >> pair % PM_BLOCK & 1; }

/* Numbers of a pixel between 2^-24 and 1 of its size, of which one has the size itself; larger ones in lanes that do
 * not count. */
static void fill(const struct enter_case *c, int pixel, float size) {
    for (int p = 0; p < c->blocks * PM_BLOCK; p++) {
        float even = ldexpf(random_float() * size, -(p * 7 % 24)), odd = ldexpf(random_float() * size, -(p * 5 % 24));
        *pair_at(c, pixel, p) = is_there(c, p) ? pm_bf16_pair(even, odd) : pm_bf16_pair(2.5e38f, -3e38f);
    }
    *pair_at(c, pixel, 0) = pm_bf16_pair(pixel % 3 ? 0 : size, pixel % 3 ? -size : 0);
}

static float size_of(int pixel) {
    static const float sizes[] = {1, 0, 3e38f, 1e-30f, 0.75f, 255, 1e-38f, 1e-40f, 6, 1e30f, 1023.9f};
    return sizes[pixel % (int)(sizeof sizes / sizeof *sizes)];
}

/* The last block has so many pairs; with a `gap`, the first one lacks the last pairs as well. */
static struct enter_case begin_enter(int pixels, int blocks, int pairs, int gap, int at_end) {
    struct enter_case c = {.pixels = pixels, .blocks = blocks, .at_end = at_end, .block = (pixels + 1) * PM_BLOCK};
    for (int b = 0; b < blocks; b++) c.lanes[b] = 0xffff;
    c.lanes[0] = (uint16_t)(0xffff >> gap);
    c.lanes[blocks - 1] &= (uint16_t)(0xffff >> (PM_BLOCK - pairs));
    c.lines = guarded_floats((size_t)((blocks - 1) * c.block + pixels * PM_BLOCK), at_end);
    c.own = guarded_floats((size_t)pixels, at_end);
    c.units = guarded_floats((size_t)pixels, at_end);
    for (int i = 0; i < pixels; i++) fill(&c, i, size_of(i));
    return c;
}

static void enter(const struct enter_case *c) {
    const struct pm_fixed_lines lines = {.pairs = c->lines.data,
                                         .pixels = c->pixels,
                                         .blocks = c->blocks,
                                         .block = c->block,
                                         .lanes = c->lanes,
                                         .own = c->own.data,
                                         .units = c->units.data};
    kernels()->enter(&lines);
}

static void end_enter(struct enter_case *c) {
    free_guarded(&c->lines);
    free_guarded(&c->own);
    free_guarded(&c->units);
}

/* The power of two by which the greatest number is below MAX_NUMBER and at least half of it; numbers too small for that
 * have the least one. */
static double unit_of(double greatest) {
    int exponent;
    frexp(greatest, &exponent);
    const double unit = ldexp(1, exponent - PM_FIXED_BITS), least = ldexp(1, -126);
    return greatest == 0 || unit < least ? least : unit;
}

/* With their bias; of lines that have all partners. */
static uint32_t own_of(const struct enter_case *c, int pixel) {
    uint32_t own = 0;
    for (int block = 0; block < c->blocks; block++)
        for (int k = 0; k < PM_FIXED_PAIRS; k++)
            for (int odd = 0; odd < 2; odd++) {
                const float *line = pair_at(c, pixel, block * PM_BLOCK);
                const int bias = odd ? 0 : PM_FIXED_BIAS;
                if ((c->lanes[block] & 0xfff) != 0xfff) continue;
                own += (uint32_t)((number_of(line[k], odd) + bias) * (number_of(line[k + PM_FIXED_PAIRS], odd) + bias));
            }
    return own;
}

static void check_enter(int pixels, int blocks, int pairs, int gap, int at_end) {
    struct enter_case before = begin_enter(pixels, blocks, pairs, gap, at_end), c = before;
    const size_t floats = (size_t)((blocks - 1) * c.block + pixels * PM_BLOCK);
    c.lines = guarded_floats(floats, at_end);
    memcpy(c.lines.data, before.lines.data, floats * sizeof(float));
    enter(&c);
    for (int i = 0; i < pixels; i++) {
        double greatest = 0;
        for (int n = 0; n < 2 * blocks * PM_BLOCK; n++)
            if (is_there(&c, n / 2)) greatest = fmax(greatest, fabs(half_of(*pair_at(&before, i, n / 2), n % 2)));
        const double unit = unit_of(greatest);
        assert_true(c.units.data[i] == unit);
        for (int n = 0; n < 2 * blocks * PM_BLOCK; n++) {
            if (!is_there(&c, n / 2)) continue;
            const double value = half_of(*pair_at(&before, i, n / 2), n % 2);
            const int number = number_of(*pair_at(&c, i, n / 2), n % 2);
            assert_in_range(number + MAX_NUMBER, 0, 2 * MAX_NUMBER);
            assert_true(fabs(number * unit - value) <= 0.501 * unit);
            if (fabs(value) >= greatest / 32) assert_true(number * unit == value || unit == ldexp(1, -126));
        }
        assert_int_equal((uint32_t)bits_of(c.own.data[i]), (uint32_t)-own_of(&c, i));
    }
    free_guarded(&before.lines);
    end_enter(&c);
}

static void test_enter(void **state) {
    (void)state;
    kernels();
    for (int pixels = 1; pixels <= 40; pixels += pixels < 18 ? 1 : 11)
        for (int blocks = 1; blocks <= MAX_BLOCKS; blocks++)
            for (int pairs = 1; pairs <= PM_BLOCK; pairs += 3)
                check_enter(pixels, blocks, pairs, (pixels + blocks) % 6, (pixels + pairs) % 2);
}

/* Of one pixel; its neighbours know nothing of it. */
static void test_not_finite(void **state) {
    (void)state;
    kernels();
    static const float kinds[] = {INFINITY, -INFINITY, NAN};
    for (int kind = 0; kind < 3; kind++)
        for (int odd = 0; odd < 2; odd++) {
            struct enter_case c = begin_enter(21, 3, 9, 0, odd);
            *pair_at(&c, 5, 20) = pm_bf16_pair(odd ? 0 : kinds[kind], odd ? kinds[kind] : 0);
            enter(&c);
            for (int i = 0; i < c.pixels; i++) assert_int_equal(isnan(c.units.data[i]), i == 5);
            end_enter(&c);
        }
}

/* ---- tiles ---- */

struct tile_case {
    const struct pm_conv_tiling *tiling;
    int pixels, segments, residual, clamped, extreme;
    ptrdiff_t lengths[MAX_BLOCKS];
};

struct tile_memory {
    struct guarded input, own, packed, residual, output;
    struct pm_segment segments[MAX_BLOCKS];
    struct pm_conv_tile tile;
    int16_t weights[2 * MAX_BLOCKS * PM_BLOCK][PM_CONV_BLOCKS_MAX * PM_BLOCK];
    int channels, outputs;
};

/* Of one sign, as large as they may be together; or of any. */
static int weight_of(const struct tile_case *c, int channels) {
    const int most = (PM_FIXED_SUM - 1) / channels;
    const int limit = most < MAX_NUMBER ? most : MAX_NUMBER - 1;
    return c->extreme ? (c->extreme > 0 ? limit : -limit) : (int)(random_float() * (float)limit);
}

static void make_weights(const struct tile_case *c, struct tile_memory *m) {
    float *row = m->packed.data + 2 * m->outputs;
    for (int pair = 0; pair < m->channels / 2; pair++, row += m->outputs)
        for (int out = 0; out < m->outputs; out++) {
            int16_t *even = &m->weights[2 * pair][out], *odd = &m->weights[2 * pair + 1][out];
            *even = (int16_t)weight_of(c, m->channels);
            *odd = (int16_t)weight_of(c, m->channels);
            row[out] = pm_digit_pair(*even, *odd);
        }
    for (int i = 0; i < 2 * m->outputs; i++) m->packed.data[i] = random_float();
    struct pm_panel panel = {.tiling = c->tiling,
                             .segments = m->segments,
                             .segment_count = c->segments,
                             .depth = (uint64_t)m->channels / 2,
                             .starts = 1};
    pm_conv_fixed_pack(&(struct pm_panels){.count = 1, .list = &panel}, m->packed.data);
}

/* Lines whose last segment alone is short; numbers of bf16, or all of the greatest magnitude. */
static void make_input(const struct tile_case *c, struct tile_memory *m) {
    const ptrdiff_t block = (ptrdiff_t)c->pixels * PM_BLOCK;
    uint16_t lanes[MAX_BLOCKS];
    for (int s = 0; s < c->segments; s++) lanes[s] = (uint16_t)(0xffff >> (PM_BLOCK - c->lengths[s]));
    m->input = guarded_floats((size_t)(c->segments * block), 1);
    m->own = guarded_floats((size_t)(2 * c->pixels), 1);
    for (int s = 0; s < c->segments; s++)
        for (int i = 0; i < c->pixels; i++)
            for (int k = 0; k < c->lengths[s]; k++)
                m->input.data[s * block + i * PM_BLOCK + k] =
                    c->extreme ? pm_bf16_pair(0.99609375f, 0.99609375f) : pm_bf16_pair(random_float(), random_float());
    const struct pm_fixed_lines lines = {.pairs = m->input.data,
                                         .pixels = c->pixels,
                                         .blocks = c->segments,
                                         .block = block,
                                         .lanes = lanes,
                                         .own = m->own.data,
                                         .units = m->own.data + c->pixels};
    kernels()->enter(&lines);
}

static struct tile_memory begin_tile(const struct tile_case *c) {
    struct tile_memory m = {.outputs = (int)pm_tiling_outputs(c->tiling)};
    const ptrdiff_t pixels = (ptrdiff_t)c->pixels * PM_BLOCK, block = pixels + GAP, blocks = c->tiling->blocks;
    for (int s = 0; s < c->segments; s++) {
        m.segments[s] = (struct pm_segment){s * pixels, c->lengths[s]};
        m.channels += 2 * (int)c->lengths[s];
    }
    make_input(c, &m);
    m.packed = guarded_floats((size_t)((m.channels / 2 + 3) * m.outputs), 1);
    make_weights(c, &m);
    m.residual = random_floats((size_t)((blocks - 1) * block + pixels), 1);
    m.output = guarded_floats((size_t)((blocks - 1) * block + pixels), 1);
    for (ptrdiff_t i = 0; i < (blocks - 1) * block + pixels; i++) m.output.data[i] = UNTOUCHED;
    m.tile = (struct pm_conv_tile){.input = m.input.data,
                                   .weights = m.packed.data + 2 * m.outputs,
                                   .scale = m.packed.data,
                                   .shift = m.packed.data + m.outputs,
                                   .starts = m.packed.data + (m.channels / 2 + 2) * m.outputs,
                                   .own = m.own.data,
                                   .units = c->pixels,
                                   .residual = c->residual ? m.residual.data : NULL,
                                   .output = m.output.data,
                                   .segment_count = c->segments,
                                   .partial_segments = c->segments,
                                   .input_pixel = PM_BLOCK,
                                   .output_block = block,
                                   .residual_block = block,
                                   .low = c->clamped ? 0 : -INFINITY,
                                   .high = c->clamped ? 0.5f : INFINITY};
    return m;
}

/* The sum is exact and has 24 bits or is rounded once; unit, scale, shift and residual round once each. */
static void check_output(const struct tile_case *c, const struct tile_memory *m, int pixel, int out) {
    int64_t sum = 0;
    for (int n = 0; n < m->channels; n++) {
        const int s = n / 2 / PM_BLOCK;
        sum += (int64_t)m->weights[n][out] *
               number_of(m->input.data[m->segments[s].offset + pixel * PM_BLOCK + n / 2 % PM_BLOCK], n % 2);
    }
    assert_true(llabs(sum) < (int64_t)1 << 31);
    const ptrdiff_t slot = out / PM_BLOCK * m->tile.output_block + pixel * PM_BLOCK + out % PM_BLOCK;
    const double product = (double)sum * m->own.data[c->pixels + pixel] * m->tile.scale[out];
    const double residual = c->residual ? m->residual.data[slot] : 0, shift = m->tile.shift[out];
    const double expected = fmin(m->tile.high, fmax(m->tile.low, product + shift + residual));
    const double bound = 4 * ldexp(fabs(product) + fabs(shift) + fabs(residual), -24);
    if (!(fabs(m->output.data[slot] - expected) <= bound))
        fail_msg("%s: %.9g instead of %.9g", c->tiling->name, m->output.data[slot], expected);
}

static void check_tile(const struct tile_case *c) {
    struct tile_memory m = begin_tile(c);
    m.tile.segments = m.segments;
    c->tiling->kernels[c->pixels - 1](&m.tile);
    for (int pixel = 0; pixel < c->pixels; pixel++)
        for (int out = 0; out < m.outputs; out++) check_output(c, &m, pixel, out);
    check_gaps(c->tiling, &m.tile);
    check_alone(c->tiling, &m.tile, c->pixels, PM_BLOCK);
    struct guarded *all[] = {&m.input, &m.own, &m.packed, &m.residual, &m.output};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static void check_tiling(const struct pm_conv_tiling *tiling) {
    static const struct {
        int segments;
        ptrdiff_t lengths[MAX_BLOCKS];
    } inputs[] = {{1, {16}},         {2, {16, 16}}, {2, {16, 1}},
                  {3, {16, 16, 11}}, {2, {16, 12}}, {5, {16, 16, 16, 16, 15}},
                  {1, {12}},         {1, {5}},      {4, {16, 16, 16, 8}}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (int pixels = 1; pixels <= tiling->pixels; pixels++)
            for (int way = 0; way < 12; way++) {
                struct tile_case c = {.tiling = tiling,
                                      .pixels = pixels,
                                      .segments = inputs[i].segments,
                                      .residual = way & 1,
                                      .clamped = way >> 1 & 1,
                                      .extreme = way / 4 - 1};
                memcpy(c.lengths, inputs[i].lengths, sizeof c.lengths);
                check_tile(&c);
            }
}

static void test_tiles(void **state) {
    (void)state;
    check_tiling(&kernels()->broad);
    check_tiling(&kernels()->narrow);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_enter), cmocka_unit_test(test_not_finite),
                                       cmocka_unit_test(test_tiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
