/* SPDX-License-Identifier: Apache-2.0 */

/* AVX-512: 14 pixels x 2 blocks fill 28 of 32 registers, 2 hold weights, the input comes as a broadcast operand. */
#define PM_VL 16
#define CONV_HALF_INSTRUCTION "vfmadd231ps"
#include "kernels/avx512/half_vectors.h"
#include "kernels/avx512/inner_vectors.h"
#include "kernels/digits.h"
#include "kernels/vectors.inc.c"

UP_TO_14(CONV_KERNEL, 2, 16)
UP_TO_14(CONV_KERNEL, 2, 32)
UP_TO_14(CONV_KERNEL, 2, 0)
UP_TO_14(CONV_KERNEL, 1, 16)
UP_TO_14(CONV_KERNEL, 1, 32)
UP_TO_14(CONV_KERNEL, 1, 0)

/* Half a vector a pixel: 22 of 32. */
UP_TO_22(CONV_HALF_KERNEL, 0)
static const struct pm_conv_tiling half = CONV_HALF_TILING(22, "conv_f32_22x8_s1_avx512");

UP_TO_14(CONV_BROAD_HALF_KERNEL, 0)
static const struct pm_conv_tiling broad_half = CONV_BROAD_HALF_TILING(14, "conv_f32_14x24_s1_avx512");

UP_TO_14(CONV_INNER_KERNEL, 2)
UP_TO_14(CONV_INNER_KERNEL, 1)
static const struct pm_conv_inner inner = {
    .broad = CONV_INNER_TILING(14, 2, "conv_inner_14x32_avx512"),
    .narrow = CONV_INNER_TILING(14, 1, "conv_inner_14x16_avx512"),
    .own = own_avx512,
};

UP_TO_14(CONV_WIDE_KERNEL, 0)

const struct pm_kernels pm_kernels_avx512 = {
    .level = PM_CPU_AVX512,
    .conv = {CONV_TILING(14, 2, 16, "conv_f32_14x32_s1_avx512"),
             CONV_TILING(14, 2, 32, "conv_f32_14x32_s2_avx512"),
             CONV_TILING(14, 2, 0, "conv_f32_14x32_avx512"),
             CONV_TILING(14, 1, 16, "conv_f32_14x16_s1_avx512"),
             CONV_TILING(14, 1, 32, "conv_f32_14x16_s2_avx512"),
             CONV_TILING(14, 1, 0, "conv_f32_14x16_avx512"),
             {"conv_f64acc_14x16_avx512", PM_SUMS_FP64, 14, 1, 0, {UP_TO_14(CONV_WIDE_ENTRY, 0)}}},
    .digits = pm_conv_digits_avx512,
    .digits_vnni = pm_conv_digits_vnni,
    .inner = &inner,
    .half = &half,
    .broad_half = &broad_half,
    VECTOR_ROUTINES(avx512),
};
