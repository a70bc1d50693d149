/* SPDX-License-Identifier: Apache-2.0 */

/* 12 of 16 registers hold sums, 2 weights, 1 the input, 1 products on their way. */
#define PM_VL 8
#include "kernels/digits.inc.c"

UP_TO_6(CONV_KERNEL, 1, 3)

const struct pm_conv_tiling pm_conv_digits_avx2[] = {CONV_TILING(6, 1, 3, "conv_i16_6x16_avx2"), {.name = NULL}};
