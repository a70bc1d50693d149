/* SPDX-License-Identifier: Apache-2.0 */

/* The routines of pools, layer norms and Winograd's phases of every table that this CPU runs, against naive fp64 loops,
 * with all memory against a guard page at its end and at its beginning. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guarded.h"
#include "kernels/kernels.h"

#define BOUND 1e-6 /* a few roundings of numbers of order one */

static void check(float found, double value, double bound, const char *what) {
    if (!(fabs(found - value) <= bound)) fail_msg("%s: %.9g instead of %.9g", what, found, value);
}

/* ---- pools ---- */

static double pooled(const struct pm_pool_row *r, int i, int maximum) {
    const float *window = r->input + i / PM_BLOCK * r->input_pixel + i % PM_BLOCK;
    double sum = 0, top = -INFINITY;
    for (int tap = 0; tap < r->height * r->width; tap++) {
        float x = window[tap / r->width * r->input_row + tap % r->width * PM_BLOCK];
        sum += x;
        top = fmax(top, x);
    }
    double added = r->residual ? r->residual[i] : 0;
    double value = maximum ? (float)(top + added) : sum / r->divisor + added;
    return fmin(fmax(value, r->low), r->high);
}

static void check_pool(const struct pm_kernels *kernels, int height, int width, ptrdiff_t stride, ptrdiff_t pixels,
                       int at_end) {
    ptrdiff_t row = ((pixels - 1) * stride + width) * PM_BLOCK, gap = PM_BLOCK;
    struct guarded input = random_floats((size_t)((height - 1) * (row + gap) + row), at_end);
    struct guarded output = guarded_floats((size_t)pixels * PM_BLOCK, at_end);
    struct guarded residual = random_floats((size_t)pixels * PM_BLOCK, at_end);
    for (int way = 0; way < 4; way++) { /* the mean and the greatest, without a residual and with one */
        const int maximum = way % 2;
        struct pm_pool_row r = {.input = input.data,
                                .output = output.data,
                                .pixels = pixels,
                                .input_row = row + gap,
                                .input_pixel = stride * PM_BLOCK,
                                .height = height,
                                .width = width,
                                .divisor = (float)(height * width + 1),
                                .residual = way > 1 ? residual.data : NULL,
                                .low = -0.25f,
                                .high = 0.5f};
        (maximum ? kernels->max_pool : kernels->avg_pool)(&r);
        for (int i = 0; i < pixels * PM_BLOCK; i++)
            check(output.data[i], pooled(&r, i, maximum), maximum ? 0 : BOUND, maximum ? "max_pool" : "avg_pool");
    }
    free_guarded(&input);
    free_guarded(&residual);
    free_guarded(&output);
}

static void check_pools(const struct pm_kernels *kernels) {
    static const int windows[][2] = {{1, 1}, {2, 2}, {3, 3}, {2, 3}, {1, 5}, {4, 1}, {8, 8}};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (ptrdiff_t stride = 1; stride <= 4; stride++)
            for (ptrdiff_t pixels = 1; pixels <= 9; pixels++)
                for (int at_end = 0; at_end < 2; at_end++)
                    check_pool(kernels, windows[w][0], windows[w][1], stride, pixels, at_end);
}

/* ---- layer norm ---- */

static double normalised(const struct pm_norm_row *r, ptrdiff_t pixel, ptrdiff_t channel) {
    double mean = 0, variance = 0;
    const float *x = r->input + pixel * PM_BLOCK, *affine = r->affine + channel / PM_BLOCK * 2 * PM_BLOCK;
#define X(c) x[(c) / PM_BLOCK * r->input_block + (c) % PM_BLOCK]
    for (ptrdiff_t c = 0; c < r->channels; c++) mean += X(c) / (double)r->channels;
    for (ptrdiff_t c = 0; c < r->channels; c++) variance += pow(X(c) - mean, 2) / (double)r->channels;
    double normal = (X(channel) - mean) / sqrt(variance + r->epsilon);
#undef X
    double value = normal * affine[channel % PM_BLOCK] + affine[PM_BLOCK + channel % PM_BLOCK];
    return fmin(fmax(value, r->low), r->high);
}

