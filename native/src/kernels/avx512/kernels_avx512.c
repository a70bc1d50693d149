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
#define TILING(blocks, distance, label) {label, 14, blocks, distance, {EACH_PIXELS(ENTRY, blocks, distance)}}

const struct pm_kernels pm_kernels_avx512 = {
    .level = PM_CPU_AVX512,
    .name = "avx512",
    .conv = {TILING(2, 16, "conv_f32_14x32_s1_avx512"), TILING(2, 32, "conv_f32_14x32_s2_avx512"),
             TILING(2, 0, "conv_f32_14x32_avx512"), TILING(1, 16, "conv_f32_14x16_s1_avx512"),
             TILING(1, 32, "conv_f32_14x16_s2_avx512"), TILING(1, 0, "conv_f32_14x16_avx512")},
    .depthwise = {{"depthwise_f32_3x3_s1_avx512", 3, 16, depthwise_3_16},
                  {"depthwise_f32_3x3_s2_avx512", 3, 32, depthwise_3_32},
                  {"depthwise_f32_5x5_s1_avx512", 5, 16, depthwise_5_16},
                  {"depthwise_f32_5x5_s2_avx512", 5, 32, depthwise_5_32},
                  {"depthwise_f32_avx512", 0, 0, depthwise_any}},
    .add = add,
    .affine = affine,
    .sum = sum,
    .maximum = maximum,
    .peak = peak,
};
