/* SPDX-License-Identifier: Apache-2.0 */
#define PM_VL 16
#define DIGITS_MULTIPLY_ADD _mm512_dpwssd_epi32
#include "kernels/digits.inc.c"

UP_TO_14(CONV_KERNEL, 2, 3)
UP_TO_14(CONV_KERNEL, 1, 3)

const struct pm_conv_tiling pm_conv_digits_vnni[] = {
    CONV_TILING(14, 2, 3, "conv_i16_14x32_avx512vnni"), CONV_TILING(14, 1, 3, "conv_i16_14x16_vnni"), {.name = NULL}};
