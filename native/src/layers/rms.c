/* SPDX-License-Identifier: Apache-2.0 */

/* Guesses of how large a layer's numbers are, by which inner products scale their weights (kernels/inner.h). */
#include <math.h>

#include "layers/layer.h"

double pm_rms_of_inputs(const struct pm_node *node, const double *inputs) {
    double greatest = inputs[0];
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (!(inputs[i] > 0)) return 0;
        if (inputs[i] > greatest) greatest = inputs[i];
    }
    return greatest;
}

double pm_rms_of_norm(const struct pm_node *node, const double *inputs) {
    const struct pm_tensor *gamma = pm_weight(node, "gamma"), *beta = pm_weight(node, "beta");
    double squares = 0;
    (void)inputs;
    for (uint32_t c = 0; c < node->shape.channels; c++) {
        const double deviation = gamma ? gamma->data[c] : 1, mean = beta ? beta->data[c] : 0;
        squares += deviation * deviation + mean * mean;
    }
    return sqrt(squares / node->shape.channels);
}
