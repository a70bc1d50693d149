/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/depthwise_rows.h"

#include <math.h>
#include <string.h>

/* Floats of rows that wait together: few enough for the L2 cache beside what is made of them, and so many that rows
 * under two such bands count little. */
#define WAITING_FLOATS ((ptrdiff_t)64 * 1024 / (ptrdiff_t)sizeof(float))

static ptrdiff_t floats_of(uint32_t pixels, int couples) {
    return (ptrdiff_t)(couples ? (pixels + 1) / 2 : pixels) * PM_BLOCK;
}

struct pm_waiting_row pm_waiting_row_of(const struct pm_node *node, const struct pm_plan *plan, int couples) {
    const uint32_t *padding = node->window.padding, width = plan->maps[node->inputs[0]].shape.width;
    struct pm_waiting_row row = {.left = floats_of(padding[PM_LEFT], couples)};
    row.right = floats_of(width + padding[PM_RIGHT], couples) - floats_of(width, couples);
    row.length = row.left + floats_of(width, couples) + row.right;
    return row;
}

/* Rows of the input under so many rows of the value. */
static ptrdiff_t rows_under(const struct pm_node *node, uint32_t rows) {
    const struct pm_window *window = &node->window;
    return (ptrdiff_t)(rows - 1) * window->stride[0] + (ptrdiff_t)(window->kernel[0] - 1) * window->dilation[0] + 1;
}

uint32_t pm_waiting_rows(const struct pm_node *node, const struct pm_waiting_row *row) {
    const ptrdiff_t fit = WAITING_FLOATS / row->length - rows_under(node, 1);
    const ptrdiff_t rows = fit > 0 ? fit / node->window.stride[0] + 1 : 1;
    return rows < node->shape.height ? (uint32_t)rows : node->shape.height;
}

uint64_t pm_waiting_floats(const struct pm_node *node, const struct pm_waiting_row *row) {
    return (uint64_t)(rows_under(node, pm_waiting_rows(node, row)) * row->length);
}

/* Rows above and below the input are those of its halo: the clamp leaves zeros as they are. */
void pm_waiting_enter(const struct pm_node *node, const struct pm_run *run, const struct pm_band *band, int couples,
                      float *waiting) {
    const struct pm_map *in = &run->plan->maps[node->inputs[0]];
    const struct pm_waiting_row row = pm_waiting_row_of(node, run->plan, couples);
    const struct pm_node *prologue = node->prologue;
    const float low = prologue ? prologue->epilogue.low : -INFINITY,
                high = prologue ? prologue->epilogue.high : INFINITY;
    const float *from = band->input + (ptrdiff_t)node->window.padding[PM_LEFT] * PM_BLOCK;
    for (ptrdiff_t y = 0, rows = rows_under(node, band->rows); y < rows; y++, from += in->row_stride) {
        memset(waiting, 0, (size_t)row.left * sizeof *waiting);
        if (couples) run->plan->bf16->couple_row(waiting + row.left, from, in->shape.width, low, high);
        else pm_epilogue_clamp_row(prologue, run, waiting + row.left, from);
        waiting += row.length;
        memset(waiting - row.right, 0, (size_t)row.right * sizeof *waiting);
    }
}

int pm_depthwise_takes(const struct pm_node *node, const struct pm_node *before) {
    const struct pm_epilogue *epilogue = &before->epilogue;
    return node->layer == pm_layer_find("depthwise_conv2d") && node->window.groups == before->shape.channels &&
           node->shape.channels == before->shape.channels && !node->prologue && before->layer->takes & PM_IS_AFFINE &&
           !epilogue->scale && !epilogue->activation.function && epilogue->low <= 0 && epilogue->high >= 0 &&
           before->inputs[0] > 0;
}
