/* SPDX-License-Identifier: Apache-2.0 */

/* Halves of blocks in bf16, as conv_half_avx512.c in fp32. */
#define PM_VL 8
#include "kernels/bf16.h"
#include "kernels/simd.h"

#define CONV_BROADCAST VREPEAT
#define CONV_MULTIPLY_ADD(sum, x, weight) ((vf)_mm256_dpbf16_ps((__m256)(sum), (__m256bh)(weight), (__m256bh)(x)))

#include "kernels/conv_tile.inc.c"

UP_TO_22(CONV_HALF_KERNEL, 0)

const struct pm_conv_tiling pm_conv_half_bf16 = CONV_HALF_TILING(22, "conv_bf16_22x8_s1_avx512");
