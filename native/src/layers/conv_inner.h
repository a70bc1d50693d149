/* SPDX-License-Identifier: Apache-2.0 */

/* A direct convolution in fp32 by inner products (kernels/inner.h). */
#ifndef POMONA_LAYERS_CONV_INNER_H
#define POMONA_LAYERS_CONV_INNER_H

#include "kernels/inner.h"
#include "layers/conv_panels.h"

/* What runs the node, or NULL where another way is faster or more precise. */
const struct pm_conv_inner *pm_conv_inner_of(const struct pm_node *node, const struct pm_plan *plan);

/* For inputs of that rms: scales the weights of panels that were packed in fp32 and that inner products run, and
 * changes their scale and shift such that the outputs stay the same. */
void pm_conv_inner_pack(const struct pm_panels *panels, double rms, float *packed);

#endif
