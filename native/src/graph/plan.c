/* SPDX-License-Identifier: Apache-2.0 */

/* Memory plan: every value gets a place in the slice of its image, or, where nobody reads it after the turn, in the
 * memory of early values, such that values that live at the same time do not overlap. Largest first, each at the lowest
 * offset that is free for its whole life. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "graph/graph.h"

#define LINE_FLOATS (PM_ALIGNMENT / sizeof(float))
#define PAGE_FLOATS (4096 / sizeof(float))

/* A value is there from the step that writes it to the last step that reads it; step = index of the value written. A
 * part of a concatenation lies in the concatenation's own memory, from its `block` on, which is then there for as long
 * as either: a chain of them, as in DenseNet, is one piece of memory that grows. */
struct life {
    int value, first, last;
    int home; /* the concatenation in which it lies, -1: it lies by itself */
    int view; /* the value of whose pixels it is a part, or these and their halo; -1: none */
    uint32_t block;
    int early; /* nobody reads it from the turn on */
    struct pm_map *map;
};

static void widen_halo(struct pm_map *map, const uint32_t *padding) {
    for (int side = 0; side < 4; side++)
        if (padding[side] > map->halo[side]) map->halo[side] = padding[side];
}

/* Strides, origin and size from shape, block and halo. A distance of whole pages between blocks would send the same
 * pixel of all blocks to one set of the L1 cache: one line more avoids it. */
static pomona_status lay_out(struct pm_map *map, const char *name, pomona_error *error) {
    uint32_t pixels = map->shape.width + map->halo[PM_LEFT] + map->halo[PM_RIGHT];
    uint64_t row = (pm_map_bytes(map, pixels) + sizeof(float) - 1) / sizeof(float), plane, size;
    uint64_t rows = (uint64_t)map->shape.height + map->halo[PM_TOP] + map->halo[PM_BOTTOM];
    int fits = pm_multiply(rows, row, &plane);
    plane = (plane + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
    if (plane % PAGE_FLOATS == 0) plane += LINE_FLOATS;
    fits = fits && pm_multiply(plane, pm_map_blocks(map), &size) && size <= PM_MAX_SLICE / sizeof(float);
    POMONA_RETURN_IF(!fits, error, POMONA_LIMIT, "layer %s: its value of %ux%ux%u needs more than %llu MiB", name,
                     map->shape.height, map->shape.width, map->shape.channels,
                     (unsigned long long)(PM_MAX_SLICE >> 20));
    map->row_stride = (ptrdiff_t)row;
    map->block_stride = (ptrdiff_t)plane;
    map->origin = map->digits ? 0 : (ptrdiff_t)(map->halo[PM_TOP] * row + (uint64_t)map->halo[PM_LEFT] * map->block);
    map->size = size;
    return POMONA_OK;
}

/* Blocks of PM_BLOCK channels, but plain for an input that only convolutions read. */
static uint32_t input_block(const struct pm_graph *graph) {
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint32_t j = 0; j < graph->nodes[i].input_count; j++)
            if (graph->nodes[i].inputs[j] == 0 && !(graph->nodes[i].layer->takes & PM_TAKES_PLAIN)) return PM_BLOCK;
    return graph->input.channels;
}

/* A part that begins a block lies in the concatenation. Where it ends within a block, the next part, which is copied,
 * writes over slots that belong to no channel of it. */
static void find_homes(const struct pm_node *node, struct life *lives) {
    uint32_t channel = 0;
    for (uint32_t j = 0, slots; j < node->input_count; j++, channel += slots) {
        struct life *part = &lives[node->inputs[j]];
        slots = node->part ? pm_part_room(node->part) : part->map->shape.channels;
        if (part->value == 0 || part->home >= 0 || part->view >= 0 || channel % PM_BLOCK) continue;
        if (node->unclamped >> j & 1) continue;
        part->home = node->value;
        part->block = channel / PM_BLOCK;
    }
}

static void live_until(const struct pm_node *reader, int step, struct life *lives) {
    for (uint32_t j = 0; j < reader->input_count; j++)
        if (lives[reader->inputs[j]].last < step) lives[reader->inputs[j]].last = step;
}

