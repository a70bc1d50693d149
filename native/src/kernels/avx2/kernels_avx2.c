/* SPDX-License-Identifier: Apache-2.0
 *
 * AVX2 and FMA: 6 pixels x 1 block (two vectors) fill 12 of 16 registers, 2 hold weights, 1 the broadcast input. */
#define PM_VL 8
#include "kernels/conv_tile.inc.c"
#include "kernels/depthwise.inc.c"
#include "kernels/elementwise.inc.c"

#define EACH_PIXELS(X, blocks, distance)                                                                               \
    X(1, blocks, distance) X(2, blocks, distance) X(3, blocks, distance) X(4, blocks, distance)                        \
    X(5, blocks, distance) X(6, blocks, distance)

EACH_PIXELS(CONV_KERNEL, 1, 16)
EACH_PIXELS(CONV_KERNEL, 1, 32)
EACH_PIXELS(CONV_KERNEL, 1, 0)

#define ENTRY(pixels, blocks, distance) conv_##pixels##x##blocks##_##distance,
#define TILING(distance, label) {label, 0, 6, 1, distance, {EACH_PIXELS(ENTRY, 1, distance)}}

CONV_WIDE_KERNEL(1)
CONV_WIDE_KERNEL(2)
CONV_WIDE_KERNEL(3)

const struct pm_kernels pm_kernels_avx2 = {
    .level = PM_CPU_AVX2,
    .name = "avx2",
    .conv = {TILING(16, "conv_f32_6x16_s1_avx2"), TILING(32, "conv_f32_6x16_s2_avx2"),
             TILING(0, "conv_f32_6x16_avx2"),
             {"conv_f64acc_3x16_avx2", 1, 3, 1, 0, {conv_wide_1, conv_wide_2, conv_wide_3}}},
    .depthwise = {{"depthwise_f64acc_3x3_s1_avx2", 3, 16, depthwise_3_1},
                  {"depthwise_f64acc_3x3_s2_avx2", 3, 32, depthwise_3_2},
                  {"depthwise_f64acc_5x5_s1_avx2", 5, 16, depthwise_5_1},
                  {"depthwise_f64acc_5x5_s2_avx2", 5, 32, depthwise_5_2},
                  {"depthwise_f64acc_avx2", 0, 0, depthwise_any}},
    .add = add,
    .affine = affine,
    .sum = sum,
    .maximum = maximum,
    .peak = peak,
};
