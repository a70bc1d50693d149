/* SPDX-License-Identifier: Apache-2.0 */

/* Every routine of every table that this CPU runs, against naive fp64 loops. All memory lies against a guard page, once
 * at its end and once at its beginning.
 *
 * Bounds. A sum of n products in fp32 differs from the exact one by at most about n / 2 x 2^-23 x (sum of |products|);
 * the epilogue rounds a few times more. A sum in fp64 is rounded once, when it is stored: 2^-24 of its value, and 1e-13
 * of the magnitude for what fp64 itself loses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "kernels/inner.h"
#include "tile_checks.h"

#define HALF_ULP (1.0 / (1 << 24))
#define MAX_SEGMENTS 5
#define BEGINS 2

static double clamp(double value, double low, double high) { return fmin(fmax(value, low), high); }

/* What a result should be, and by how much it may miss that. */
struct expected {
    double value, bound;
};

/* Roundings of a number on its way to the result: precise sums in fp32 are of three rows of three products. */
static double roundings(enum pm_sums sums, ptrdiff_t terms) {
    return (double)(sums == PM_SUMS_PRECISE ? terms / 3 + 6 : terms + 4);
}

/* sum x scale + shift + residual, clamped; `magnitude` is the sum of |products|, `terms` their number. */
static struct expected finish(double sum, double magnitude, ptrdiff_t terms, enum pm_sums sums, double scale,
                              double shift, double residual, double low, double high) {
    double value = sum * scale + shift + residual;
    double whole = magnitude * fabs(scale) + fabs(shift) + fabs(residual);
    double bound = HALF_ULP * roundings(sums, terms) * whole;
    if (sums == PM_SUMS_FP64) bound = HALF_ULP * fabs(value) * 1.0001 + 1e-13 * whole;
    return (struct expected){clamp(value, low, high), bound};
}

static void check(float found, struct expected expected, const char *name) {
    double difference = fabs(found - expected.value);
    if (!(difference <= expected.bound))
        fail_msg("%s: %.9g instead of %.9g, off by %g; %g is allowed", name, found, expected.value, difference,
                 expected.bound);
}

/* ---- convolution ---- */

struct conv_case {
    const struct pm_conv_tiling *tiling;
    const struct pm_conv_inner *inner; /* what a tiling of inner products is of */
    int pixels, segments, residual, begins, clamped, at_end;
    ptrdiff_t distance;
    ptrdiff_t lengths[MAX_SEGMENTS];
};

/* All memory of one case; output, residual and beginning have a gap between their blocks, which nobody may write to. */
struct conv_memory {
    struct guarded input, own, weights, scale, shift, residual, begin[BEGINS], output;
    struct pm_segment segments[MAX_SEGMENTS];
    struct pm_conv_begin begins[BEGINS];
    struct pm_conv_tile tile;
    ptrdiff_t depth, output_floats;
    int outputs; /* channels */
};

static double own_product(const float *line) {
    double sum = 0;
    for (int k = 0; k < PM_INNER_PAIRS; k++) sum += (double)line[k] * line[k + PM_INNER_PAIRS];
    return sum;
}

/* Of all whole lines of the input: the negative of their pairs' products. */
static void make_own(const struct conv_case *c, ptrdiff_t floats, struct conv_memory *m) {
    const ptrdiff_t lines = floats / PM_BLOCK;
    m->own = guarded_floats((size_t)lines, c->at_end);
    c->inner->own(m->own.data, m->input.data, lines);
    for (ptrdiff_t l = 0; l < lines; l++)
        assert_true(fabs(m->own.data[l] + own_product(m->input.data + l * PM_BLOCK)) <=
                    HALF_ULP * PM_INNER_PAIRS * PM_INNER_PAIRS);
    m->tile.own = m->own.data;
}

