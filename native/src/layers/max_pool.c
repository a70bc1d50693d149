/* SPDX-License-Identifier: Apache-2.0 */

/* The greatest value under each window. */
#include "layers/pooling.h"

static void run(const struct pm_node *node, const struct pm_run *run) {
    pm_pooling_run(node, run, run->plan->kernels->max_pool);
}

const struct pm_layer pm_layer_max_pool = {
    .name = "max_pool",
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_PADDING | PM_TAKES_RESIDUAL | PM_TAKES_CLAMP | PM_KEEPS_SLOTS,
    .read = pm_pooling_read,
    .infer = pm_pooling_infer,
    .rms = pm_rms_of_inputs,
    .run = run,
};
