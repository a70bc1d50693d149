/* SPDX-License-Identifier: Apache-2.0 */

/* A border of zeros. Every window that follows takes it as halo (graph/fold.c); for layers that read no halo, the halo
 * of its input stands for it (graph/plan.c), but that of a crop. */
#include <string.h>

#include "core/json.h"
#include "layers/layer.h"

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    return pm_json_uints(attributes, "padding", node->name, 0, 0, PM_MAX_SIDE, node->window.padding, 4, error);
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    const uint32_t *padding = node->window.padding;
    uint64_t height = (uint64_t)inputs->height + padding[PM_TOP] + padding[PM_BOTTOM];
    uint64_t width = (uint64_t)inputs->width + padding[PM_LEFT] + padding[PM_RIGHT];
    POMONA_RETURN_IF(height > PM_MAX_SIDE || width > PM_MAX_SIDE, error, POMONA_LIMIT,
                     "layer %s: padded to more than %u pixels a side", node->name, PM_MAX_SIDE);
    node->shape = (struct pm_shape){(uint32_t)height, (uint32_t)width, inputs->channels};
    return POMONA_OK;
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    if (pm_is_view(node, run->plan)) return;
    const struct pm_map *in = &run->plan->maps[node->inputs[0]], *out = &run->plan->maps[node->value];
    const uint32_t *padding = node->window.padding;
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t block = 0; block < pm_map_blocks(out); block++)
            for (ptrdiff_t y = 0; y < out->shape.height; y++) {
                float *to = pm_value(run, node->value, i) + block * out->block_stride + y * out->row_stride;
                const float *from = pm_value(run, node->inputs[0], i) + block * in->block_stride +
                                    (y - (ptrdiff_t)padding[PM_TOP]) * in->row_stride;
                memset(to, 0, out->shape.width * PM_BLOCK * sizeof *to);
                if (y >= padding[PM_TOP] && y < (ptrdiff_t)padding[PM_TOP] + in->shape.height)
                    memcpy(to + padding[PM_LEFT] * PM_BLOCK, from, in->shape.width * PM_BLOCK * sizeof *to);
            }
}

const struct pm_layer pm_layer_zero_pad = {
    .name = "zero_pad",
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_IS_PAD | PM_KEEPS_SLOTS,
    .read = read,
    .infer = infer,
    .rms = pm_rms_of_inputs,
    .prepare = pm_view_prepare,
    .run = run,
};
