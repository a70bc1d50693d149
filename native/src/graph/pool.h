/* SPDX-License-Identifier: Apache-2.0 */

/* From the feature map to the vector that leaves the library. */
#ifndef POMONA_GRAPH_POOL_H
#define POMONA_GRAPH_POOL_H

#include "layers/layer.h"

/* Numbers in the vector. */
size_t pm_pooled_length(const struct pm_shape *features, pomona_pooling pooling);

/* Writes pm_pooled_length floats, the vector of slice `image` of the arena: mean or maximum over all pixels by channel,
 * or the map as height x width x channels. */
void pm_pool(const struct pm_run *run, int value, uint32_t image, pomona_pooling pooling, float *vector);

#endif
