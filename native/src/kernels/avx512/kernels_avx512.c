/* SPDX-License-Identifier: Apache-2.0
 *
 * AVX-512: 14 pixels x 2 blocks fill 28 of 32 registers, 2 hold weights, the input comes as a broadcast operand. */
#define PM_VL 16
#include "kernels/conv_tile.inc.c"
#include "kernels/depthwise.inc.c"
#include "kernels/elementwise.inc.c"

#define EACH_PIXELS(X, blocks, distance)                                                                               \
    X(1, blocks, distance) X(2, blocks, distance) X(3, blocks, distance) X(4, blocks, distance)                        \
    X(5, blocks, distance) X(6, blocks, distance) X(7, blocks, distance) X(8, blocks, distance)                        \
    X(9, blocks, distance) X(10, blocks, distance) X(11, blocks, distance) X(12, blocks, distance)                     \
    X(13, blocks, distance) X(14, blocks, distance)

EACH_PIXELS(CONV_KERNEL, 2, 16)
EACH_PIXELS(CONV_KERNEL, 2, 32)
EACH_PIXELS(CONV_KERNEL, 2, 0)
EACH_PIXELS(CONV_KERNEL, 1, 16)
EACH_PIXELS(CONV_KERNEL, 1, 32)
EACH_PIXELS(CONV_KERNEL, 1, 0)

#define ENTRY(pixels, blocks, distance) conv_##pixels##x##blocks##_##distance,
#define TILING(blocks, distance, label) {label, 0, 14, blocks, distance, {EACH_PIXELS(ENTRY, blocks, distance)}}

CONV_WIDE_KERNEL(1)
CONV_WIDE_KERNEL(2)
CONV_WIDE_KERNEL(3)
CONV_WIDE_KERNEL(4)
CONV_WIDE_KERNEL(5)
CONV_WIDE_KERNEL(6)
CONV_WIDE_KERNEL(7)
CONV_WIDE_KERNEL(8)

#define WIDE_TILING(label)                                                                                             \
    {label, 1, 8, 1, 0, {conv_wide_1, conv_wide_2, conv_wide_3, conv_wide_4, conv_wide_5, conv_wide_6, conv_wide_7,    \
                         conv_wide_8}}

const struct pm_kernels pm_kernels_avx512 = {
    .level = PM_CPU_AVX512,
    .name = "avx512",
    .conv = {TILING(2, 16, "conv_f32_14x32_s1_avx512"), TILING(2, 32, "conv_f32_14x32_s2_avx512"),
             TILING(2, 0, "conv_f32_14x32_avx512"), TILING(1, 16, "conv_f32_14x16_s1_avx512"),
             TILING(1, 32, "conv_f32_14x16_s2_avx512"), TILING(1, 0, "conv_f32_14x16_avx512"),
             WIDE_TILING("conv_f64acc_8x16_avx512")},
    .depthwise = {{"depthwise_f64acc_3x3_s1_avx512", 3, 16, depthwise_3_1},
                  {"depthwise_f64acc_3x3_s2_avx512", 3, 32, depthwise_3_2},
                  {"depthwise_f64acc_5x5_s1_avx512", 5, 16, depthwise_5_1},
                  {"depthwise_f64acc_5x5_s2_avx512", 5, 32, depthwise_5_2},
                  {"depthwise_f64acc_avx512", 0, 0, depthwise_any}},
    .add = add,
    .affine = affine,
    .sum = sum,
    .maximum = maximum,
    .peak = peak,
};
