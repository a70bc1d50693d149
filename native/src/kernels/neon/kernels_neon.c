/* SPDX-License-Identifier: Apache-2.0 */

/* NEON: 6 pixels x 1 block (four vectors) fill 24 of 32 registers, 4 hold weights, the rest inputs: one number each,
 * by which a whole vector is multiplied. */
#define PM_VL 4
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

const struct pm_kernels pm_kernels_neon = {
    .level = PM_CPU_NEON,
    .name = "neon",
    .conv = {CONV_TILING(6, 1, 16, "conv_f32_6x16_s1_neon"),
             CONV_TILING(6, 1, 32, "conv_f32_6x16_s2_neon"),
             CONV_TILING(6, 1, 0, "conv_f32_6x16_neon"),
             {"conv_f64acc_3x16_neon", 1, 3, 1, 0, {UP_TO_3(CONV_WIDE_ENTRY, 0)}}},
    .depthwise = {DEPTHWISE_VARIANTS("neon", 0, f32, "f32"), DEPTHWISE_VARIANTS("neon", 1, f64, "f64acc")},
    .winograd_name = "conv_winograd_f43_neon",
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
    .activations = pm_activations_neon,
    .peak = peak,
    .moments = &pm_moment_kernels_neon,
    .resize = &pm_resize_kernels_neon,
};
