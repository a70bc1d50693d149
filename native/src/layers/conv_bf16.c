/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_bf16.h"

#include <math.h>

#define CHANNELS (2 * PM_BLOCK) /* of a block of pairs */

int pm_conv_bf16_gathers(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *w = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    return plan->bf16 && plan->slices == 1 && !in->digits && in->block != PM_BLOCK && w->groups == 1 &&
           w->dilation[1] == 1 && (uint64_t)w->kernel[1] * in->block <= CHANNELS;
}

int pm_conv_bf16_suits(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    int whole = in->block == PM_BLOCK && in->shape.channels / node->window.groups % 2 == 0;
    return plan->bf16 && (whole || in->pairs || pm_conv_bf16_gathers(node, plan));
}

/* Of the input only the pixels that windows of 1x1 with a stride see are rounded, one beside the other. */
static int picks(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *w = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    return pm_window_is_pixel(w) && (w->stride[0] > 1 || w->stride[1] > 1) && in->block == PM_BLOCK && !in->pairs;
}

struct pm_window pm_conv_bf16_window(const struct pm_node *node, const struct pm_plan *plan) {
    struct pm_window window = node->window;
    if (pm_conv_bf16_gathers(node, plan)) window.kernel[1] = window.stride[1] = 1;
    if (picks(node, plan)) window.stride[0] = window.stride[1] = 1;
    return window;
}

/* A 1x1 convolution of whole pairs of `channels`, and of nothing but them. */
static int reads_pixels(const struct pm_node *conv, uint32_t channels) {
    return conv->layer == pm_layer_find("conv2d") && pm_window_is_pixel(&conv->window) && !conv->gate &&
           !conv->prologue && channels / conv->window.groups % 2 == 0;
}

int pm_conv_bf16_takes(const struct pm_node *conv, const struct pm_node *before) {
    return reads_pixels(conv, before->shape.channels) && before->layer->takes & PM_IS_AFFINE &&
           !before->epilogue.activation.function && before->inputs[0] > 0;
}

int pm_conv_bf16_reads_pairs(const struct pm_node *conv, const struct pm_node *before) {
    return reads_pixels(conv, before->shape.channels) && before->layer->takes & PM_GIVES_PAIRS &&
           before->window.groups == before->shape.channels;
}

uint64_t pm_conv_bf16_change_floats(const struct pm_node *node, const struct pm_plan *plan) {
    return node->prologue ? 2 * PM_BLOCK * (uint64_t)pm_map_blocks(&plan->maps[node->inputs[0]]) : 0;
}

void pm_conv_bf16_change_pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    uint32_t half = (uint32_t)(pm_conv_bf16_change_floats(node, plan) / 2);
    if (node->prologue) pm_epilogue_pack(node->prologue, 0, half, packed, packed + half);
}

struct pm_bf16_change pm_conv_bf16_change(const struct pm_node *node, const struct pm_run *run, uint32_t image,
                                          const float *packed) {
    struct pm_bf16_change change = {.low = -INFINITY, .high = INFINITY};
    if (node->gate) {
        change.scale = pm_value(run, node->gate, image);
        change.block = run->plan->maps[node->gate].block_stride;
    } else if (node->prologue) {
        change = (struct pm_bf16_change){.scale = packed,
                                         .shift = packed + pm_conv_bf16_change_floats(node, run->plan) / 2,
                                         .block = PM_BLOCK,
                                         .low = node->prologue->epilogue.low,
                                         .high = node->prologue->epilogue.high};
    }
    return change;
}

static struct pm_map gathered_map(const struct pm_node *node, const struct pm_map *in) {
    struct pm_map pairs = {.shape = in->shape, .block = PM_BLOCK, .unit = in->unit};
    pairs.shape.width = node->shape.width;
    pairs.shape.channels = (node->window.kernel[1] * in->block + 1) / 2;
    pairs.row_stride = (ptrdiff_t)node->shape.width * PM_BLOCK;
    return pairs;
}

static struct pm_map paired_map(const struct pm_map *in) {
    struct pm_map pairs = {.shape = in->shape, .block = PM_BLOCK, .row_stride = in->row_stride};
    pairs.shape.channels /= 2;
    pairs.part = (in->part + 1) / 2;
    pairs.room = in->room / 2;
    return pairs;
}

static struct pm_map picked_map(const struct pm_node *node, const struct pm_map *in) {
    struct pm_map pairs = paired_map(in);
    pairs.shape.height = node->shape.height;
    pairs.shape.width = node->shape.width;
    pairs.row_stride = (ptrdiff_t)node->shape.width * PM_BLOCK;
    return pairs;
}

