/* SPDX-License-Identifier: Apache-2.0 */

/* y = (x - mean) / sqrt(variance + epsilon) * gamma + beta: the scale and shift of an epilogue, which moves into that
 * of the convolution before it where there is one. */
#include <math.h>

#include "core/json.h"
#include "layers/affine.h"

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct pm_epilogue *epilogue = &node->epilogue;
    const struct pm_tensor *mean = pm_weight(node, "mean"), *variance = pm_weight(node, "variance");
    const struct pm_tensor *gamma = pm_weight(node, "gamma"), *beta = pm_weight(node, "beta");
    uint64_t channels = variance->count;
    double epsilon;
    POMONA_TRY(pm_json_number(attributes, "epsilon", node->name, &epsilon, error));
    for (int i = 0; i < PM_MAX_ROLES && node->layer->roles[i]; i++)
        POMONA_TRY(pm_check_vector(node, node->layer->roles[i] + (node->layer->roles[i][0] == '?'), channels, error));
    POMONA_TRY(pm_affine_allocate(node, channels, error));
    for (uint64_t c = 0; c < channels; c++) {
        POMONA_RETURN_IF(!(variance->data[c] + epsilon > 0), error, POMONA_BAD_MODEL,
                         "layer %s: variance %llu of tensor %s is not positive", node->name, (unsigned long long)c,
                         variance->name);
        epilogue->scale[c] = (gamma ? gamma->data[c] : 1.0) / sqrt(variance->data[c] + epsilon);
        epilogue->shift[c] = (beta ? beta->data[c] : 0.0) - mean->data[c] * epilogue->scale[c];
    }
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    node->shape = *inputs;
    return pm_check_vector(node, "variance", inputs->channels, error);
}

const struct pm_layer pm_layer_batch_norm = {
    .name = "batch_norm",
    .kernel = "affine",
    .roles = {"mean", "variance", "?gamma", "?beta"},
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_AFFINE | PM_TAKES_CLAMP | PM_TAKES_ACTIVATION | PM_IS_AFFINE,
    .read = read,
    .infer = infer,
    .rms = pm_rms_of_norm,
    .fold = pm_affine_fold,
    .prepare = pm_affine_prepare,
    .pack = pm_affine_pack,
    .run = pm_affine_run,
};
