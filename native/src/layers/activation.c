/* SPDX-License-Identifier: Apache-2.0 */

/* ReLU and ReLU6: clamps, folded into the node before wherever nobody else reads its value. */
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "layers/layer.h"

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    const char *kind;
    POMONA_TRY(pm_json_string(attributes, "kind", node->name, &kind, error));
    int relu = !strcmp(kind, "relu"), relu6 = !strcmp(kind, "relu6");
    POMONA_RETURN_IF(!relu && !relu6, error, POMONA_UNSUPPORTED, "layer %s: activation `%.32s`; supported: relu, relu6",
                     node->name, kind);
    pm_epilogue_clamp(node, 0, relu6 ? 6 : INFINITY);
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    (void)error;
    node->shape = *inputs;
    return POMONA_OK;
}

static int fold(struct pm_node *node, struct pm_node *before) {
    if (!(before->layer->takes & PM_TAKES_CLAMP)) return 0;
    pm_epilogue_clamp(before, node->epilogue.low, node->epilogue.high);
    return 1;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    POMONA_TRY(pm_check_blocked(node, plan, error));
    node->packed_count = 2 * PM_BLOCK;
    node->kernel = "affine";
    return POMONA_OK;
}

/* [scale 1][shift 0] for the affine kernel, whose clamp does the work. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    (void)node, (void)plan;
    for (int c = 0; c < PM_BLOCK; c++) packed[c] = 1, packed[PM_BLOCK + c] = 0;
}

static void run_row(const struct pm_node *node, const struct pm_run *run, ptrdiff_t block, float *out, const float *in,
                    const float *none) {
    (void)block, (void)none;
    run->plan->kernels->affine(out, in, node->packed, node->packed + PM_BLOCK, node->shape.width, node->epilogue.low,
                               node->epilogue.high);
}

static void run(const struct pm_node *node, const struct pm_run *run) { pm_each_row(node, run, run_row); }

const struct pm_layer pm_layer_activation = {
    .name = "activation",
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_CLAMP,
    .read = read,
    .infer = infer,
    .fold = fold,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
