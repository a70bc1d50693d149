/* SPDX-License-Identifier: Apache-2.0 */

/* The greatest value under each window. */
#include "layers/pooling.h"

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    (void)plan, (void)error;
    node->kernel = "max_pool";
    return POMONA_OK;
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    pm_pooling_run(node, run, run->plan->kernels->max_pool);
}

const struct pm_layer pm_layer_max_pool = {
    .name = "max_pool",
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_PADDING | PM_TAKES_CLAMP,
    .read = pm_pooling_read,
    .infer = pm_pooling_infer,
    .prepare = prepare,
    .run = run,
};
