/* SPDX-License-Identifier: Apache-2.0
 *
 * y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, folded into the convolution before it where there is one.
 */
#include <math.h>

#include "core/json.h"
#include "core/memory.h"
#include "layers/layer.h"

struct batch_norm {
    double epsilon;
};

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct batch_norm *norm = node->state = pm_allocate_zeroed(1, sizeof *norm);
    POMONA_RETURN_IF(!norm, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory", node->name);
    POMONA_TRY(pm_json_number(attributes, "epsilon", node->name, &norm->epsilon, error));
    const struct pm_tensor *variance = pm_weight(node, "variance");
    for (uint64_t c = 0; c < variance->count; c++)
        POMONA_RETURN_IF(!(variance->data[c] + norm->epsilon > 0), error, POMONA_BAD_MODEL,
                         "layer %s: variance %llu of tensor %s is not positive", node->name, (unsigned long long)c,
                         variance->name);
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    node->shape = *inputs;
    for (int i = 0; i < PM_MAX_ROLES && node->layer->roles[i]; i++)
        POMONA_TRY(
            pm_check_vector(node, node->layer->roles[i] + (node->layer->roles[i][0] == '?'), inputs->channels, error));
    return POMONA_OK;
}

static void coefficients(const struct pm_node *node, uint32_t channel, double *scale, double *shift) {
    const struct batch_norm *norm = node->state;
    const struct pm_tensor *gamma = pm_weight(node, "gamma"), *beta = pm_weight(node, "beta");
    *scale =
        (gamma ? gamma->data[channel] : 1.0) / sqrt((double)pm_weight(node, "variance")->data[channel] + norm->epsilon);
    *shift = (beta ? beta->data[channel] : 0.0) - pm_weight(node, "mean")->data[channel] * *scale;
}

static int fold(struct pm_node *node, struct pm_node *before) {
    uint32_t channels = node->shape.channels;
    if (!(before->layer->takes & PM_TAKES_AFFINE)) return 0;
    double *scale = pm_allocate_zeroed((size_t)channels * 2, sizeof *scale);
    int folded = 0;
    if (scale) {
        for (uint32_t c = 0; c < channels; c++) coefficients(node, c, &scale[c], &scale[channels + c]);
        folded = pm_epilogue_affine(before, scale, scale + channels);
    }
    pm_free(scale);
    return folded;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    POMONA_TRY(pm_check_blocked(node, plan, error));
    node->packed_count = (uint64_t)pm_map_blocks(&plan->maps[node->value]) * PM_BLOCK * 2;
    node->kernel = "affine";
    return POMONA_OK;
}

/* Each block of 16 channels: [scale][shift]. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    uint32_t slots = pm_map_blocks(&plan->maps[node->value]) * PM_BLOCK;
    for (uint32_t c = 0; c < slots; c++) {
        float *to = packed + c / PM_BLOCK * 2 * PM_BLOCK + c % PM_BLOCK;
        double scale = 0, shift = 0;
        if (c < node->shape.channels) coefficients(node, c, &scale, &shift);
        pm_epilogue_channel(node, c, scale, shift, &to[0], &to[PM_BLOCK]);
    }
}

static void run_row(const struct pm_node *node, const struct pm_run *run, ptrdiff_t block, float *out, const float *in,
                    const float *none) {
    (void)none;
    const float *scale = node->packed + block * 2 * PM_BLOCK;
    run->plan->kernels->affine(out, in, scale, scale + PM_BLOCK, node->shape.width, node->epilogue.low,
                               node->epilogue.high);
}

static void run(const struct pm_node *node, const struct pm_run *run) { pm_each_row(node, run, run_row); }

const struct pm_layer pm_layer_batch_norm = {
    .name = "batch_norm",
    .roles = {"mean", "variance", "?gamma", "?beta"},
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_AFFINE | PM_TAKES_CLAMP,
    .read = read,
    .infer = infer,
    .fold = fold,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
