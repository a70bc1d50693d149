/* SPDX-License-Identifier: Apache-2.0 */

/* Sum of two values, folded into the convolution or the pool that makes one of them where nobody else reads it. */
#include <math.h>

#include "layers/layer.h"

/* `before` is the later of the two, so that the other value is there when it runs. */
static int fold(struct pm_node *node, struct pm_node *before) {
    struct pm_epilogue *epilogue = &before->epilogue;
    int other = node->inputs[node->inputs[0] == before->value];
    if (other == 0 || node->spread || !(before->layer->takes & PM_TAKES_RESIDUAL) || epilogue->residual >= 0 ||
        !pm_epilogue_is_linear(epilogue))
        return 0;
    epilogue->residual = other;
    return 1;
}

/* As of independent numbers. */
static double rms(const struct pm_node *node, const double *inputs) {
    (void)node;
    return inputs[0] > 0 && inputs[1] > 0 ? hypot(inputs[0], inputs[1]) : 0;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    (void)plan, (void)error;
    if (node->spread) node->kernel = "affine";
    return POMONA_OK;
}

static void run_row(const struct pm_node *node, const struct pm_run *run, ptrdiff_t block, float *out, const float *a,
                    const float *b) {
    static const float ones[PM_BLOCK] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const struct pm_kernels *kernels = run->plan->kernels;
    ptrdiff_t width = node->shape.width;
    (void)block;
    if (node->spread) kernels->affine(out, a, ones, b, width, node->epilogue.low, node->epilogue.high);
    else kernels->add(out, a, b, width * PM_BLOCK, node->epilogue.low, node->epilogue.high);
}

static void run(const struct pm_node *node, const struct pm_run *run) { pm_each_row(node, run, run_row); }

const struct pm_layer pm_layer_add = {
    .name = "add",
    .min_inputs = 2,
    .max_inputs = 2,
    .takes = PM_TAKES_CLAMP | PM_TAKES_ACTIVATION,
    .infer = pm_pair_infer,
    .rms = rms,
    .fold = fold,
    .prepare = prepare,
    .run = run,
};
