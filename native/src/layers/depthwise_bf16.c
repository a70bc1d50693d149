/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/depthwise_bf16.h"

/* 1: the first window begins with the right pixel of a couple. */
static int phase_of(const struct pm_node *node) { return (int)(node->window.padding[PM_LEFT] % 2); }

/* The first layers' taps cancel most, and all others inherit their errors: rounding the input of the first depthwise
 * layer alone costs more than that of all others together (docs/numerics.md). */
const struct pm_bf16_depthwise *pm_depthwise_bf16(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *window = &node->window;
    if (!plan->bf16 || plan->slices > 1 || node->order < PM_PRECISE_LAYERS || window->dilation[1] != 1) return NULL;
    for (const struct pm_bf16_depthwise *d = plan->bf16->couples; d->name; d++)
        if (window->kernel[0] == (uint32_t)d->side && window->kernel[1] == (uint32_t)d->side &&
            window->stride[1] == (uint32_t)d->stride && (d->phase < 0 || d->phase == phase_of(node)))
            return d;
    return NULL;
}

/* Not for 9 products of each 4 numbers. */
int pm_depthwise_bf16_pays(const struct pm_node *node) {
    return node->window.kernel[1] > 3 || node->window.stride[1] == 1;
}

/* Couples under one row of a window. */
static uint32_t window_couples(const struct pm_node *node) { return (node->window.kernel[1] + 1) / 2; }

static int lists(const struct pm_node *node) { return pm_bf16_weight_lists((int)node->window.stride[1]); }

uint64_t pm_depthwise_bf16_weights(const struct pm_node *node) {
    return (uint64_t)node->window.kernel[0] * (uint64_t)lists(node) * window_couples(node) * PM_BLOCK;
}

/* The weight of column x of row y, or 0 beside the window and past the last channel. */
static float weight_at(const struct pm_node *node, uint32_t y, int64_t x, uint32_t channel) {
    const uint32_t width = node->window.kernel[1], channels = node->shape.channels;
    if (x < 0 || x >= width || channel >= channels) return 0;
    return pm_weight(node, "kernel")->data[((uint64_t)y * width + (uint64_t)x) * channels + channel];
}

void pm_depthwise_bf16_pack(const struct pm_node *node, uint32_t first, float *packed) {
    for (uint32_t y = 0; y < node->window.kernel[0]; y++)
        for (int list = 0; list < lists(node); list++)
            for (int64_t couple = 0; couple < window_couples(node); couple++)
                for (uint32_t c = first; c < first + PM_BLOCK; c++) {
                    int64_t x = 2 * couple - (phase_of(node) ^ list);
                    *packed++ = pm_bf16_pair(weight_at(node, y, x, c), weight_at(node, y, x + 1, c));
                }
}