static struct conv_memory set_up(const struct conv_case *c) {
    struct conv_memory m = {.outputs = (int)pm_tiling_outputs(c->tiling)};
    ptrdiff_t end = 0, pixels = (ptrdiff_t)c->pixels * PM_BLOCK, blocks = c->tiling->blocks;
    for (int s = 0; s < c->segments; s++) { /* one plane after the other, so that the last read is the last float */
        m.segments[s] = (struct pm_segment){end, c->lengths[s]};
        end += (c->pixels - 1) * c->distance + c->lengths[s];
        m.depth += c->lengths[s];
    }
    ptrdiff_t output_block = pixels + GAP, residual_block = pixels + 2 * GAP;
    m.output_floats = (blocks - 1) * output_block + pixels;
    m.input = random_floats((size_t)end, c->at_end);
    m.weights = random_floats((size_t)(m.depth * m.outputs), c->at_end);
    m.scale = random_floats((size_t)m.outputs, c->at_end);
    m.shift = random_floats((size_t)m.outputs, c->at_end);
    m.residual = random_floats((size_t)((blocks - 1) * residual_block + pixels), c->at_end);
    for (int b = 0; b < c->begins; b++) {
        ptrdiff_t block = pixels + (3 + b) * GAP;
        m.begin[b] = random_floats((size_t)((blocks - 1) * block + pixels), c->at_end);
        m.begins[b] = (struct pm_conv_begin){m.begin[b].data, block};
    }
    m.output = guarded_floats((size_t)m.output_floats, c->at_end);
    for (ptrdiff_t i = 0; i < m.output_floats; i++) m.output.data[i] = UNTOUCHED;
    m.tile = (struct pm_conv_tile){.input = m.input.data,
                                   .weights = m.weights.data,
                                   .scale = m.scale.data,
                                   .shift = m.shift.data,
                                   .residual = c->residual ? m.residual.data : NULL,
                                   .output = m.output.data,
                                   .segment_count = c->segments,
                                   .partial_segments = 1 + c->segments % 3,
                                   .odd_segments = c->segments % 2,
                                   .input_pixel = c->distance,
                                   .output_block = output_block,
                                   .residual_block = residual_block,
                                   .begin_count = c->begins,
                                   .low = c->clamped ? 0 : -INFINITY,
                                   .high = c->clamped ? 0.5f : INFINITY};
    if (c->inner) make_own(c, end, &m);
    else m.own = guarded_floats(0, c->at_end);
    return m;
}

static void tear_down(struct conv_memory *m) {
    struct guarded *all[] = {&m->input, &m->own, &m->weights, &m->scale, &m->shift, &m->residual, &m->output};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
    for (int b = 0; b < m->tile.begin_count; b++) free_guarded(&m->begin[b]);
}

/* What inner products leave in a sum: the products of a block's weights with each other, and of numbers and weights as
 * large as their sums. */
static void add_pairs(const float *x, const float *weight, ptrdiff_t outputs, double *sum, double *magnitude) {
    for (int k = 0; k < PM_INNER_PAIRS; k++) {
        const int l = k + PM_INNER_PAIRS;
        const double w = weight[k * outputs], v = weight[l * outputs];
        *sum += w * v;
        *magnitude += (fabs(x[k]) + fabs(v)) * (fabs(x[l]) + fabs(w)) + fabs((double)x[k] * x[l]);
    }
}

static struct expected expect_conv(const struct conv_case *c, const struct conv_memory *m, enum pm_sums sums, int pixel,
                                   int channel) {
    double sum = 0, magnitude = 0;
    const float *weight = m->weights.data + channel;
    for (int b = 0; b < c->begins; b++) {
        const struct pm_conv_begin *begin = &m->begins[b];
        float number = begin->numbers[channel / PM_BLOCK * begin->block + pixel * PM_BLOCK + channel % PM_BLOCK];
        sum += number;
        magnitude += fabs(number);
    }
    for (int s = 0; s < c->segments; s++) {
        const float *x = m->input.data + m->segments[s].offset + pixel * c->distance;
        if (c->inner && c->lengths[s] == PM_BLOCK) add_pairs(x, weight, m->outputs, &sum, &magnitude);
        for (ptrdiff_t k = 0; k < c->lengths[s]; k++, weight += m->outputs) {
            double product = (double)x[k] * *weight;
            sum += product;
            magnitude += fabs(product);
        }
    }
    ptrdiff_t slot = channel / PM_BLOCK * m->tile.residual_block + pixel * PM_BLOCK + channel % PM_BLOCK;
    return finish(sum, magnitude, m->depth + BEGINS, sums, m->scale.data[channel], m->shift.data[channel],
                  c->residual ? m->residual.data[slot] : 0, m->tile.low, m->tile.high);
}

