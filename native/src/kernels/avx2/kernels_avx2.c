/* SPDX-License-Identifier: Apache-2.0 */

/* AVX2 and FMA: 6 pixels x 1 block (two vectors) fill 12 of 16 registers, 2 hold weights, 1 the broadcast input. */
#define PM_VL 8
#include "kernels/conv_tile.inc.c"
#include "kernels/depthwise.h"
#include "kernels/elementwise.inc.c"
#include "kernels/layer_norm.inc.c"
#include "kernels/moments.h"
#include "kernels/pool.inc.c"
#include "kernels/windows.h"
#include "kernels/winograd.inc.c"

UP_TO_6(CONV_KERNEL, 1, 16)
UP_TO_6(CONV_KERNEL, 1, 32)
UP_TO_6(CONV_KERNEL, 1, 0)

UP_TO_3(CONV_WIDE_KERNEL, 0)

const struct pm_kernels pm_kernels_avx2 = {
    .level = PM_CPU_AVX2,
    .name = "avx2",
    .conv = {CONV_TILING(6, 1, 16, "conv_f32_6x16_s1_avx2"),
             CONV_TILING(6, 1, 32, "conv_f32_6x16_s2_avx2"),
             CONV_TILING(6, 1, 0, "conv_f32_6x16_avx2"),
             {"conv_f64acc_3x16_avx2", 1, 3, 1, 0, {UP_TO_3(CONV_WIDE_ENTRY, 0)}}},
    .depthwise = {DEPTHWISE_VARIANTS("avx2", 0, f32, "f32"), DEPTHWISE_VARIANTS("avx2", 1, f64, "f64acc")},
    .winograd_name = "conv_winograd_f43_avx2",
    .winograd_input = winograd_input,
    .winograd_output = winograd_output,
    .add = add,
    .multiply = multiply,
    .affine = affine,
    .sum = sum,
    .maximum = maximum,
    .max_pool = max_pool,
    .avg_pool = avg_pool,
    .layer_norm = layer_norm,
    .activations = pm_activations_avx2,
    .peak = peak,
    .moments = &pm_moment_kernels_avx2,
    .resize = &pm_resize_kernels_avx2,
};