static int has_halo(const struct pm_map *map) {
    return map->halo[PM_TOP] || map->halo[PM_BOTTOM] || map->halo[PM_LEFT] || map->halo[PM_RIGHT];
}

/* Room for the zeros around a value lasts as long as it: it must not be larger. */
static int may_be_halo(const struct pm_node *pad, const struct pm_shape *of) {
    return pad->shape.height <= 2 * of->height && pad->shape.width <= 2 * of->width;
}

/* Crops that need no halo, and paddings of what is no view itself. */
static void find_views(const struct pm_graph *graph, struct life *lives) {
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct pm_node *node = &graph->nodes[i];
        struct life *life = &lives[node->value];
        int crops = (node->layer->takes & PM_IS_CROP) != 0, pads = (node->layer->takes & PM_IS_PAD) != 0;
        if (node->folded || !(crops || pads) || node->inputs[0] == 0 || has_halo(life->map)) continue;
        const struct life *of = &lives[node->inputs[0]];
        if (pads && (of->view >= 0 || !may_be_halo(node, &of->map->shape))) continue;
        life->view = of->value;
        if (pads) widen_halo(of->map, node->window.padding);
    }
    for (uint32_t v = graph->node_count; v > 0; v--) { /* a view of a view comes after it */
        struct life *of = lives[v].view < 0 ? NULL : &lives[lives[v].view];
        if (of && of->last < lives[v].last) of->last = lives[v].last;
    }
}

static void lay_parts(struct pm_map *map, uint32_t part) {
    map->part = part;
    map->room = pm_part_room(part);
    map->shape.channels = map->shape.channels / part * map->room;
}

/* lives[] by value: who reads it last, and where it may lie. */
static void find_lives(const struct pm_graph *graph, struct pm_map *maps, struct life *lives) {
    for (uint32_t v = 0; v <= graph->node_count; v++) {
        lives[v] =
            (struct life){.value = (int)v, .first = (int)v, .last = (int)v, .home = -1, .view = -1, .map = &maps[v]};
        maps[v] = (struct pm_map){.shape = *pm_graph_shape(graph, (int)v), .block = v ? PM_BLOCK : input_block(graph)};
        maps[v].rms = v ? graph->nodes[v - 1].rms : 0;
        maps[v].pairs = v && graph->nodes[v - 1].pairs;
        if (maps[v].pairs) maps[v].shape.channels /= 2;
        if (v && graph->nodes[v - 1].part) lay_parts(&maps[v], graph->nodes[v - 1].part);
    }
    lives[graph->features].last = (int)graph->node_count + 1;
    maps[0].unit = graph->whole ? graph->unit : NULL;
    maps[0].digits = graph->digits;
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct pm_node *node = &graph->nodes[i];
        live_until(node, node->value, lives);
        if (node->producer) live_until(node->producer, node->value, lives);
        if (node->folded) continue;
        if (node->layer->takes & PM_TAKES_PADDING) widen_halo(&maps[node->inputs[0]], node->window.padding);
    }
    find_views(graph, lives);
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].layer->takes & PM_IS_CONCAT) find_homes(&graph->nodes[i], lives);
}

static int exists(const struct pm_graph *graph, uint32_t value) {
    return value == 0 || !graph->nodes[value - 1].folded;
}

/* What parts need, their homes need: halo and time. A home comes after its parts. */
static void join_lives(const struct pm_graph *graph, struct life *lives) {
    for (uint32_t v = 0; v <= graph->node_count; v++) {
        if (lives[v].home < 0) continue;
        struct life *home = &lives[lives[v].home];
        widen_halo(home->map, lives[v].map->halo);
        if (lives[v].first < home->first) home->first = lives[v].first;
        if (lives[v].last > home->last) home->last = lives[v].last;
    }
}

static void settle_part(const struct life *part, const struct pm_map *home) {
    struct pm_map *map = part->map;
    memcpy(map->halo, home->halo, sizeof map->halo);
    map->origin = home->origin;
    map->row_stride = home->row_stride;
    map->block_stride = home->block_stride;
    map->offset = home->offset + part->block * (uint64_t)home->block_stride;
    map->size = pm_map_blocks(map) * (uint64_t)home->block_stride;
}

