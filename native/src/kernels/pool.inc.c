/* SPDX-License-Identifier: Apache-2.0 */

/* Windows of a pool, row by row: one vector of channels at a time, so that the loads are all that it costs. The sum of
 * a row of the window joins the total as one number, which keeps large windows exact. The includer sets PM_VL. */
#include "kernels/simd.h"

static void max_pool(const struct pm_pool_row *r) {
    const vf low = VSET(r->low), high = VSET(r->high);
    for (ptrdiff_t p = 0; p < r->pixels; p++)
        for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
            const float *window = r->input + p * r->input_pixel + c;
            vf greatest = VLOAD(window);
            for (ptrdiff_t y = 0; y < r->height; y++)
                for (ptrdiff_t x = 0; x < r->width; x++)
                    greatest = VMAX(greatest, VLOAD(window + y * r->input_row + x * PM_BLOCK));
            VSTORE(r->output + p * PM_BLOCK + c, VCLAMP(greatest, low, high));
        }
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

/* Windows side by side share their columns: each is summed once. */
ALWAYS_INLINE void mean_of_columns(const struct pm_pool_row *r, const ptrdiff_t height) {
    const vf low = VSET(r->low), high = VSET(r->high), divisor = VSET(r->divisor);
    const ptrdiff_t input_row = r->input_row;
    for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
        const float *input = r->input + c, *end = input + r->pixels * PM_BLOCK;
        float *output = r->output + c;
        vf column[3];
        for (int x = 0; x < 2; x++) {
            column[x] = VLOAD(input + x * PM_BLOCK);
            for (ptrdiff_t y = 1; y < height; y++) column[x] += VLOAD(input + y * input_row + x * PM_BLOCK);
        }
        for (; input < end; input += PM_BLOCK, output += PM_BLOCK) {
            column[2] = VLOAD(input + 2 * PM_BLOCK);
            for (ptrdiff_t y = 1; y < height; y++) column[2] += VLOAD(input + y * input_row + 2 * PM_BLOCK);
            VSTORE(output, VCLAMP((column[0] + column[1] + column[2]) / divisor, low, high));
            column[0] = column[1];
            column[1] = column[2];
        }
    }
}

static void avg_pool(const struct pm_pool_row *r) {
    if (r->width == 3 && r->input_pixel == PM_BLOCK && r->height == 3) mean_of_columns(r, 3);
    else if (r->width == 3 && r->input_pixel == PM_BLOCK && r->height == 2) mean_of_columns(r, 2);
    else if (r->width == 3 && r->height == 3) mean_of(r, 3, 3);
    else mean_of(r, r->height, r->width);
}
