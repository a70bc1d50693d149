/* SPDX-License-Identifier: Apache-2.0 */

/* A direct convolution in bf16 by inner products of fixed-point numbers (kernels/fixed.h). */
#ifndef POMONA_LAYERS_CONV_FIXED_H
#define POMONA_LAYERS_CONV_FIXED_H

#include "kernels/fixed.h"
#include "layers/conv_panels.h"

/* What runs the node, which is in bf16, or NULL where another way is faster. */
const struct pm_fixed_kernels *pm_conv_fixed_of(const struct pm_node *node, const struct pm_plan *plan);

/* pm_fixed_lines.lanes of an input of pairs, at most PM_CONV_FIXED_BLOCKS_MAX. */
#define PM_CONV_FIXED_BLOCKS_MAX 64
void pm_conv_fixed_lanes(const struct pm_map *pairs, uint16_t *lanes);

/* Of panels that were packed as fixed-point numbers: makes what lies behind their weights, and of weights that are
 * added to the input numbers of 32 bits. */
void pm_conv_fixed_pack(const struct pm_panels *panels, float *packed);

#endif
