/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution tile with sums in fp64, for the few layers whose rounding decides the accuracy of all that follows. Of
 * one block; `scale` is there, `begins` are not. The input is converted a piece of a segment at a time, each number
 * once; then CONV_WIDE_VECTORS of sums a pixel meet as many converted weights a step. */
#include "kernels/conv_tilings.h"
#include "kernels/simd.h"

#define CONV_WIDE_VECTORS 2

typedef double conv_piece[PM_CONV_PIXELS_MAX][PM_BLOCK] __attribute__((aligned(PM_VL * 4)));

ALWAYS_INLINE void conv_widen(const float *input, ptrdiff_t distance, ptrdiff_t length, const int pixels,
                              conv_piece to) {
    for (int i = 0; i < pixels; i++, input += distance) {
        if (length == PM_BLOCK) UNROLL for (int k = 0; k < PM_BLOCK; k += PM_DL) * (vd *)(to[i] + k) = DLOAD(input + k);
        else
            for (ptrdiff_t k = 0; k < length; k++) to[i][k] = input[k];
    }
}

ALWAYS_INLINE void conv_store_wide(const struct pm_conv_tile *t, const int pixels, const ptrdiff_t first,
                                   vd sum[][CONV_WIDE_VECTORS]) {
    const vd low = DSET(t->low), high = DSET(t->high);
    const float *scales = t->scale, *shifts = t->shift, *residual = t->residual;
    float *output = t->output;
    UNROLL for (int j = 0; j < CONV_WIDE_VECTORS; j++) {
        const ptrdiff_t lane = first + j * PM_DL;
        const vd scale = DLOAD(scales + lane), shift = DLOAD(shifts + lane);
        UNROLL for (int i = 0; i < pixels; i++) {
            vd value = sum[i][j] * scale + shift;
            if (residual) value += DLOAD(residual + i * PM_BLOCK + lane);
            DSTORE(output + i * PM_BLOCK + lane, DCLAMP(value, low, high));
        }
    }
}

ALWAYS_INLINE void conv_tile_wide(const struct pm_conv_tile *t, const int pixels) {
    conv_piece input;
    for (ptrdiff_t first = 0; first < PM_BLOCK; first += CONV_WIDE_VECTORS * PM_DL) {
        const float *w = t->weights + first;
        vd sum[PM_CONV_PIXELS_MAX][CONV_WIDE_VECTORS];
        UNROLL for (int i = 0; i < pixels; i++) UNROLL for (int j = 0; j < CONV_WIDE_VECTORS; j++) sum[i][j] = (vd){0};
        for (ptrdiff_t s = 0; s < t->segment_count; s++)
            for (ptrdiff_t from = 0, length; from < t->segments[s].length; from += length) {
                const ptrdiff_t left = t->segments[s].length - from;
                length = left < PM_BLOCK ? left : PM_BLOCK;
                conv_widen(t->input + t->segments[s].offset + from, t->input_pixel, length, pixels, input);
                PM_PRAGMA(GCC unroll 1) for (ptrdiff_t k = 0; k < length; k++, w += PM_BLOCK) {
                    vd weight[CONV_WIDE_VECTORS];
                    UNROLL for (int j = 0; j < CONV_WIDE_VECTORS; j++) weight[j] = DLOAD(w + j * PM_DL);
                    UNROLL for (int i = 0; i < pixels; i++) {
                        vd x = DSET(input[i][k]);
                        UNROLL for (int j = 0; j < CONV_WIDE_VECTORS; j++) sum[i][j] += x * weight[j];
                    }
                }
            }
        conv_store_wide(t, pixels, first, sum);
    }
}

#define CONV_WIDE_KERNEL(pixels, ...)                                                                                  \
    static void conv_wide_##pixels(const struct pm_conv_tile *t) { conv_tile_wide(t, pixels); }

#define CONV_WIDE_ENTRY(pixels, ...) conv_wide_##pixels,
