/* SPDX-License-Identifier: Apache-2.0 */

/* y = x * scale + shift by channel. */
#include "layers/affine.h"

#include "core/memory.h"

pomona_status pm_affine_allocate(struct pm_node *node, uint64_t channels, pomona_error *error) {
    struct pm_epilogue *epilogue = &node->epilogue;
    epilogue->scale = pm_allocate_zeroed(channels * 2, sizeof *epilogue->scale);
    POMONA_RETURN_IF(!epilogue->scale, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory", node->name);
    epilogue->shift = epilogue->scale + channels;
    for (uint64_t c = 0; c < channels; c++) epilogue->scale[c] = 1;
    return POMONA_OK;
}

pomona_status pm_affine_infer(struct pm_node *node, const struct pm_shape *inputs, const char *scale_role,
                              const char *shift_role, pomona_error *error) {
    const struct pm_tensor *scale = pm_weight(node, scale_role), *shift = pm_weight(node, shift_role);
    node->shape = *inputs;
    POMONA_TRY(pm_check_vector(node, scale_role, inputs->channels, error));
    POMONA_TRY(pm_check_vector(node, shift_role, inputs->channels, error));
    if (!scale && !shift) return POMONA_OK;
    POMONA_TRY(pm_affine_allocate(node, inputs->channels, error));
    for (uint32_t c = 0; c < inputs->channels; c++) {
        if (scale) node->epilogue.scale[c] = scale->data[c];
        if (shift) node->epilogue.shift[c] = shift->data[c];
    }
    return POMONA_OK;
}

int pm_affine_fold(struct pm_node *node, struct pm_node *before) {
    return before->layer->takes & PM_TAKES_AFFINE && pm_epilogue_affine(before, node);
}

pomona_status pm_affine_prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    (void)error;
    node->packed_count = (uint64_t)pm_map_blocks(&plan->maps[node->value]) * PM_BLOCK * 2;
    return POMONA_OK;
}

void pm_affine_pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
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

void pm_affine_run(const struct pm_node *node, const struct pm_run *run) { pm_each_row(node, run, run_row); }

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    return pm_affine_infer(node, inputs, "scale", "shift", error);
}

const struct pm_layer pm_layer_affine = {
    .name = "affine",
    .roles = {"?scale", "?shift"},
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_AFFINE | PM_TAKES_CLAMP | PM_TAKES_ACTIVATION | PM_IS_AFFINE,
    .infer = infer,
    .fold = pm_affine_fold,
    .prepare = pm_affine_prepare,
    .pack = pm_affine_pack,
    .run = pm_affine_run,
};
