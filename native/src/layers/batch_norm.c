/* SPDX-License-Identifier: Apache-2.0 */

/* y = (x - mean) / sqrt(variance + epsilon) * gamma + beta: the scale and shift of an epilogue, which moves into that
 * of the convolution before it where there is one. */
#include <math.h>

#include "core/json.h"
#include "core/memory.h"
#include "layers/layer.h"

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct pm_epilogue *epilogue = &node->epilogue;
    const struct pm_tensor *mean = pm_weight(node, "mean"), *variance = pm_weight(node, "variance");
    const struct pm_tensor *gamma = pm_weight(node, "gamma"), *beta = pm_weight(node, "beta");
    uint64_t channels = variance->count;
    double epsilon;
    POMONA_TRY(pm_json_number(attributes, "epsilon", node->name, &epsilon, error));
    for (int i = 0; i < PM_MAX_ROLES && node->layer->roles[i]; i++)
        POMONA_TRY(pm_check_vector(node, node->layer->roles[i] + (node->layer->roles[i][0] == '?'), channels, error));
    epilogue->scale = pm_allocate_zeroed(channels * 2, sizeof *epilogue->scale);
    POMONA_RETURN_IF(!epilogue->scale, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory", node->name);
    epilogue->shift = epilogue->scale + channels;
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

static int fold(struct pm_node *node, struct pm_node *before) {
    return before->layer->takes & PM_TAKES_AFFINE && pm_epilogue_affine(before, node);
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
    for (uint32_t c = 0; c < slots; c += PM_BLOCK, packed += 2 * PM_BLOCK)
        pm_epilogue_pack(node, c, PM_BLOCK, packed, packed + PM_BLOCK);
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
