/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_fixed.h"

#include <string.h>

#include "layers/conv_bf16.h"

/* Fewer channels or outputs do not pay for making the numbers. */
#define MIN_CHANNELS (2 * PM_BLOCK)
#define MIN_OUTPUTS (4 * PM_BLOCK)

/* Of more channels, weights would have fewer bits than bf16 (PM_FIXED_SUM). */
#define MAX_CHANNELS (PM_CONV_FIXED_BLOCKS_MAX * 2 * PM_BLOCK)

const struct pm_fixed_kernels *pm_conv_fixed_of(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *w = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    const uint32_t channels = in->shape.channels * (in->pairs ? 2 : 1);
    if (!pm_window_is_pixel(w) || w->groups != 1 || channels < MIN_CHANNELS || channels > MAX_CHANNELS ||
        node->shape.channels < MIN_OUTPUTS)
        return NULL;
    const struct pm_window seen = pm_conv_bf16_window(node, plan);
    return seen.stride[0] == 1 && seen.stride[1] == 1 && pm_cpu_adds_beside() ? plan->bf16->fixed : NULL;
}

void pm_conv_fixed_lanes(const struct pm_map *pairs, uint16_t *lanes) {
    for (uint32_t c = 0; c < pm_map_blocks(pairs) * PM_BLOCK; c++) {
        const int there = c < pairs->shape.channels && (!pairs->room || c % pairs->room < pairs->part);
        if (c % PM_BLOCK == 0) lanes[c / PM_BLOCK] = 0;
        lanes[c / PM_BLOCK] |= (uint16_t)(there << c % PM_BLOCK);
    }
}

/* Two numbers of 16 bits. */
struct pair {
    int16_t even, odd;
};

/* As numbers that are added: the even one may borrow from the odd one, which comes back with the input's bias. */
static uint32_t sum_of(struct pair pair) { return ((uint32_t)pair.odd << 16) + (uint32_t)(int32_t)pair.even; }

/* What the products of a line with the weights of one output, `outputs` apart, have too much, modulo 2^32. */
static uint32_t surplus_of(float *weights, ptrdiff_t length, ptrdiff_t outputs) {
    struct pair pairs[PM_BLOCK];
    uint32_t surplus = 0;
    for (ptrdiff_t k = 0; k < length; k++) {
        memcpy(&pairs[k], weights + k * outputs, sizeof pairs[k]);
        surplus += (uint32_t)(pairs[k].even * PM_FIXED_BIAS);
    }
    for (ptrdiff_t k = 0; pm_fixed_is_inner(length) && k < 2 * PM_FIXED_PAIRS; k++) {
        const struct pair partner = pairs[(k + PM_FIXED_PAIRS) % (2 * PM_FIXED_PAIRS)];
        const uint32_t sum = sum_of(pairs[k]);
        if (k < PM_FIXED_PAIRS)
            surplus += (uint32_t)(pairs[k].even * partner.even) + (uint32_t)(pairs[k].odd * partner.odd);
        memcpy(weights + k * outputs, &sum, sizeof sum);
    }
    return surplus;
}

void pm_conv_fixed_pack(const struct pm_panels *panels, float *packed) {
    for (uint32_t p = 0; p < panels->count; p++) {
        const struct pm_panel *panel = &panels->list[p];
        const ptrdiff_t outputs = pm_tiling_outputs(panel->tiling);
        float *weights = packed + panel->packed + 2 * outputs;
        for (ptrdiff_t c = 0; c < outputs; c++, weights++) {
            uint32_t start = 0;
            float *line = weights;
            for (ptrdiff_t s = 0; s < panel->segment_count; line += panel->segments[s++].length * outputs)
                start -= surplus_of(line, panel->segments[s].length, outputs);
            memcpy(line, &start, sizeof start);
        }
    }
}
