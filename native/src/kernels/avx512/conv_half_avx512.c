/* SPDX-License-Identifier: Apache-2.0 */

/* Halves of blocks at AVX-512, a vector of half the width each: 22 pixels fill 22 of 32 registers. */
#define PM_VL 8
#include "kernels/conv_tile.inc.c"

UP_TO_22(CONV_HALF_KERNEL, 0)

const struct pm_conv_tiling pm_conv_half_avx512 = CONV_HALF_TILING(22, "conv_f32_22x8_s1_avx512");
