/* SPDX-License-Identifier: Apache-2.0 */

/* A depthwise convolution in bf16: its kernels read couples of pixels (kernels/bf16.h), to which the rows of its input
 * are rounded first, or as which its producer wrote them. */
#ifndef POMONA_LAYERS_DEPTHWISE_BF16_H
#define POMONA_LAYERS_DEPTHWISE_BF16_H

#include "layers/layer.h"

/* The routine for the node's window in the plan's precision, or NULL. */
const struct pm_bf16_depthwise *pm_depthwise_bf16(const struct pm_node *node, const struct pm_plan *plan);

/* It is faster than fp32 even where the node's input is still to be rounded. */
int pm_depthwise_bf16_pays(const struct pm_node *node);

/* Numbers of the packed weights of a block; packs one block's. */
uint64_t pm_depthwise_bf16_weights(const struct pm_node *node);
void pm_depthwise_bf16_pack(const struct pm_node *node, uint32_t first, float *packed);

#endif
