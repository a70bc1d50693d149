/* SPDX-License-Identifier: Apache-2.0 */

/* The two ends of a Winograd convolution F(4x4, 3x3): patches of 6x6 pixels to 36 values, and 36 values to 4x4 pixels.
 *
 * Toom-Cook with the points 0, +-a, +-b, infinity for a = sqrt(1/2), b = sqrt(2): with M(x) = x (x^2 - a^2)(x^2 - b^2),
 * a value at point p is the patch times the coefficients of M(x) / (x - p), and a pixel i is the sum of p^i times the
 * values. These points keep all coefficients near one, and so the rounding errors a third below those of 0, 1, 2. */
#include "kernels/simd.h"

#define WINOGRAD_A 0.70710678118654752440f
#define WINOGRAD_B 1.41421356237309504880f

/* One dimension: to[0..5] from six values `step` apart. a^2 = 1/2, b^2 = 2, a^2 b^2 = 1, a^2 + b^2 = 5/2. */
ALWAYS_INLINE void winograd_analyse(const vf *from, const int step, vf *to, const int to_step) {
    const vf d1 = from[step], d2 = from[2 * step], d3 = from[3 * step], d4 = from[4 * step];
    const vf even_a = d4 - 2.0f * d2, odd_a = WINOGRAD_A * d3 - WINOGRAD_B * d1;
    const vf even_b = d4 - 0.5f * d2, odd_b = WINOGRAD_B * d3 - WINOGRAD_A * d1;
    to[0] = from[0] - 2.5f * d2 + d4;
    to[to_step] = even_a + odd_a;
    to[2 * to_step] = even_a - odd_a;
    to[3 * to_step] = even_b + odd_b;
    to[4 * to_step] = even_b - odd_b;
    to[5 * to_step] = d1 - 2.5f * d3 + from[5 * step];
}

/* Back: to[0..3] from six values; a^3 = a / 2, b^3 = 2 b. */
ALWAYS_INLINE void winograd_combine(const vf *from, const int step, vf *to, const int to_step) {
    const vf even_a = from[step] + from[2 * step], odd_a = WINOGRAD_A * (from[step] - from[2 * step]);
    const vf even_b = from[3 * step] + from[4 * step], odd_b = WINOGRAD_B * (from[3 * step] - from[4 * step]);
    to[0] = from[0] + even_a + even_b;
    to[to_step] = odd_a + odd_b;
    to[2 * to_step] = 0.5f * even_a + 2.0f * even_b;
    to[3 * to_step] = 0.5f * odd_a + 2.0f * odd_b + from[5 * step];
}

static void winograd_input(const float *input, ptrdiff_t row, float *values, ptrdiff_t stride) {
    for (int lane = 0; lane < PM_BLOCK; lane += PM_VL) {
        vf half[36], all[6];
        UNROLL for (int y = 0; y < 6; y++) {
            UNROLL for (int x = 0; x < 6; x++) all[x] = VLOAD(input + y * row + x * PM_BLOCK + lane);
            winograd_analyse(all, 1, half + y * 6, 1);
        }
        UNROLL for (int x = 0; x < 6; x++) {
            winograd_analyse(half + x, 6, all, 1);
            UNROLL for (int y = 0; y < 6; y++) VSTORE(values + (y * 6 + x) * stride + lane, all[y]);
        }
    }
}

static void winograd_output(const struct pm_winograd_output *o) {
    for (int lane = 0; lane < PM_BLOCK; lane += PM_VL) {
        const vf scale = VLOAD(o->scale + lane), shift = VLOAD(o->shift + lane);
        const vf low = VSET(o->low), high = VSET(o->high);
        vf half[24], pixels[16], all[6];
        UNROLL for (int y = 0; y < 6; y++) {
            UNROLL for (int x = 0; x < 6; x++) all[x] = VLOAD(o->values + (y * 6 + x) * o->stride + lane);
            winograd_combine(all, 1, half + y * 4, 1);
        }
        UNROLL for (int x = 0; x < 4; x++) winograd_combine(half + x, 4, pixels + x, 4);
        for (int y = 0; y < o->rows; y++)
            for (int x = 0; x < o->columns; x++) {
                ptrdiff_t slot = x * PM_BLOCK + lane;
                vf value = pixels[y * 4 + x] * scale + shift;
                if (o->residual) value += VLOAD(o->residual + y * o->residual_row + slot);
                VSTORE(o->output + y * o->output_row + slot, VCLAMP(value, low, high));
            }
    }
}
