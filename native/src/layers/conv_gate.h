/* SPDX-License-Identifier: Apache-2.0 */

/* The product of squeeze-and-excite, folded into the 1x1 convolution that alone reads it: its input's channel c counts
 * gate[c] times. In bf16 the input is multiplied as it is rounded; else the weights are, once an image. */
#ifndef POMONA_LAYERS_CONV_GATE_H
#define POMONA_LAYERS_CONV_GATE_H

#include "layers/conv_panels.h"

/* `conv` can take `product`, and it has not more weights than there are numbers to multiply. */
int pm_conv_gate_suits(const struct pm_node *conv, const struct pm_node *product);

/* The packed weights of an image, laid out as in node->packed; scale and shift are left out. */
void pm_conv_gate_weights(const struct pm_node *node, const struct pm_run *run, const struct pm_panels *panels,
                          uint32_t image, float *weights);

#endif