/* A turning kernel that goes back to the first windows gives their bits again, GAP floats behind those before. */
static void check_turning(const struct conv_case *c, const struct conv_memory *m) {
    float turned[PM_CONV_PIXELS_MAX * PM_BLOCK + GAP], sums[BEGINS][PM_CONV_PIXELS_MAX * PM_BLOCK + GAP];
    struct pm_conv_begin begins[BEGINS];
    for (int b = 0; b < BEGINS; b++) begins[b] = (struct pm_conv_begin){sums[b], 0};
    assert_int_equal(c->tiling->blocks, 1);
    for (int turn = 1; turn < c->pixels; turn++) {
        struct pm_conv_tile tile = m->tile;
        tile.segments = m->segments;
        tile.turn = turn;
        tile.input_turn = -turn * c->distance;
        tile.residual_turn = -turn * PM_BLOCK;
        tile.output_turn = GAP;
        tile.output = turned;
        for (int pixel = 0; pixel < c->begins * c->pixels; pixel++) {
            int b = pixel / c->pixels, at = pixel % c->pixels, again = at < turn ? at : at - turn;
            memcpy(sums[b] + at * PM_BLOCK + (at < turn ? 0 : GAP), m->begin[b].data + again * PM_BLOCK,
                   PM_BLOCK * sizeof(float));
        }
        tile.begins = begins;
        c->tiling->turning[c->pixels - 1](&tile);
        for (int pixel = 0; pixel < c->pixels; pixel++) {
            int again = pixel < turn ? pixel : pixel - turn;
            assert_memory_equal(turned + pixel * PM_BLOCK + (pixel < turn ? 0 : GAP), m->output.data + again * PM_BLOCK,
                                PM_BLOCK * sizeof(float));
        }
    }
}

static void check_conv(const struct conv_case *c, int scalar) {
    struct conv_memory m = set_up(c);
    m.tile.segments = m.segments;
    m.tile.begins = m.begins;
    c->tiling->kernels[c->pixels - 1](&m.tile);
    for (int pixel = 0; pixel < c->pixels; pixel++)
        for (int channel = 0; channel < m.outputs; channel++)
            check(m.output.data[channel / PM_BLOCK * m.tile.output_block + pixel * PM_BLOCK + channel % PM_BLOCK],
                  expect_conv(c, &m, scalar ? PM_SUMS_FP64 : c->tiling->sums, pixel, channel), c->tiling->name);
    for (int slot = m.outputs; slot < c->tiling->blocks * PM_BLOCK; slot++) /* of a half */
        for (int pixel = 0; pixel < c->pixels; pixel++)
            assert_true(m.output.data[slot / PM_BLOCK * m.tile.output_block + pixel * PM_BLOCK + slot % PM_BLOCK] == 0);
    check_gaps(c->tiling, &m.tile);
    check_alone(c->tiling, &m.tile, c->pixels, c->distance);
    if (c->tiling->turning) check_turning(c, &m);
    tear_down(&m);
}

/* Windows as the layers make them: full blocks, a partial last one, kernel rows of an RGB map, single floats. */
static const struct {
    int segments;
    ptrdiff_t lengths[MAX_SEGMENTS];
} windows[] = {
    {1, {16}}, {2, {16, 16}}, {3, {16, 16, 8}}, {4, {16, 16, 16, 16}}, {5, {16, 16, 16, 16, 1}},  {0, {0}},
    {1, {1}},  {1, {3}},      {2, {11, 7}},     {3, {9, 9, 9}},        {5, {21, 21, 21, 21, 21}},
};

