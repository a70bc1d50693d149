/* SPDX-License-Identifier: Apache-2.0 */

/* A part of each map: rows and columns less at each side. It lies in its input where nobody needs a halo around it. */
#include <string.h>

#include "core/json.h"
#include "layers/layer.h"

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    return pm_json_uints(attributes, "cropping", node->name, 0, 0, PM_MAX_SIDE, node->window.padding, 4, error);
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    const uint32_t *cropping = node->window.padding;
    uint32_t rows = cropping[PM_TOP] + cropping[PM_BOTTOM], columns = cropping[PM_LEFT] + cropping[PM_RIGHT];
    POMONA_RETURN_IF(rows >= inputs->height || columns >= inputs->width, error, POMONA_BAD_MODEL,
                     "layer %s: crops %u rows and %u columns off %ux%u", node->name, rows, columns, inputs->height,
                     inputs->width);
    node->shape = (struct pm_shape){inputs->height - rows, inputs->width - columns, inputs->channels};
    return POMONA_OK;
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    if (pm_is_view(node, run->plan)) return;
    const struct pm_map *in = &run->plan->maps[node->inputs[0]], *out = &run->plan->maps[node->value];
    const uint32_t *cropping = node->window.padding;
    ptrdiff_t corner = cropping[PM_TOP] * in->row_stride + (ptrdiff_t)cropping[PM_LEFT] * PM_BLOCK;
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t block = 0; block < pm_map_blocks(out); block++)
            for (ptrdiff_t y = 0; y < out->shape.height; y++) {
                float *to = pm_value(run, node->value, i) + block * out->block_stride + y * out->row_stride;
                const float *from =
                    pm_value(run, node->inputs[0], i) + corner + block * in->block_stride + y * in->row_stride;
                memcpy(to, from, out->shape.width * PM_BLOCK * sizeof *to);
            }
}

const struct pm_layer pm_layer_crop = {
    .name = "crop",
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_IS_CROP | PM_KEEPS_SLOTS,
    .read = read,
    .infer = infer,
    .rms = pm_rms_of_inputs,
    .prepare = pm_view_prepare,
    .run = run,
};
