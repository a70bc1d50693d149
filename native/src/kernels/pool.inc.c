/* SPDX-License-Identifier: Apache-2.0 */

/* Windows of a pool, row by row: one vector of channels at a time, so that the loads are all that it costs. The sum of
 * a row of the window joins the total as one number, which keeps large windows exact. The includer sets PM_VL. */
#include "kernels/simd.h"

/* Rows of the map come from beyond the L2 cache: those that the next row of outputs sees are brought there, two of them
 * as in most networks. */
ALWAYS_INLINE void fetch_next(const struct pm_pool_row *r, const float *window, ptrdiff_t height) {
    for (ptrdiff_t i = 0; i < r->input_pixel; i += PM_BLOCK)
        for (ptrdiff_t y = height; y < height + 2; y++) __builtin_prefetch(window + y * r->input_row + i, 0, 2);
}

ALWAYS_INLINE void greatest_of(const struct pm_pool_row *r, const ptrdiff_t height, const ptrdiff_t width) {
    const vf low = VSET(r->low), high = VSET(r->high);
    for (ptrdiff_t p = 0; p < r->pixels; p++)
        for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
            const float *window = r->input + p * r->input_pixel + c;
            vf greatest = VLOAD(window);
            if (c == 0) fetch_next(r, window, height);
            for (ptrdiff_t y = 0; y < height; y++)
                for (ptrdiff_t x = 0; x < width; x++)
                    greatest = VMAX(greatest, VLOAD(window + y * r->input_row + x * PM_BLOCK));
            if (r->residual) greatest += VLOAD(r->residual + p * PM_BLOCK + c);
            VSTORE(r->output + p * PM_BLOCK + c, VCLAMP(greatest, low, high));
        }
}

/* Networks' windows have loops of their own: what a loop costs is more than its loads. */
static void max_pool(const struct pm_pool_row *r) {
    if (r->height == 3 && r->width == 3) greatest_of(r, 3, 3);
    else if (r->height == 2 && r->width == 2) greatest_of(r, 2, 2);
    else greatest_of(r, r->height, r->width);
}

/* Of the sum of a window, for float `i` of the outputs. `added` is a constant after inlining. */
ALWAYS_INLINE void store_mean(const struct pm_pool_row *r, const ptrdiff_t i, const vf total, const int added) {
    vf mean = total / VSET(r->divisor);
    if (added) mean += VLOAD(r->residual + i);
    VSTORE(r->output + i, VCLAMP(mean, VSET(r->low), VSET(r->high)));
}

ALWAYS_INLINE void mean_of(const struct pm_pool_row *of, const ptrdiff_t height, const ptrdiff_t width,
                           const int added) {
    const struct pm_pool_row r = *of; /* a store might change what is behind a pointer */
    for (ptrdiff_t p = 0; p < r.pixels; p++)
        for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
            const float *window = r.input + p * r.input_pixel + c;
            vf total = VSET(0.0f);
            for (ptrdiff_t y = 0; y < height; y++) {
                vf row = VLOAD(window + y * r.input_row);
                for (ptrdiff_t x = 1; x < width; x++) row += VLOAD(window + y * r.input_row + x * PM_BLOCK);
                total += row;
            }
            store_mean(&r, p * PM_BLOCK + c, total, added);
        }
}

ALWAYS_INLINE vf sum_of_column(const float *from, const ptrdiff_t input_row, const ptrdiff_t height) {
    vf sum = VLOAD(from);
    for (ptrdiff_t y = 1; y < height; y++) sum += VLOAD(from + y * input_row);
    return sum;
}

/* Windows of three columns side by side share them: each is summed once. */
ALWAYS_INLINE void mean_of_columns(const struct pm_pool_row *of, const ptrdiff_t height, const int added) {
    const struct pm_pool_row r = *of;
    for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
        const float *input = r.input + c;
        vf left = sum_of_column(input, r.input_row, height);
        vf middle = sum_of_column(input + PM_BLOCK, r.input_row, height);
        for (ptrdiff_t i = 0; i < r.pixels * PM_BLOCK; i += PM_BLOCK) {
            const vf right = sum_of_column(input + i + 2 * PM_BLOCK, r.input_row, height);
            store_mean(&r, i + c, left + middle + right, added);
            left = middle;
            middle = right;
        }
    }
}

/* Most windows are 3x3, or of two rows at the edge of a map. */
ALWAYS_INLINE void mean(const struct pm_pool_row *r, const int added) {
    const int columns = r->width == 3 && r->input_pixel == PM_BLOCK;
    if (columns && r->height == 3) mean_of_columns(r, 3, added);
    else if (columns && r->height == 2) mean_of_columns(r, 2, added);
    else if (r->width == 3 && r->height == 3) mean_of(r, 3, 3, added);
    else mean_of(r, r->height, r->width, added);
}

static void avg_pool(const struct pm_pool_row *r) {
    if (r->residual) mean(r, 1);
    else mean(r, 0);
}