static int check_tiling(const struct pm_conv_tiling *tiling, const struct pm_conv_inner *inner, int scalar) {
    static const ptrdiff_t any[] = {16, 32, 48, 3, 6, 9, 1};
    int cases = 0;
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (int pixels = 1; pixels <= tiling->pixels; pixels++)
            for (size_t d = 0; d < (tiling->input_pixel ? 1 : sizeof any / sizeof *any); d++)
                for (int way = 0; way < (scalar || pm_sums_are_precise(tiling->sums) ? 1 : 1 + BEGINS) * 8;
                     way++, cases++) {
                    struct conv_case c = {.tiling = tiling,
                                          .inner = inner,
                                          .pixels = pixels,
                                          .segments = windows[w].segments,
                                          .residual = way & 1,
                                          .clamped = way >> 1 & 1,
                                          .at_end = way >> 2 & 1,
                                          .begins = way >> 3,
                                          .distance = tiling->input_pixel ? tiling->input_pixel : any[d]};
                    memcpy(c.lengths, windows[w].lengths, sizeof c.lengths);
                    check_conv(&c, scalar);
                }
    return cases;
}

static void check_conv_rows(const struct pm_kernels *kernels) {
    int precise = 0, plain = 0;
    for (int i = 0; i < PM_CONV_TILINGS_MAX && kernels->conv[i].name; i++) {
        const struct pm_conv_tiling *tiling = &kernels->conv[i];
        assert_in_range(tiling->pixels, 1, PM_CONV_PIXELS_MAX);
        assert_in_range(tiling->blocks * PM_BLOCK, PM_BLOCK, PM_CONV_BLOCKS_MAX * PM_BLOCK);
        int cases = check_tiling(tiling, NULL, kernels->level == PM_CPU_SCALAR);
        print_message("           %s%s: %d cases\n", tiling->name,
                      pm_sums_are_precise(tiling->sums) ? " (precise)" : "", cases);
        /* Some row must take one block at any distance. */
        if (tiling->blocks == 1 && tiling->input_pixel == 0) ++*(pm_sums_are_precise(tiling->sums) ? &precise : &plain);
    }
    assert_true(precise && plain);
    const struct pm_conv_tiling *halves[] = {kernels->half, kernels->broad_half};
    for (int i = 0; i < 2; i++)
        if (halves[i]) print_message("           %s: %d cases\n", halves[i]->name, check_tiling(halves[i], NULL, 0));
    const struct pm_conv_inner *inner = kernels->inner;
    const struct pm_conv_tiling *inners[] = {inner ? &inner->broad : NULL, inner ? &inner->narrow : NULL};
    for (int i = 0; inner && i < 2; i++)
        print_message("           %s: %d cases\n", inners[i]->name, check_tiling(inners[i], inner, 0));
}

/* ---- depthwise ---- */

struct depthwise_case {
    int height, width, pixels, clamped, at_end;
    ptrdiff_t tap, pixel;
};

/* fp32 takes a pixel of the window, which is of order one here, off each input, and adds it times the sum of the taps.
 */
static struct expected expect_depthwise(const struct depthwise_case *c, const struct pm_depthwise_row *r,
                                        enum pm_sums sums, int i) {
    double sum = 0, magnitude = 0;
    const float *origin = r->input + i / PM_BLOCK * c->pixel + i % PM_BLOCK;
    for (int tap = 0; tap < c->height * c->width; tap++) {
        double x = origin[tap / c->width * r->input_row + tap % c->width * c->tap];
        double weight = r->weights[tap * PM_BLOCK + i % PM_BLOCK];
        sum += x * weight;
        magnitude += (fabs(x) + 2) * fabs(weight);
    }
    return finish(sum, magnitude, c->height * c->width, sums, r->scale[i % PM_BLOCK], r->shift[i % PM_BLOCK], 0, r->low,
                  r->high);
}

static struct guarded sums_of_taps(const float *weights, int taps, int at_end) {
    struct guarded total = guarded_floats(PM_BLOCK, at_end);
    for (int c = 0; c < PM_BLOCK; c++) {
        double sum = 0;
        for (int tap = 0; tap < taps; tap++) sum += weights[tap * PM_BLOCK + c];
        total.data[c] = (float)sum;
    }
    return total;
}

