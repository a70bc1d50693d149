/* SPDX-License-Identifier: Apache-2.0 */

/* The kernels of principal components on each level that this CPU runs, against loops in long double, between guard
 * pages. A sum of n products may round n times, each by 2^-53 of what it holds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "kernels/kernels.h"
#include "kernels/moments.h"

static uint32_t random_state = 1;

static double draw(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (double)(int32_t)random_state / INT32_MAX;
}

/* `count` doubles, which must fill whole cache lines, so that a block at the end of its page is aligned. */
static struct guarded guarded_doubles(size_t count, int at_end) {
    struct guarded memory = guarded_floats(2 * count, at_end);
    for (size_t i = 0; i < count; i++) ((double *)(void *)memory.data)[i] = draw();
    return memory;
}

static double *doubles(const struct guarded *memory) { return (double *)(void *)memory->data; }

static void check_multiply(const struct pm_moment_kernels *k, size_t rows, int columns, int same, int at_end) {
    const size_t width = (size_t)k->width, end = (size_t)columns < width ? (size_t)columns : width;
    struct guarded a = guarded_doubles(rows * width, at_end), b = guarded_doubles(rows * width, at_end);
    struct guarded tile = guarded_doubles(width * width, at_end), before = guarded_doubles(width * width, at_end);
    const double *left = doubles(&a), *right = same ? left : doubles(&b);
    memcpy(doubles(&before), doubles(&tile), width * width * sizeof(double));
    k->multiply(left, right, (ptrdiff_t)rows, (int)end, doubles(&tile));
    for (size_t i = 0; i < width; i++)
        for (size_t j = same ? i : 0; j < end; j++) {
            long double sum = doubles(&before)[i * width + j], magnitude = fabsl(sum);
            for (size_t row = 0; row < rows; row++) {
                const long double product = (long double)left[row * width + i] * right[row * width + j];
                sum += product;
                magnitude += fabsl(product);
            }
            const double found = doubles(&tile)[i * width + j];
            if (!(fabsl(found - sum) <= 0x1p-53L * (long double)(rows + 2) * magnitude))
                fail_msg("%s: %g, not %g", k->name, found, (double)sum);
        }
    struct guarded *all[] = {&a, &b, &tile, &before};
    for (int i = 0; i < 4; i++) free_guarded(all[i]);
}

static void check_statistics(const struct pm_moment_kernels *k, size_t rows, int at_end) {
    const size_t width = (size_t)k->width;
    struct guarded panel = guarded_doubles(rows * width, at_end), before = guarded_doubles(rows * width, at_end);
    _Alignas(64) double mean[PM_PANEL_WIDTH_MAX], largest[2 * PM_PANEL_WIDTH_MAX];
    double *x = doubles(&panel), *old = doubles(&before);
    for (size_t row = 0; row < rows; row++) x[row * width + 1] = 0.1;
    memcpy(old, x, rows * width * sizeof *x);
    k->summarize(x, (ptrdiff_t)rows, mean, largest);
    assert_true(mean[1] == 0 && largest[1] == 0);
    for (size_t j = 0; j < width; j++) {
        long double sum = 0;
        double most = 0;
        for (size_t row = 0; row < rows; row++) {
            sum += (long double)x[row * width + j] - x[j];
            most = fmax(most, fabs(x[row * width + j] - x[j]));
        }
        assert_true(fabsl(mean[j] - sum / rows) <= 0x1p-52L * (long double)rows && largest[j] == most);
    }
    k->center(x, (ptrdiff_t)rows, mean, largest);
    for (size_t i = 0; i < rows * width; i++) assert_true(x[i] == (old[i] - mean[i % width]) * largest[i % width]);
    free_guarded(&panel);
    free_guarded(&before);
}

static void test_all_levels(void **state) {
    static const size_t rows[] = {2, 4, 6, 10, 64, 256, 258}; /* even: whole cache lines at any width */
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    (void)state;
    for (int t = 0; t < count; t++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int which = 0; which < 4; which++) {
                for (int columns = 1; columns <= tables[t]->moments->width; columns++)
                    check_multiply(tables[t]->moments, rows[r], columns, which & 1, which >> 1);
                check_statistics(tables[t]->moments, rows[r], which >> 1);
            }
}

/* One row, and an odd count of them, as the block with the row between the means has. */
static void test_odd_rows(void **state) {
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    (void)state;
    for (int t = 0; t < count; t++) {
        check_multiply(tables[t]->moments, 1, PM_PANEL_WIDTH_MAX, 0, 0);
        check_multiply(tables[t]->moments, 257, PM_PANEL_WIDTH_MAX, 1, 0);
        check_statistics(tables[t]->moments, 255, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_levels), cmocka_unit_test(test_odd_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
