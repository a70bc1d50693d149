/* SPDX-License-Identifier: Apache-2.0 */

/* AVX2 and FMA: 6 pixels x 1 block (two vectors) fill 12 of 16 registers, 2 hold weights, 1 the broadcast input. */
#define PM_VL 8
#include "kernels/digits.h"
#include "kernels/vectors.inc.c"

UP_TO_6(CONV_KERNEL, 1, 16)
UP_TO_6(CONV_KERNEL, 1, 32)
UP_TO_6(CONV_KERNEL, 1, 0)

UP_TO_6(CONV_TURNING_KERNEL, 1)
static pm_conv_kernel *const turning[] = {UP_TO_6(CONV_TURNING_ENTRY, 1)};

UP_TO_6(CONV_WIDE_KERNEL, 0)

/* One vector a pixel: 10 of 16. */
UP_TO_10(CONV_HALF_KERNEL, 0)
static const struct pm_conv_tiling half = CONV_HALF_TILING(10, "conv_f32_10x8_s1_avx2");

const struct pm_kernels pm_kernels_avx2 = {
    .level = PM_CPU_AVX2,
    .conv = {CONV_TURNING_TILING(6, 1, 16, "conv_f32_6x16_s1_avx2", turning),
             CONV_TURNING_TILING(6, 1, 32, "conv_f32_6x16_s2_avx2", turning),
             CONV_TURNING_TILING(6, 1, 0, "conv_f32_6x16_avx2", turning),
             {"conv_f64acc_6x16_avx2", PM_SUMS_FP64, 6, 1, 0, {UP_TO_6(CONV_WIDE_ENTRY, 0)}}},
    .digits = pm_conv_digits_avx2,
    .half = &half,
    VECTOR_ROUTINES(avx2),
};