static void check_depthwise(const struct pm_depthwise_variant *variant, const struct depthwise_case *c,
                            enum pm_sums sums) {
    ptrdiff_t span = (c->width - 1) * c->tap + (c->pixels - 1) * c->pixel, row = span + 2 * PM_BLOCK;
    struct guarded input = random_floats((size_t)((c->height - 1) * row + span + PM_BLOCK), c->at_end);
    struct guarded weights = random_floats((size_t)(c->height * c->width) * PM_BLOCK, c->at_end);
    struct guarded total = sums_of_taps(weights.data, c->height * c->width, c->at_end);
    struct guarded epilogue = random_floats(2 * PM_BLOCK, c->at_end);
    struct guarded output = guarded_floats((size_t)c->pixels * PM_BLOCK, c->at_end);
    struct pm_depthwise_row r = {.input = input.data,
                                 .weights = weights.data,
                                 .total = total.data,
                                 .scale = epilogue.data,
                                 .shift = epilogue.data + PM_BLOCK,
                                 .output = output.data,
                                 .pixels = c->pixels,
                                 .input_row = row,
                                 .input_tap = c->tap,
                                 .input_pixel = c->pixel,
                                 .kernel_height = c->height,
                                 .kernel_width = c->width,
                                 .low = c->clamped ? 0 : -INFINITY,
                                 .high = c->clamped ? 0.5f : INFINITY};
    variant->run(&r);
    for (int i = 0; i < c->pixels * PM_BLOCK; i++)
        check(output.data[i], expect_depthwise(c, &r, sums, i), variant->name);
    for (int i = 0; i < c->pixels; i++) { /* alone: the same bits */
        float alone[PM_BLOCK];
        struct pm_depthwise_row one = r;
        one.input += i * c->pixel;
        one.output = alone;
        one.pixels = 1;
        variant->run(&one);
        assert_memory_equal(alone, output.data + i * PM_BLOCK, sizeof alone);
    }
    struct guarded *all[] = {&input, &weights, &total, &epilogue, &output};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

/* Every window that the variant takes. */
static void check_variant(const struct pm_depthwise_variant *variant, enum pm_sums sums) {
    static const int shapes[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {2, 4}, {1, 7}, {7, 1}};
    for (size_t s = 0; s < (variant->kernel ? 1 : sizeof shapes / sizeof *shapes); s++)
        for (int pixels = 1; pixels <= 23; pixels++)
            for (int way = 0; way < 4; way++)
                for (int spread = 1; spread <= 3; spread++) { /* dilation and stride, in pixels */
                    struct depthwise_case c = {shapes[s][0],      shapes[s][1],           pixels, way & 1, way >> 1,
                                               spread * PM_BLOCK, (4 - spread) * PM_BLOCK};
                    if (variant->kernel) {
                        c.height = c.width = variant->kernel;
                        c.tap = PM_BLOCK;
                        c.pixel = variant->input_pixel;
                    }
                    check_depthwise(variant, &c, sums);
                }
    print_message("           %s\n", variant->name);
}

static void check_depthwise_rows(const struct pm_kernels *kernels) {
    int precise = 0, plain = 0;
    for (int i = 0; i < PM_DEPTHWISE_VARIANTS_MAX && kernels->depthwise[i].name; i++) {
        const struct pm_depthwise_variant *variant = &kernels->depthwise[i];
        check_variant(variant, kernels->level == PM_CPU_SCALAR ? PM_SUMS_FP64 : variant->sums);
        if (variant->kernel == 0) ++*(pm_sums_are_precise(variant->sums) ? &precise : &plain); /* takes any window */
    }
    assert_true(precise && plain);
}

/* ---- element by element ---- */

static void check_pair(const struct pm_kernels *kernels, int product, ptrdiff_t count, int at_end, int in_place) {
    struct guarded a = random_floats((size_t)count, at_end), b = random_floats((size_t)count, at_end);
    struct guarded out = guarded_floats((size_t)count, at_end), first = guarded_floats((size_t)count, at_end);
    memcpy(first.data, a.data, (size_t)count * sizeof(float));
    float *to = in_place ? a.data : out.data;
    (product ? kernels->multiply : kernels->add)(to, a.data, b.data, count, -0.5f, 1);
    for (ptrdiff_t i = 0; i < count; i++) {
        float x = first.data[i], y = b.data[i]; /* one rounding: the same everywhere */
        assert_true(to[i] == (float)clamp(product ? x * y : x + y, -0.5, 1));
    }
    free_guarded(&a);
    free_guarded(&b);
    free_guarded(&out);
    free_guarded(&first);
}

static void check_affine(const struct pm_kernels *kernels, ptrdiff_t pixels, int at_end) {
    size_t count = (size_t)pixels * PM_BLOCK;
    struct guarded in = random_floats(count, at_end), out = guarded_floats(count, at_end);
    struct guarded scale = random_floats(PM_BLOCK, at_end), shift = random_floats(PM_BLOCK, at_end);
    kernels->affine(out.data, in.data, scale.data, shift.data, pixels, 0, INFINITY);
    for (size_t i = 0; i < count; i++) {
        double x = in.data[i], c = scale.data[i % PM_BLOCK];
        check(out.data[i], finish(x * c, fabs(x * c), 0, 0, 1, shift.data[i % PM_BLOCK], 0, 0, INFINITY), "affine");
    }
    free_guarded(&in);
    free_guarded(&out);
    free_guarded(&scale);
    free_guarded(&shift);
}

static void check_pooling(const struct pm_kernels *kernels, ptrdiff_t pixels, int at_end) {
    size_t count = (size_t)pixels * PM_BLOCK;
    struct guarded in = random_floats(count, at_end), sums = random_floats(PM_BLOCK, at_end);
    struct guarded tops = random_floats(PM_BLOCK, at_end);
    double sum[PM_BLOCK], magnitude[PM_BLOCK];
    float top[PM_BLOCK];
    for (int c = 0; c < PM_BLOCK; c++) {
        sum[c] = sums.data[c];
        magnitude[c] = fabs(sum[c]);
        top[c] = tops.data[c];
    }
    for (size_t i = 0; i < count; i++) {
        sum[i % PM_BLOCK] += in.data[i];
        magnitude[i % PM_BLOCK] += fabsf(in.data[i]);
        top[i % PM_BLOCK] = fmaxf(top[i % PM_BLOCK], in.data[i]);
    }
    kernels->sum(sums.data, in.data, pixels);
    kernels->maximum(tops.data, in.data, pixels);
    for (int c = 0; c < PM_BLOCK; c++) {
        check(sums.data[c], finish(sum[c], magnitude[c], pixels, 0, 1, 0, 0, -INFINITY, INFINITY), "sum");
        assert_true(tops.data[c] == top[c]);
    }
    free_guarded(&in);
    free_guarded(&sums);
    free_guarded(&tops);
}

static void check_elements(const struct pm_kernels *kernels) {
    for (ptrdiff_t pixels = 1; pixels <= 20; pixels++)
        for (int at_end = 0; at_end < 2; at_end++) {
            for (int way = 0; way < 4; way++) check_pair(kernels, way & 1, pixels * PM_BLOCK, at_end, way >> 1);
            check_affine(kernels, pixels, at_end);
            check_pooling(kernels, pixels, at_end);
        }
    assert_true(kernels->peak(1000) > 0);
}

/* ---- tables ---- */

static void each_table(void (*check_table)(const struct pm_kernels *kernels)) {
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    assert_true(count >= 1);
    for (int i = 0; i < count; i++) check_table(tables[i]);
}

static void test_conv(void **state) {
    (void)state;
    each_table(check_conv_rows);
}

static void test_depthwise(void **state) {
    (void)state;
    each_table(check_depthwise_rows);
}

static void test_elements(void **state) {
    (void)state;
    each_table(check_elements);
}

/* The list ascends from the portable table, whatever was compiled; each table answers to its own level. */
static void test_tables(void **state) {
    (void)state;
    int count, all = 0;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
#define PM_KERNELS(name) all++;
#include "kernels/kernels.def"
#undef PM_KERNELS
    for (int i = count; i < all; i++) print_message("skipped: this CPU has no %s\n", tables[i]->name);
    assert_int_equal(tables[0]->level, PM_CPU_SCALAR);
    for (int i = 0; i < count; i++) {
        assert_ptr_equal(pm_kernels_at_most(tables[i]->level), tables[i]);
        assert_string_equal(tables[i]->name, pm_cpu_name(tables[i]->level));
        if (i) assert_true(tables[i]->level > tables[i - 1]->level);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
