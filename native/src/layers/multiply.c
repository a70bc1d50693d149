/* SPDX-License-Identifier: Apache-2.0 */

/* Product of two values, or of each pixel of one with the one pixel of another: squeeze-and-excite. */
#include "layers/layer.h"

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    (void)plan, (void)error;
    if (node->spread) node->kernel = "affine";
    return POMONA_OK;
}

static void run_row(const struct pm_node *node, const struct pm_run *run, ptrdiff_t block, float *out, const float *a,
                    const float *b) {
    static const float zeros[PM_BLOCK];
    const struct pm_kernels *kernels = run->plan->kernels;
    ptrdiff_t width = node->shape.width;
    (void)block;
    if (node->spread) kernels->affine(out, a, b, zeros, width, node->epilogue.low, node->epilogue.high);
    else kernels->multiply(out, a, b, width * PM_BLOCK, node->epilogue.low, node->epilogue.high);
}

static void run(const struct pm_node *node, const struct pm_run *run) { pm_each_row(node, run, run_row); }

const struct pm_layer pm_layer_multiply = {
    .name = "multiply",
    .min_inputs = 2,
    .max_inputs = 2,
    .takes = PM_TAKES_CLAMP | PM_TAKES_ACTIVATION,
    .infer = pm_pair_infer,
    .prepare = prepare,
    .run = run,
};
