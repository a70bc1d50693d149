/* SPDX-License-Identifier: Apache-2.0 */

/* A depthwise convolution in bf16: its kernels read couples of pixels (kernels/bf16.h), to which the rows of its input
 * are rounded first, or as which its producer wrote them. */
#ifndef POMONA_LAYERS_DEPTHWISE_BF16_H
#define POMONA_LAYERS_DEPTHWISE_BF16_H

#include "layers/conv_bands.h"

/* The routine for the node's window in the plan's precision, or NULL. */
const struct pm_bf16_depthwise *pm_depthwise_bf16(const struct pm_node *node, const struct pm_plan *plan);

/* It is faster than fp32 even where the node's input is still to be rounded. */
int pm_depthwise_bf16_pays(const struct pm_node *node);

/* A row of couples under the node's windows, zeros beside the input included; in floats. */
struct pm_couples_row {
    ptrdiff_t length;
    ptrdiff_t left, right; /* from its begin to the input's first pixel, and from the input's last couple to its end */
};
struct pm_couples_row pm_couples_row_of(const struct pm_node *node, const struct pm_plan *plan);

/* Numbers of the packed weights of a block; packs one block's. */
uint64_t pm_depthwise_bf16_weights(const struct pm_node *node);
void pm_depthwise_bf16_pack(const struct pm_node *node, uint32_t first, float *packed);

/* Floats of scratch for the rows that are rounded together, and rows of the node's value that are made from them. */
uint64_t pm_depthwise_bf16_floats(const struct pm_node *node, const struct pm_plan *plan);
uint32_t pm_depthwise_bf16_rows(const struct pm_node *node, const struct pm_plan *plan);

/* Rounds the rows under `band`, of a map of floats, to `couples`. */
void pm_depthwise_bf16_round(const struct pm_node *node, const struct pm_plan *plan, const struct pm_band *band,
                             float *couples);

#endif
