/* SPDX-License-Identifier: Apache-2.0 */

/* exp(x) / sum of exp(x) over the channels of each pixel, around the greatest of them. In fp64: a thousand classes are
 * nothing beside the layers before them. */
#include <math.h>

#include "layers/layer.h"

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    (void)error;
    node->shape = *inputs;
    return POMONA_OK;
}

static ptrdiff_t slot(const struct pm_map *map, uint32_t channel) {
    return channel / PM_BLOCK * map->block_stride + channel % PM_BLOCK;
}

static void run_pixel(const struct pm_map *out, float *to, const struct pm_map *in, const float *from) {
    uint32_t channels = out->shape.channels;
    double sum = 0;
    float top = -INFINITY;
    for (uint32_t c = 0; c < channels; c++) top = fmaxf(top, from[slot(in, c)]);
    for (uint32_t c = 0; c < channels; c++) sum += exp((double)from[slot(in, c)] - top);
    for (uint32_t c = 0; c < channels; c++) to[slot(out, c)] = (float)(exp((double)from[slot(in, c)] - top) / sum);
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct pm_map *in = &run->plan->maps[node->inputs[0]], *out = &run->plan->maps[node->value];
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t y = 0; y < out->shape.height; y++)
            for (ptrdiff_t x = 0; x < out->shape.width; x++)
                run_pixel(out, pm_value(run, node->value, i) + y * out->row_stride + x * PM_BLOCK, in,
                          pm_value(run, node->inputs[0], i) + y * in->row_stride + x * PM_BLOCK);
}

const struct pm_layer pm_layer_softmax = {
    .name = "softmax",
    .kernel = "softmax_f64",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .run = run,
};
