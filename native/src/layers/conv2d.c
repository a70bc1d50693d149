/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution over the channels of a group, by the method that suits it. */
#include "core/json.h"
#include "layers/conv_inner.h"
#include "layers/conv_method.h"

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    POMONA_RETURN_IF(kernel->rank != 4 || kernel->dims[0] > PM_MAX_SIDE || kernel->dims[1] > PM_MAX_SIDE ||
                         kernel->dims[2] > UINT32_MAX || kernel->dims[3] > UINT32_MAX / 2,
                     error, POMONA_BAD_MODEL,
                     "layer %s: `kernel` (tensor %s) must be [height, width, in / groups, out]", node->name,
                     kernel->name);
    POMONA_TRY(pm_window_read(node, attributes, error));
    uint64_t groups = 1;
    POMONA_TRY(pm_json_uint(attributes, "groups", node->name, 1, 1, UINT32_MAX, &groups, error));
    node->window.groups = (uint32_t)groups;
    node->window.kernel[0] = (uint32_t)kernel->dims[0];
    node->window.kernel[1] = (uint32_t)kernel->dims[1];
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    uint32_t groups = node->window.groups, out = (uint32_t)kernel->dims[3];
    POMONA_RETURN_IF(out % groups, error, POMONA_BAD_MODEL, "layer %s: %u outputs in %u groups", node->name, out,
                     groups);
    return pm_kernel_infer(node, inputs, kernel->dims[2] * groups, out, error);
}

static const struct pm_conv_method *choose(const struct pm_node *node, const struct pm_plan *plan) {
    if (plan->maps[node->inputs[0]].part) return &pm_conv_direct;
    if (pm_conv_winograd_suits(node, plan)) return &pm_conv_winograd;
    if (pm_conv_inner_of(node, plan)) return &pm_conv_direct;
    return pm_conv_strassen_suits(node, plan, &plan->maps[node->inputs[0]].shape) ? &pm_conv_strassen : &pm_conv_direct;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    node->method = choose(node, plan);
    return node->method->prepare(node, plan, error);
}

static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    node->method->pack(node, plan, packed);
}

static void run(const struct pm_node *node, const struct pm_run *run) { node->method->run(node, run); }

const struct pm_layer pm_layer_conv2d = {
    .name = "conv2d",
    .roles = {"kernel", "?bias"},
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_PADDING | PM_TAKES_AFFINE | PM_TAKES_RESIDUAL | PM_TAKES_CLAMP | PM_TAKES_ACTIVATION |
             PM_TAKES_PLAIN | PM_TAKES_WHOLE | PM_TAKES_GATE,
    .read = read,
    .infer = infer,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
