/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/pool.h"

#include <string.h>

#include "layers/global_pool.h"

size_t pm_pooled_length(const struct pm_shape *features, pomona_pooling pooling) {
    size_t pixels = pooling == POMONA_POOLING_NONE ? (size_t)features->height * features->width : 1;
    return pixels * features->channels;
}

/* Channels that the block starting at `first` holds. */
static uint32_t block_channels(const struct pm_map *map, uint32_t first) {
    uint32_t left = map->shape.channels - first;
    return left < PM_BLOCK ? left : PM_BLOCK;
}

static void copy_map(const struct pm_map *map, const float *value, float *vector) {
    for (uint32_t y = 0; y < map->shape.height; y++)
        for (uint32_t x = 0; x < map->shape.width; x++)
            for (uint32_t first = 0; first < map->shape.channels; first += PM_BLOCK) {
                uint32_t channels = block_channels(map, first);
                memcpy(vector,
                       value + first / PM_BLOCK * map->block_stride + y * map->row_stride + (ptrdiff_t)x * PM_BLOCK,
                       channels * sizeof *vector);
                vector += channels;
            }
}

void pm_pool(const struct pm_run *run, int value, uint32_t image, pomona_pooling pooling, float *vector) {
    const struct pm_map *map = &run->plan->maps[value];
    const float *from = pm_value(run, value, image);
    if (pooling == POMONA_POOLING_NONE) {
        copy_map(map, from, vector);
        return;
    }
    for (uint32_t first = 0; first < map->shape.channels; first += PM_BLOCK, from += map->block_stride) {
        float result[PM_BLOCK];
        pm_global_pool(run->plan->kernels, map, from, pooling == POMONA_POOLING_AVG, result);
        memcpy(vector + first, result, block_channels(map, first) * sizeof *result);
    }
}
