/* SPDX-License-Identifier: Apache-2.0 */

/* Values one after the other along the channels. The memory plan lets most of them be written where they belong
 * (graph/plan.c); the others are copied, which shifts channels within their blocks where those before them do not fill
 * whole blocks. A clamp is theirs who make the parts, or comes with the copy. */
#include <string.h>

#include "layers/layer.h"

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    uint64_t channels = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        POMONA_RETURN_IF(inputs[i].height != inputs->height || inputs[i].width != inputs->width, error,
                         POMONA_BAD_MODEL, "layer %s: concat of %ux%u and %ux%u; all inputs must be of one size",
                         node->name, inputs->height, inputs->width, inputs[i].height, inputs[i].width);
        channels += inputs[i].channels;
    }
    POMONA_RETURN_IF(channels > PM_MAX_CHANNELS, error, POMONA_LIMIT, "layer %s: %llu channels; the limit is %u",
                     node->name, (unsigned long long)channels, PM_MAX_CHANNELS);
    node->shape = (struct pm_shape){inputs->height, inputs->width, (uint32_t)channels};
    return POMONA_OK;
}

/* Slots of input `j` in the value. */
static uint32_t slots_of(const struct pm_node *node, const struct pm_plan *plan, uint32_t j) {
    return node->part ? pm_part_room(node->part) : plan->maps[node->inputs[j]].shape.channels;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    const struct pm_map *map = &plan->maps[node->value];
    (void)error;
    node->kernel = "in place";
    for (uint32_t j = 0, first = 0; j < node->input_count; first += slots_of(node, plan, j++))
        if (plan->maps[node->inputs[j]].offset != map->offset + first / PM_BLOCK * (uint64_t)map->block_stride ||
            first % PM_BLOCK)
            node->kernel = "copy";
    return POMONA_OK;
}

static inline void copy_pixels(float *to, const float *from, uint32_t width, uint32_t count) {
    for (uint32_t x = 0; x < width; x++, to += PM_BLOCK, from += PM_BLOCK)
        for (uint32_t c = 0; c < count; c++) to[c] = from[c];
}

/* `count` slots of each pixel of a row, from one slot of a block to another: in whole vectors where channels come in
 * fours, as they mostly do. */
static void copy_slots(float *to, const float *from, uint32_t width, uint32_t count) {
    switch (count) {
    case 4: copy_pixels(to, from, width, 4); break;
    case 8: copy_pixels(to, from, width, 8); break;
    case 12: copy_pixels(to, from, width, 12); break;
    default: copy_pixels(to, from, width, count);
    }
}

/* `count` slots of each pixel of a block, from slot `slot` of `to` on. A clamp may touch all slots: those of parts
 * before are within it already, and those of parts to come will be. */
static void copy_map(const struct pm_node *node, const struct pm_run *run, float *to, uint32_t slot, const float *from,
                     const struct pm_map *source, uint32_t count, int clamped) {
    const struct pm_map *map = &run->plan->maps[node->value];
    if (to + slot == from) return; /* written there already */
    for (uint32_t y = 0; y < map->shape.height; y++) {
        float *row = to + y * map->row_stride;
        const float *source_row = from + y * source->row_stride;
        if (count < PM_BLOCK) copy_slots(row + slot, source_row, map->shape.width, count);
        else if (!clamped) memcpy(row, source_row, map->shape.width * PM_BLOCK * sizeof *row);
        if (clamped) pm_epilogue_clamp_row(node, run, row, count < PM_BLOCK ? row : source_row);
    }
}

/* All channels of a part, in runs that lie within one block both there and here; with the gap behind it, where it has
 * one. */
static void copy_part(const struct pm_node *node, const struct pm_run *run, float *to, const struct pm_map *part,
                      const float *from, uint32_t first, int clamped) {
    const struct pm_map *map = &run->plan->maps[node->value];
    const uint32_t slots = node->part ? pm_part_room(node->part) : part->shape.channels;
    uint32_t channel = 0, count;
    for (; channel < slots; channel += count) {
        uint32_t here = first + channel, left = slots - channel;
        count = PM_BLOCK - here % PM_BLOCK;
        if (count > PM_BLOCK - channel % PM_BLOCK) count = PM_BLOCK - channel % PM_BLOCK;
        if (count > left) count = left;
        copy_map(node, run, to + here / PM_BLOCK * map->block_stride, here % PM_BLOCK,
                 from + channel / PM_BLOCK * part->block_stride + channel % PM_BLOCK, part, count, clamped);
    }
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct pm_map *maps = run->plan->maps;
    for (uint32_t i = 0; i < run->count; i++)
        for (uint32_t j = 0, first = 0; j < node->input_count; first += slots_of(node, run->plan, j++))
            copy_part(node, run, pm_value(run, node->value, i), &maps[node->inputs[j]],
                      pm_value(run, node->inputs[j], i), first, node->unclamped >> j & 1);
}

const struct pm_layer pm_layer_concat = {
    .name = "concat",
    .min_inputs = 1,
    .max_inputs = PM_MAX_INPUTS,
    .takes = PM_IS_CONCAT | PM_TAKES_CLAMP,
    .infer = infer,
    .rms = pm_rms_of_inputs,
    .prepare = prepare,
    .run = run,
};
