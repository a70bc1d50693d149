/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_bf16.h"

#define CHANNELS (2 * PM_BLOCK) /* of a block of pairs */

int pm_conv_bf16_suits(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    return plan->bf16 && in->block == PM_BLOCK && in->shape.channels / node->window.groups % 2 == 0;
}

/* A line between blocks keeps the same pixel of all blocks out of one set of the L1 cache. */
struct pm_map pm_conv_bf16_map(const struct pm_map *in, uint64_t floats) {
    struct pm_map pairs = {.shape = in->shape, .block = PM_BLOCK, .row_stride = in->row_stride};
    pairs.shape.channels /= 2;
    pairs.block_stride = (ptrdiff_t)floats + PM_BLOCK;
    pairs.size = (uint64_t)pairs.block_stride * pm_map_blocks(&pairs);
    return pairs;
}

void pm_conv_bf16_narrow(const struct pm_node *node, const struct pm_plan *plan, const float *from, uint64_t floats,
                         const float *gate, const struct pm_map *pairs, float *to) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    const ptrdiff_t gate_block = plan->maps[node->gate].block_stride;
    for (uint32_t c = 0; c < in->shape.channels; c += CHANNELS) {
        plan->bf16->narrow(&(struct pm_bf16_pixels){
            .from = from,
            .gate = gate,
            .pairs = to,
            .pixels = (ptrdiff_t)floats / PM_BLOCK,
            .block = in->block_stride,
            .gate_block = gate_block,
            .channels = in->shape.channels - c < CHANNELS ? in->shape.channels - c : CHANNELS,
            .slices = plan->slices,
            .slice = (ptrdiff_t)pairs->size,
        });
        from += 2 * in->block_stride;
        if (gate) gate += 2 * gate_block;
        to += pairs->block_stride;
    }
}
