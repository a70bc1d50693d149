/* SPDX-License-Identifier: Apache-2.0 */

/* (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance over the channels of each pixel. gamma and
 * beta are the scale and shift of the epilogue, so that a batch_norm or affine after it folds into them. */
#include "core/json.h"
#include "core/memory.h"
#include "layers/affine.h"

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    double *epsilon = node->state = pm_allocate(sizeof *epsilon);
    POMONA_RETURN_IF(!epsilon, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory", node->name);
    POMONA_TRY(pm_json_number(attributes, "epsilon", node->name, epsilon, error));
    POMONA_RETURN_IF(!(*epsilon > 0), error, POMONA_BAD_MODEL, "layer %s: `epsilon` must be positive", node->name);
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    return pm_affine_infer(node, inputs, "gamma", "beta", error);
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct pm_map *in = &run->plan->maps[node->inputs[0]], *out = &run->plan->maps[node->value];
    struct pm_norm_row row = {.affine = node->packed,
                              .pixels = out->shape.width,
                              .channels = out->shape.channels,
                              .input_block = in->block_stride,
                              .output_block = out->block_stride,
                              .epsilon = *(const double *)node->state,
                              .low = node->epilogue.low,
                              .high = node->epilogue.high};
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t y = 0; y < out->shape.height; y++) {
            row.input = pm_value(run, node->inputs[0], i) + y * in->row_stride;
            row.output = pm_value(run, node->value, i) + y * out->row_stride;
            run->plan->kernels->layer_norm(&row);
        }
}

const struct pm_layer pm_layer_layer_norm = {
    .name = "layer_norm",
    .kernel = "layer_norm_f64acc",
    .roles = {"?gamma", "?beta"},
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_AFFINE | PM_TAKES_CLAMP,
    .read = read,
    .infer = infer,
    .rms = pm_rms_of_norm,
    .prepare = pm_affine_prepare,
    .pack = pm_affine_pack,
    .run = run,
};