static void settle_view(const struct pm_node *node, const struct pm_map *of, struct pm_map *map) {
    const uint32_t *padding = node->window.padding;
    ptrdiff_t corner = padding[PM_TOP] * of->row_stride + (ptrdiff_t)padding[PM_LEFT] * PM_BLOCK;
    map->offset = of->offset;
    map->origin = node->layer->takes & PM_IS_PAD ? of->origin - corner : of->origin + corner;
    map->row_stride = of->row_stride;
    map->block_stride = of->block_stride;
}

static int by_size(const void *a, const void *b) {
    const struct life *x = a, *y = b;
    if (x->map->size != y->map->size) return x->map->size > y->map->size ? -1 : 1;
    return x->value - y->value;
}

/* The lowest offset at which `life` meets none of the `placed` ones. */
static uint64_t find_offset(const struct life *lives, uint32_t placed, const struct life *life) {
    uint64_t offset = 0;
    for (int moved = 1; moved;) {
        moved = 0;
        for (uint32_t i = 0; i < placed; i++) {
            const struct life *other = &lives[i];
            int together = other->first <= life->last && life->first <= other->last && other->early == life->early;
            int overlap =
                other->map->offset < offset + life->map->size && offset < other->map->offset + other->map->size;
            if (together && overlap) offset = other->map->offset + other->map->size, moved = 1;
        }
    }
    return offset;
}

/* Those that lie by themselves, largest first. */
static pomona_status place_wholes(const struct pm_graph *graph, const struct life *lives, struct life *wholes,
                                  struct pm_plan *plan, pomona_error *error) {
    uint32_t count = 0;
    plan->slice = plan->early = 0;
    for (uint32_t v = 0; v <= graph->node_count; v++) {
        if (!exists(graph, v) || lives[v].home >= 0 || lives[v].view >= 0) continue;
        POMONA_TRY(lay_out(lives[v].map, v ? graph->nodes[v - 1].name : "input", error));
        if (v > 0 && graph->nodes[v - 1].banded) continue;
        wholes[count] = lives[v];
        wholes[count++].early = lives[v].last <= (int)plan->turn;
    }
    qsort(wholes, count, sizeof *wholes, by_size);
    for (uint32_t i = 0; i < count; i++) {
        struct pm_map *map = wholes[i].map;
        uint64_t *floats = wholes[i].early ? &plan->early : &plan->slice;
        map->offset = find_offset(wholes, i, &wholes[i]);
        if (map->offset + map->size > *floats) *floats = map->offset + map->size;
    }
    for (uint32_t i = 0; i < count; i++)
        if (wholes[i].early) wholes[i].map->offset += plan->slice;
    uint64_t one = plan->early + plan->slice;
    POMONA_RETURN_IF(one > PM_MAX_SLICE / sizeof(float), error, POMONA_LIMIT,
                     "the activations of one image need %llu MiB; the limit is %llu",
                     (unsigned long long)(one * sizeof(float) >> 20), (unsigned long long)(PM_MAX_SLICE >> 20));
    return POMONA_OK;
}

pomona_status pm_graph_place(const struct pm_graph *graph, struct pm_map *maps, struct pm_plan *plan,
                             pomona_error *error) {
    plan->turn = pm_graph_turn(graph);
    size_t values = (size_t)graph->node_count + 1;
    struct life *lives = pm_allocate_zeroed(2 * values, sizeof *lives); /* by value, and by size */
    POMONA_RETURN_IF(!lives, error, POMONA_OUT_OF_MEMORY, "no memory to plan the arena");
    find_lives(graph, maps, lives);
    join_lives(graph, lives);
    pomona_status status = place_wholes(graph, lives, lives + values, plan, error);
    for (size_t v = values; !status && v-- > 0;)
        if (lives[v].home >= 0) settle_part(&lives[v], &maps[lives[v].home]);
    for (size_t v = 1; !status && v < values; v++)
        if (lives[v].view >= 0) settle_view(&graph->nodes[v - 1], &maps[lives[v].view], &maps[v]);
    pm_free(lives);
    return status;
}
