/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of convolution kernels, one for each number of pixels, and the tilings that name them: a kernel of so many
 * pixels, blocks and distance is called conv_<pixels>x<blocks>_<distance>. */
#ifndef POMONA_KERNELS_CONV_TILINGS_H
#define POMONA_KERNELS_CONV_TILINGS_H

#include "kernels/kernels.h"

/* X for each number of pixels up to a tiling's. */
#define UP_TO_6(X, ...)                                                                                                \
    X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__)
#define UP_TO_10(X, ...)                                                                                               \
    UP_TO_6(X, __VA_ARGS__) X(7, __VA_ARGS__) X(8, __VA_ARGS__) X(9, __VA_ARGS__) X(10, __VA_ARGS__)
#define UP_TO_14(X, ...)                                                                                               \
    UP_TO_10(X, __VA_ARGS__) X(11, __VA_ARGS__) X(12, __VA_ARGS__) X(13, __VA_ARGS__) X(14, __VA_ARGS__)
#define UP_TO_18(X, ...)                                                                                               \
    UP_TO_14(X, __VA_ARGS__) X(15, __VA_ARGS__) X(16, __VA_ARGS__) X(17, __VA_ARGS__) X(18, __VA_ARGS__)
#define UP_TO_22(X, ...)                                                                                               \
    UP_TO_18(X, __VA_ARGS__) X(19, __VA_ARGS__) X(20, __VA_ARGS__) X(21, __VA_ARGS__) X(22, __VA_ARGS__)
#define UP_TO_26(X, ...)                                                                                               \
    UP_TO_22(X, __VA_ARGS__) X(23, __VA_ARGS__) X(24, __VA_ARGS__) X(25, __VA_ARGS__) X(26, __VA_ARGS__)
#define UP_TO_30(X, ...)                                                                                               \
    UP_TO_26(X, __VA_ARGS__) X(27, __VA_ARGS__) X(28, __VA_ARGS__) X(29, __VA_ARGS__) X(30, __VA_ARGS__)
#define UP_TO_32(X, ...) UP_TO_30(X, __VA_ARGS__) X(31, __VA_ARGS__) X(32, __VA_ARGS__)

#define CONV_ENTRY(pixels, blocks, distance) conv_##pixels##x##blocks##_##distance,

/* A pm_conv_tiling of the functions of UP_TO_<pixels>. */
#define CONV_TILING(pixels, blocks, distance, label) CONV_TURNING_TILING(pixels, blocks, distance, label, NULL)
#define CONV_TURNING_TILING(pixels, blocks, distance, label, turning)                                                  \
    { label, PM_SUMS_FP32, pixels, blocks, distance, {UP_TO_##pixels(CONV_ENTRY, blocks, distance)}, turning, 0, 0 }

#define CONV_HALF_ENTRY(pixels, ...) conv_half_##pixels,
#define CONV_BROAD_HALF_ENTRY(pixels, ...) conv_broad_half_##pixels,

#define CONV_HALF_TILING(pixels, label)                                                                                \
    { label, PM_SUMS_FP32, pixels, 1, PM_BLOCK, {UP_TO_##pixels(CONV_HALF_ENTRY, 0)}, NULL, 0, 1 }
#define CONV_BROAD_HALF_TILING(pixels, label)                                                                          \
    { label, PM_SUMS_FP32, pixels, 2, PM_BLOCK, {UP_TO_##pixels(CONV_BROAD_HALF_ENTRY, 0)}, NULL, 0, 1 }

#define CONV_INNER_ENTRY(pixels, blocks) conv_inner_##pixels##x##blocks,
#define CONV_INNER_TILING(pixels, blocks, label)                                                                       \
    { label, PM_SUMS_FP32, pixels, blocks, PM_BLOCK, {UP_TO_##pixels(CONV_INNER_ENTRY, blocks)}, NULL, 1, 0 }

#endif
