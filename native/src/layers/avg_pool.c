/* SPDX-License-Identifier: Apache-2.0 */

/* The mean of the values under each window; of its padding too where `count_padding` says so. */
#include "layers/pooling.h"

static void run(const struct pm_node *node, const struct pm_run *run) {
    pm_pooling_run(node, run, run->plan->kernels->avg_pool);
}

const struct pm_layer pm_layer_avg_pool = {
    .name = "avg_pool",
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_PADDING | PM_TAKES_RESIDUAL | PM_TAKES_CLAMP | PM_KEEPS_SLOTS,
    .read = pm_pooling_read,
    .infer = pm_pooling_infer,
    .rms = pm_rms_of_inputs,
    .run = run,
};
