/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolution tile: `pixels` x `vectors` accumulators stay in registers over the whole sum. The includer sets PM_VL.
 * Registers: accumulators + `vectors` of weights; the input is broadcast from memory, one cache line a pixel and block.
 *
 * The bias comes last: a large one at the start would cost every partial sum its low bits.
 *
 * Contract: 1 <= pixels <= PM_CONV_PIXELS_MAX, vectors a multiple of PM_VB, all three constants after inlining. */
#include "kernels/simd.h"

/* Adds `length` (16, or any when not constant) channels to the accumulators. */
#define STEP(k)                                                                                                        \
    do {                                                                                                               \
        vf weight[8];                                                                                                  \
        UNROLL for (int j = 0; j < vectors; j++) weight[j] = VLOAD(w + (k) * vectors * PM_VL + j * PM_VL);              \
        UNROLL for (int i = 0; i < pixels; i++) {                                                                      \
            vf x = VSET(a[i * distance + (k)]);                                                                        \
            UNROLL for (int j = 0; j < vectors; j++) sum[i][j] += x * weight[j];                                       \
        }                                                                                                              \
    } while (0)

ALWAYS_INLINE void conv_tile(const struct pm_conv_tile *t, const int pixels, const int vectors,
                             const ptrdiff_t constant_distance) {
    const ptrdiff_t distance = constant_distance ? constant_distance : t->input_pixel;
    const float *w = t->weights;
    vf sum[PM_CONV_PIXELS_MAX][8];
    UNROLL for (int i = 0; i < pixels; i++) {
        UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = (vf){0};
    }
    for (ptrdiff_t s = 0; s < t->segment_count; s++) {
        const float *a = t->input + t->segments[s].offset;
        const ptrdiff_t length = t->segments[s].length;
        if (constant_distance && length == PM_BLOCK) {
            UNROLL for (int k = 0; k < PM_BLOCK; k++) STEP(k);
        } else {
            PM_PRAGMA(GCC unroll 1) for (ptrdiff_t k = 0; k < length; k++) STEP(k);
        }
        w += length * vectors * PM_VL;
    }
    const vf low = VSET(t->low), high = VSET(t->high);
    UNROLL for (int i = 0; i < pixels; i++) {
        UNROLL for (int j = 0; j < vectors; j++) {
            ptrdiff_t slot = i * PM_BLOCK + j % PM_VB * PM_VL;
            vf value = sum[i][j] + VLOAD(t->bias + j * PM_VL);
            if (t->residual) value += VLOAD(t->residual + slot + j / PM_VB * t->residual_block);
            VSTORE(t->output + slot + j / PM_VB * t->output_block, VCLAMP(value, low, high));
        }
    }
}

#undef STEP

/* One function for each number of pixels, and the row of the table that lists them. */
#define CONV_KERNEL(pixels, blocks, distance)                                                                          \
    static void conv_##pixels##x##blocks##_##distance(const struct pm_conv_tile *t) {                                  \
        conv_tile(t, pixels, blocks *PM_VB, distance);                                                                 \
    }
