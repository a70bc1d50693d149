/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_gate.h"

int pm_conv_gate_suits(const struct pm_node *conv, const struct pm_node *product) {
    if (product->layer != pm_layer_find("multiply") || !product->spread || !pm_epilogue_is_linear(&product->epilogue) ||
        product->inputs[0] == 0 || product->inputs[1] == 0)
        return 0;
    return pm_window_is_pixel(&conv->window) && conv->window.groups == 1 &&
           conv->shape.channels <= (uint64_t)product->shape.height * product->shape.width;
}

/* A segment is the channels of one block, a row of weights each. */
void pm_conv_gate_weights(const struct pm_node *node, const struct pm_run *run, const struct pm_panels *panels,
                          uint32_t image, float *weights) {
    const struct pm_map *gate = &run->plan->maps[node->gate];
    for (uint32_t p = 0; p < panels->count; p++) {
        const struct pm_panel *panel = &panels->list[p];
        const ptrdiff_t outputs = pm_tiling_outputs(panel->tiling);
        const float *from = node->packed + panel->packed + 2 * outputs, *factors = pm_value(run, node->gate, image);
        float *to = weights + panel->packed + 2 * outputs;
        for (ptrdiff_t s = 0; s < panel->segment_count; s++, factors += gate->block_stride) {
            const ptrdiff_t rows = panel->segments[s].length;
            run->plan->kernels->scale_rows(to, from, factors, rows, outputs);
            to += rows * outputs;
            from += rows * outputs;
        }
    }
}
