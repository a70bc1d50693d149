/* SPDX-License-Identifier: Apache-2.0 */

/* NEON: 6 pixels x 1 block (four vectors) fill 24 of 32 registers, 4 hold weights, the rest inputs: one number each,
 * by which a whole vector is multiplied. */
#define PM_VL 4
#include "kernels/vectors.inc.c"

UP_TO_6(CONV_KERNEL, 1, 16)
UP_TO_6(CONV_KERNEL, 1, 32)
UP_TO_6(CONV_KERNEL, 1, 0)

UP_TO_10(CONV_WIDE_KERNEL, 0)

const struct pm_kernels pm_kernels_neon = {
    .level = PM_CPU_NEON,
    .conv = {CONV_TILING(6, 1, 16, "conv_f32_6x16_s1_neon"),
             CONV_TILING(6, 1, 32, "conv_f32_6x16_s2_neon"),
             CONV_TILING(6, 1, 0, "conv_f32_6x16_neon"),
             {"conv_f64acc_10x16_neon", PM_SUMS_FP64, 10, 1, 0, {UP_TO_10(CONV_WIDE_ENTRY, 0)}}},
    VECTOR_ROUTINES(neon),
};
