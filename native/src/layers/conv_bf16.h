/* SPDX-License-Identifier: Apache-2.0 */

/* A direct convolution in bf16: its kernels read pairs of channels (kernels/bf16.h), to which a sweep's input is
 * rounded before all output channels are made from it. */
#ifndef POMONA_LAYERS_CONV_BF16_H
#define POMONA_LAYERS_CONV_BF16_H

#include "layers/layer.h"

/* The plan is in bf16 and every run of input channels that the node's outputs see is one of whole pairs. */
int pm_conv_bf16_suits(const struct pm_node *node, const struct pm_plan *plan);

/* `in` as a map of pairs with its distances between pixels and rows, whose blocks hold as many pixels as `floats`
 * floats of a block of `in`. Its origin is the first of them. */
struct pm_map pm_conv_bf16_map(const struct pm_map *in, uint64_t floats);

/* Rounds `floats` floats of each block, from `from` on in the first, times `gate` where there is one, to a map of
 * pairs; as many of them, one after the other, as the plan has slices. */
void pm_conv_bf16_narrow(const struct pm_node *node, const struct pm_plan *plan, const float *from, uint64_t floats,
                         const float *gate, const struct pm_map *pairs, float *to);

#endif