/* A line between blocks keeps the same pixel of all blocks out of one set of the L1 cache. */
struct pm_map pm_conv_bf16_map(const struct pm_node *node, const struct pm_plan *plan, uint64_t floats) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    if (in->pairs) return *in;
    struct pm_map pairs = pm_conv_bf16_gathers(node, plan) ? gathered_map(node, in)
                          : picks(node, plan)              ? picked_map(node, in)
                                                           : paired_map(in);
    pairs.block_stride = (ptrdiff_t)floats + PM_BLOCK;
    pairs.size = (uint64_t)pairs.block_stride * pm_map_blocks(&pairs);
    return pairs;
}

void pm_conv_bf16_narrow_blocks(const struct pm_plan *plan, const struct pm_bf16_pixels *first, uint32_t channels,
                                ptrdiff_t pairs) {
    struct pm_bf16_pixels blocks = *first;
    for (uint32_t c = 0; c < channels; c += CHANNELS) {
        blocks.channels = channels - c < CHANNELS ? channels - c : CHANNELS;
        plan->bf16->narrow(&blocks);
        blocks.from += 2 * blocks.block;
        blocks.pairs += pairs;
        if (blocks.change.scale) blocks.change.scale += 2 * blocks.change.block;
        if (blocks.change.shift) blocks.change.shift += 2 * blocks.change.block;
    }
}

int pm_conv_bf16_is_alone(const struct pm_node *node, ptrdiff_t block) {
    return block % 2 == 0 && (block + 1) * PM_BLOCK >= node->shape.channels;
}

/* What stands for a missing half must be zeros: AMX multiplies them. */
void pm_conv_bf16_narrow_row(const struct pm_node *node, const struct pm_plan *plan, ptrdiff_t block, const float *from,
                             ptrdiff_t pixels, float *to) {
    const struct pm_bf16_pixels alone = {
        .from = from, .pairs = to, .pixels = pixels, .step = PM_BLOCK, .channels = PM_BLOCK, .slices = 1};
    if (pm_conv_bf16_is_alone(node, block)) plan->bf16->narrow(&alone);
    else plan->bf16->narrow_half(to, from, pixels);
}

static void gather(const struct pm_node *node, const struct pm_plan *plan, const float *from, uint64_t floats,
                   const struct pm_map *pairs, float *to) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    for (float *end = to + floats; to < end; to += pairs->row_stride, from += in->row_stride)
        plan->bf16->narrow(&(struct pm_bf16_pixels){
            .from = from,
            .pairs = to,
            .pixels = node->shape.width,
            .step = (ptrdiff_t)(node->window.stride[1] * in->block),
            .block = PM_BLOCK,
            .channels = node->window.kernel[1] * in->block,
            .slices = 1,
        });
}

/* Row by row, as `first` says of the first one but for its length. */
static void pick(const struct pm_node *node, const struct pm_plan *plan, const struct pm_bf16_pixels *first,
                 uint64_t floats, const struct pm_map *pairs) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    const uint32_t *stride = node->window.stride;
    struct pm_bf16_pixels row = *first;
    row.pixels = node->shape.width;
    row.step = (ptrdiff_t)(stride[1] * PM_BLOCK);
    for (float *end = row.pairs + floats; row.pairs < end; row.pairs += pairs->row_stride) {
        pm_conv_bf16_narrow_blocks(plan, &row, in->shape.channels, pairs->block_stride);
        row.from += (ptrdiff_t)stride[0] * in->row_stride;
    }
}

void pm_conv_bf16_narrow(const struct pm_node *node, const struct pm_plan *plan, const float *from, uint64_t floats,
                         const struct pm_bf16_change *change, const struct pm_map *pairs, float *to) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    const struct pm_bf16_pixels first = {
        .from = from,
        .pairs = to,
        .pixels = (ptrdiff_t)floats / PM_BLOCK,
        .step = PM_BLOCK,
        .block = in->block_stride,
        .slices = plan->slices,
        .slice = (ptrdiff_t)pairs->size,
        .change = *change,
    };
    if (pm_conv_bf16_gathers(node, plan)) gather(node, plan, from, floats, pairs, to);
    else if (picks(node, plan)) pick(node, plan, &first, floats, pairs);
    else pm_conv_bf16_narrow_blocks(plan, &first, in->shape.channels, pairs->block_stride);
}
