/* SPDX-License-Identifier: Apache-2.0 */

/* Ways to compute a conv2d, chosen by shape and CPU level when a model is opened, and what they share. */
#ifndef POMONA_LAYERS_CONV_METHOD_H
#define POMONA_LAYERS_CONV_METHOD_H

#include "layers/layer.h"

/* As in pm_layer. */
struct pm_conv_method {
    pomona_status (*prepare)(struct pm_node *node, const struct pm_plan *plan, pomona_error *error);
    void (*pack)(const struct pm_node *node, const struct pm_plan *plan, float *packed);
    void (*run)(const struct pm_node *node, const struct pm_run *run);
};

/* Any convolution, in fp32, in fp64 or in bf16. */
extern const struct pm_conv_method pm_conv_direct;

/* Winograd F(4x4, 3x3), for 3x3 windows with stride 1: a quarter of the products, more memory for weights (4 times) and
 * scratch, rounding errors about 5 times those of direct sums. */
extern const struct pm_conv_method pm_conv_winograd;
int pm_conv_winograd_suits(const struct pm_node *node, const struct pm_plan *plan);

/* The first of PM_CONV_TILINGS_MAX tilings that has at most `blocks` output blocks and takes windows this far apart, or
 * NULL. */
const struct pm_conv_tiling *pm_conv_tiling(const struct pm_conv_tiling *list, int wide, uint32_t blocks,
                                            ptrdiff_t input_pixel);

/* One run of output pixels by one panel of weights, in tiles as even as the tiling allows. */
void pm_conv_run_tiles(const struct pm_conv_tiling *tiling, struct pm_conv_tile tile, uint32_t pixels);

#endif
