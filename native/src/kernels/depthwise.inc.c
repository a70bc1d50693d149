/* SPDX-License-Identifier: Apache-2.0
 *
 * Depthwise convolution of one row of one 16-channel block, in fp64, one vector of doubles after the other: in a tile
 * each input is converted once and meets every tap of its row. Registers: `pixels` sums, the inputs of a row, its
 * weights. The includer sets PM_VL. */
#include "kernels/simd.h"

#define DEPTHWISE_PIXELS 7 /* the maps of the common networks are 7 x 2^n wide */

/* The sums of `pixels` outputs; sides and step (in pixels) are constants after inlining. */
ALWAYS_INLINE void depthwise_square(const struct pm_depthwise_row *r, const float *input, vd *sum, const int pixels,
                                    const int side, const int step) {
    UNROLL for (int y = 0; y < side; y++) {
        const float *row = input + y * r->input_row, *weights = r->weights + y * side * PM_BLOCK;
        vd x[DEPTHWISE_PIXELS * 2 + 5];
        UNROLL for (int i = 0; i < (pixels - 1) * step + side; i++) x[i] = DLOAD(row + i * PM_BLOCK);
        UNROLL for (int tap = 0; tap < side; tap++) {
            vd weight = DLOAD(weights + tap * PM_BLOCK);
            UNROLL for (int i = 0; i < pixels; i++) sum[i] += x[i * step + tap] * weight;
        }
    }
}

/* The same for any window. */
ALWAYS_INLINE void depthwise_window(const struct pm_depthwise_row *r, const float *input, vd *sum, const int pixels) {
    const float *weights = r->weights;
    for (int y = 0; y < r->kernel_height; y++)
        for (int tap = 0; tap < r->kernel_width; tap++, weights += PM_BLOCK) {
            vd weight = DLOAD(weights);
            const float *x = input + y * r->input_row + tap * r->input_tap;
            UNROLL for (int i = 0; i < pixels; i++) sum[i] += DLOAD(x + i * r->input_pixel) * weight;
        }
}

ALWAYS_INLINE void depthwise_tile(const struct pm_depthwise_row *row, const float *input, float *output,
                                  const int pixels, const int side, const int step) {
    struct pm_depthwise_row r = *row;
    const vd low = DSET(r.low), high = DSET(r.high);
    for (int v = 0; v < PM_DB; v++, input += PM_DL, output += PM_DL, r.weights += PM_DL) {
        vd sum[DEPTHWISE_PIXELS];
        UNROLL for (int i = 0; i < pixels; i++) sum[i] = (vd){0};
        if (side) depthwise_square(&r, input, sum, pixels, side, step);
        else depthwise_window(&r, input, sum, pixels);
        const vd scale = DLOAD(r.scale + v * PM_DL), shift = DLOAD(r.shift + v * PM_DL);
        UNROLL for (int i = 0; i < pixels; i++)
            DSTORE(output + i * PM_BLOCK, DCLAMP(sum[i] * scale + shift, low, high));
    }
}

/* Tiles, then the rest one by one. */
ALWAYS_INLINE void depthwise_row(const struct pm_depthwise_row *r, const int side, const int step) {
    const float *input = r->input;
    float *output = r->output;
    ptrdiff_t left = r->pixels;
    for (; left >= DEPTHWISE_PIXELS; left -= DEPTHWISE_PIXELS) {
        depthwise_tile(r, input, output, DEPTHWISE_PIXELS, side, step);
        input += DEPTHWISE_PIXELS * r->input_pixel;
        output += DEPTHWISE_PIXELS * PM_BLOCK;
    }
    for (; left > 0; left--, input += r->input_pixel, output += PM_BLOCK)
        depthwise_tile(r, input, output, 1, side, step);
}

#define DEPTHWISE_KERNEL(side, step)                                                                                   \
    static void depthwise_##side##_##step(const struct pm_depthwise_row *r) { depthwise_row(r, side, step); }

DEPTHWISE_KERNEL(3, 1)
DEPTHWISE_KERNEL(3, 2)
DEPTHWISE_KERNEL(5, 1)
DEPTHWISE_KERNEL(5, 2)

static void depthwise_any(const struct pm_depthwise_row *r) { depthwise_row(r, 0, 0); }
