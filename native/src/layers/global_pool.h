/* SPDX-License-Identifier: Apache-2.0 */

/* Pooling over a whole map, for the layer and for the vectors that leave the library. */
#ifndef POMONA_LAYERS_GLOBAL_POOL_H
#define POMONA_LAYERS_GLOBAL_POOL_H

#include "layers/layer.h"

/* Mean or maximum of one block of 16 channels to result[16]; `block` is its first pixel. Any thread. */
void pm_global_pool(const struct pm_kernels *kernels, const struct pm_map *map, const float *block, int average,
                    float *result);

#endif
