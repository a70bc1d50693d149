/* SPDX-License-Identifier: Apache-2.0 */

/* Sum of two values, folded into the convolution that makes one of them where nobody else reads it. */
#include <math.h>

#include "layers/layer.h"

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    const struct pm_shape *a = &inputs[0], *b = &inputs[1];
    POMONA_RETURN_IF(a->height != b->height || a->width != b->width || a->channels != b->channels, error,
                     POMONA_BAD_MODEL, "layer %s: adds %ux%ux%u to %ux%ux%u", node->name, b->height, b->width,
                     b->channels, a->height, a->width, a->channels);
    node->shape = *a;
    return POMONA_OK;
}

/* `before` is the later of the two, so that the other value is there when it runs. */
static int fold(struct pm_node *node, struct pm_node *before) {
    struct pm_epilogue *epilogue = &before->epilogue;
    int other = node->inputs[node->inputs[0] == before->value];
    if (other == 0 || !(before->layer->takes & PM_TAKES_RESIDUAL) || epilogue->residual >= 0 ||
        epilogue->low > -INFINITY || epilogue->high < INFINITY)
        return 0;
    epilogue->residual = other;
    return 1;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    POMONA_TRY(pm_check_blocked(node, plan, error));
    node->kernel = "add";
    return POMONA_OK;
}

static void run_row(const struct pm_node *node, const struct pm_run *run, ptrdiff_t block, float *out, const float *a,
                    const float *b) {
    (void)block;
    run->plan->kernels->add(out, a, b, (ptrdiff_t)node->shape.width * PM_BLOCK, node->epilogue.low,
                            node->epilogue.high);
}

static void run(const struct pm_node *node, const struct pm_run *run) { pm_each_row(node, run, run_row); }

const struct pm_layer pm_layer_add = {
    .name = "add",
    .min_inputs = 2,
    .max_inputs = 2,
    .takes = PM_TAKES_CLAMP,
    .infer = infer,
    .fold = fold,
    .prepare = prepare,
    .run = run,
};
