/* SPDX-License-Identifier: Apache-2.0
 *
 * Depthwise convolution of one row of one 16-channel block: a tile of pixels shares the weights, which stay in
 * registers where the window is small. The includer sets PM_VL. */
#include "kernels/simd.h"

/* `pixels` outputs, with the window's sides, the distance of windows and the vector of the block fixed by the caller. */
ALWAYS_INLINE void depthwise_tile(const struct pm_depthwise_row *r, const float *input, float *output,
                                  const int pixels, const int height, const int width, const ptrdiff_t tap,
                                  const ptrdiff_t distance) {
    UNROLL for (int v = 0; v < PM_VB; v++) {
        vf sum[8];
        UNROLL for (int i = 0; i < pixels; i++) sum[i] = (vf){0};
        for (int y = 0; y < height; y++) {
            const float *row = input + y * r->input_row + v * PM_VL;
            const float *weights = r->weights + y * width * PM_BLOCK + v * PM_VL;
            UNROLL for (int x = 0; x < width; x++) {
                vf weight = VLOAD(weights + x * PM_BLOCK);
                UNROLL for (int i = 0; i < pixels; i++) sum[i] += VLOAD(row + x * tap + i * distance) * weight;
            }
        }
        const vf bias = VLOAD(r->bias + v * PM_VL), low = VSET(r->low), high = VSET(r->high);
        UNROLL for (int i = 0; i < pixels; i++)
            VSTORE(output + i * PM_BLOCK + v * PM_VL, VCLAMP(sum[i] + bias, low, high));
    }
}

/* Tiles of seven, since the maps of the common networks are 7 x 2^n wide; the rest one by one. */
ALWAYS_INLINE void depthwise_row(const struct pm_depthwise_row *r, const int height, const int width,
                                 const ptrdiff_t tap, const ptrdiff_t distance) {
    const float *input = r->input;
    float *output = r->output;
    ptrdiff_t left = r->pixels;
    for (; left >= 7; left -= 7, input += 7 * distance, output += 7 * PM_BLOCK)
        depthwise_tile(r, input, output, 7, height, width, tap, distance);
    for (; left > 0; left--, input += distance, output += PM_BLOCK)
        depthwise_tile(r, input, output, 1, height, width, tap, distance);
}

#define DEPTHWISE_KERNEL(side, distance)                                                                               \
    static void depthwise_##side##_##distance(const struct pm_depthwise_row *r) {                                      \
        depthwise_row(r, side, side, PM_BLOCK, distance);                                                              \
    }

DEPTHWISE_KERNEL(3, 16)
DEPTHWISE_KERNEL(3, 32)
DEPTHWISE_KERNEL(5, 16)
DEPTHWISE_KERNEL(5, 32)

static void depthwise_any(const struct pm_depthwise_row *r) {
    depthwise_row(r, r->kernel_height, r->kernel_width, r->input_tap, r->input_pixel);
}