/* Slots past the last channel hold what must not count. */
static void check_norm(const struct pm_kernels *kernels, ptrdiff_t channels, ptrdiff_t pixels, int at_end) {
    ptrdiff_t blocks = (channels + PM_BLOCK - 1) / PM_BLOCK, map = pixels * PM_BLOCK, gap = PM_BLOCK;
    struct guarded input = random_floats((size_t)((blocks - 1) * (map + gap) + map), at_end);
    struct guarded affine = random_floats((size_t)(blocks * 2 * PM_BLOCK), at_end);
    struct guarded output = guarded_floats((size_t)((blocks - 1) * (map + 2 * gap) + map), at_end);
    for (ptrdiff_t c = channels; c < blocks * PM_BLOCK; c++)
        for (ptrdiff_t p = 0; p < pixels; p++)
            input.data[c / PM_BLOCK * (map + gap) + p * PM_BLOCK + c % PM_BLOCK] = 1e30f;
    struct pm_norm_row r = {.input = input.data,
                            .affine = affine.data,
                            .output = output.data,
                            .pixels = pixels,
                            .channels = channels,
                            .input_block = map + gap,
                            .output_block = map + 2 * gap,
                            .epsilon = 0.01,
                            .low = -1,
                            .high = INFINITY};
    kernels->layer_norm(&r);
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t p = 0; p < pixels; p++)
            check(output.data[c / PM_BLOCK * r.output_block + p * PM_BLOCK + c % PM_BLOCK], normalised(&r, p, c),
                  10 * BOUND, "layer_norm");
    free_guarded(&input);
    free_guarded(&affine);
    free_guarded(&output);
}

static void check_norms(const struct pm_kernels *kernels) {
    static const ptrdiff_t channels[] = {1, 2, 15, 16, 17, 31, 96, 100, 385};
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
        for (ptrdiff_t pixels = 1; pixels <= 7; pixels += 2)
            for (int at_end = 0; at_end < 2; at_end++) check_norm(kernels, channels[c], pixels, at_end);
}

static void each_table(void (*check_table)(const struct pm_kernels *kernels)) {
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    assert_true(count >= 1);
    for (int i = 0; i < count; i++) check_table(tables[i]);
}

static void test_pools(void **state) {
    (void)state;
    each_table(check_pools);
}

static void test_norms(void **state) {
    (void)state;
    each_table(check_norms);
}

/* ---- phases ---- */

/* A patch of phases gives the values of a patch of blocks that holds the same pixels. Behind its last pixel lie the two
 * slots that it reads. */
static void check_phases(const struct pm_winograd_form *form, int at_end) {
    const int kernel = form->kernel, height = form->tile[0] + kernel - 1, width = form->tile[1] + kernel - 1;
    const int row = PM_PHASE_ROW * (width + 3), values = height * width;
    const int last = row * (PM_PHASES * height - 1) + PM_PHASE_ROW * (width - 1) + PM_PHASE_SLOTS;
    struct guarded plain = random_floats((size_t)last, at_end), found = guarded_floats(16 * (size_t)values, at_end);
    struct guarded blocks = guarded_floats(16 * (size_t)values, 1), expected = guarded_floats(16 * (size_t)values, 1);
    for (int i = 0; i < PM_BLOCK * values; i++) {
        int pixel = i / PM_BLOCK, slot = i % PM_BLOCK, y = PM_PHASES * (pixel / width) + slot / PM_PHASE_SLOTS;
        blocks.data[i] = plain.data[y * row + pixel % width * PM_PHASE_ROW + slot % PM_PHASE_SLOTS];
    }
    form->phases(plain.data, row, found.data, PM_BLOCK);
    form->input(blocks.data, width * PM_BLOCK, expected.data, PM_BLOCK);
    for (int i = 0; i < PM_BLOCK * values; i++) check(found.data[i], expected.data[i], 1e-5, form->name);
    free_guarded(&plain);
    free_guarded(&found);
    free_guarded(&blocks);
    free_guarded(&expected);
}

static void test_phases(void **state) {
    (void)state;
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    for (int t = 0; t < count; t++)
        for (const struct pm_winograd_form *form = tables[t]->winograd; form->name; form++)
            for (int at_end = 0; form->phases && at_end < 2; at_end++) check_phases(form, at_end);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pools), cmocka_unit_test(test_norms),
                                       cmocka_unit_test(test_phases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
