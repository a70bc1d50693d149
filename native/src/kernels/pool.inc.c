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

ALWAYS_INLINE void mean_of(const struct pm_pool_row *r, const ptrdiff_t height, const ptrdiff_t width) {
    const vf low = VSET(r->low), high = VSET(r->high), divisor = VSET(r->divisor);
    for (ptrdiff_t p = 0; p < r->pixels; p++)
        for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
            const float *window = r->input + p * r->input_pixel + c;
            vf total = VSET(0.0f);
            for (ptrdiff_t y = 0; y < height; y++) {
                vf row = VLOAD(window + y * r->input_row);
                for (ptrdiff_t x = 1; x < width; x++) row += VLOAD(window + y * r->input_row + x * PM_BLOCK);
                total += row;
            }
            VSTORE(r->output + p * PM_BLOCK + c, VCLAMP(total / divisor, low, high));
        }
}

static void avg_pool(const struct pm_pool_row *r) {
    if (r->height == 3 && r->width == 3) mean_of(r, 3, 3);
    else mean_of(r, r->height, r->width);
}
