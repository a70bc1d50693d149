/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/depthwise_bf16.h"

#include <string.h>

/* Floats of rows that are rounded together: few enough for the L2 cache beside what is made of them, and so many that
 * rows under two such bands count little. */
#define ROUNDED_FLOATS ((ptrdiff_t)64 * 1024 / (ptrdiff_t)sizeof(float))

/* 1: the first window begins with the right pixel of a couple. */
static int phase_of(const struct pm_node *node) { return (int)(node->window.padding[PM_LEFT] % 2); }

/* The first layers' taps cancel most, and all others inherit their errors: rounding the input of the first depthwise
 * layer alone costs more than that of all others together (docs/numerics.md). */
const struct pm_bf16_depthwise *pm_depthwise_bf16(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *window = &node->window;
    if (!plan->bf16 || plan->slices > 1 || node->order < PM_WIDE_LAYERS || window->dilation[1] != 1) return NULL;
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

static ptrdiff_t couples_of(uint32_t pixels) { return (ptrdiff_t)((pixels + 1) / 2) * PM_BLOCK; }

struct pm_couples_row pm_couples_row_of(const struct pm_node *node, const struct pm_plan *plan) {
    const uint32_t *padding = node->window.padding, width = plan->maps[node->inputs[0]].shape.width;
    struct pm_couples_row row = {.left = couples_of(padding[PM_LEFT])};
    row.right = couples_of(width + padding[PM_RIGHT]) - couples_of(width);
    row.length = row.left + couples_of(width) + row.right;
    return row;
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

/* Rows of the input under so many rows of the value. */
static ptrdiff_t rows_under(const struct pm_node *node, uint32_t rows) {
    const struct pm_window *window = &node->window;
    return (ptrdiff_t)(rows - 1) * window->stride[0] + (ptrdiff_t)(window->kernel[0] - 1) * window->dilation[0] + 1;
}

uint32_t pm_depthwise_bf16_rows(const struct pm_node *node, const struct pm_plan *plan) {
    const ptrdiff_t fit = ROUNDED_FLOATS / pm_couples_row_of(node, plan).length - rows_under(node, 1);
    const ptrdiff_t rows = fit > 0 ? fit / node->window.stride[0] + 1 : 1;
    return rows < node->shape.height ? (uint32_t)rows : node->shape.height;
}

uint64_t pm_depthwise_bf16_floats(const struct pm_node *node, const struct pm_plan *plan) {
    return (uint64_t)(rows_under(node, pm_depthwise_bf16_rows(node, plan)) * pm_couples_row_of(node, plan).length);
}

void pm_depthwise_bf16_round(const struct pm_node *node, const struct pm_plan *plan, const struct pm_band *band,
                             float *couples) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    const struct pm_couples_row row = pm_couples_row_of(node, plan);
    const float *from = band->input + (ptrdiff_t)node->window.padding[PM_LEFT] * PM_BLOCK;
    for (ptrdiff_t y = 0, rows = rows_under(node, band->rows); y < rows; y++, from += in->row_stride) {
        memset(couples, 0, (size_t)row.left * sizeof *couples);
        plan->bf16->couple_row(couples + row.left, from, in->shape.width);
        couples += row.length;
        memset(couples - row.right, 0, (size_t)row.right * sizeof *couples);
    }
}
