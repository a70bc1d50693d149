/* SPDX-License-Identifier: Apache-2.0 */

/* Memory plan: every value gets a place in the slice of its image, such that values that live at the same time do not
 * overlap. Largest first, each at the lowest offset that is free for its whole life. */
#include <stdlib.h>

#include "core/memory.h"
#include "graph/graph.h"

#define LINE_FLOATS (PM_ALIGNMENT / sizeof(float))
#define PAGE_FLOATS (4096 / sizeof(float))

/* A value is there from the step that writes it to the last step that reads it; step = index of the value written. */
struct life {
    int value, first, last;
    struct pm_map *map;
};

static void widen_halo(struct pm_map *map, const uint32_t *padding) {
    for (int side = 0; side < 4; side++)
        if (padding[side] > map->halo[side]) map->halo[side] = padding[side];
}

/* Strides, origin and size from shape, block and halo. A distance of whole pages between blocks would send the same
 * pixel of all blocks to one set of the L1 cache: one line more avoids it. */
static pomona_status lay_out(struct pm_map *map, const char *name, pomona_error *error) {
    uint64_t row = ((uint64_t)map->shape.width + map->halo[PM_LEFT] + map->halo[PM_RIGHT]) * map->block, plane, size;
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
    map->origin = (ptrdiff_t)(map->halo[PM_TOP] * row + (uint64_t)map->halo[PM_LEFT] * map->block);
    map->size = size;
    return POMONA_OK;
}

static pomona_status shape_maps(const struct pm_graph *graph, struct pm_map *maps, pomona_error *error) {
    for (uint32_t v = 0; v <= graph->node_count; v++) {
        maps[v] = (struct pm_map){.shape = *pm_graph_shape(graph, (int)v)};
        maps[v].block = v == 0 ? graph->input.channels : PM_BLOCK;
    }
    maps[0].unit = graph->whole ? graph->unit : NULL;
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct pm_node *node = &graph->nodes[i];
        if (!node->folded && node->layer->takes & PM_TAKES_PADDING)
            widen_halo(&maps[node->inputs[0]], node->window.padding);
    }
    for (uint32_t v = 0; v <= graph->node_count; v++)
        if (v == 0 || !graph->nodes[v - 1].folded)
            POMONA_TRY(lay_out(&maps[v], v ? graph->nodes[v - 1].name : "input", error));
    return POMONA_OK;
}

/* Fills `lives` for all values that exist; returns how many. */
static uint32_t find_lives(const struct pm_graph *graph, struct pm_map *maps, struct life *lives) {
    uint32_t count = 0;
    for (uint32_t v = 0; v <= graph->node_count; v++) {
        if (v > 0 && graph->nodes[v - 1].folded) continue;
        struct life life = {.value = (int)v, .first = (int)v, .last = (int)v, .map = &maps[v]};
        for (uint32_t i = 0; i < graph->node_count; i++)
            for (uint32_t j = 0; j < graph->nodes[i].input_count; j++)
                if (graph->nodes[i].inputs[j] == (int)v) life.last = graph->nodes[i].value;
        if (graph->features == (int)v) life.last = (int)graph->node_count + 1;
        lives[count++] = life;
    }
    return count;
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
            int together = other->first <= life->last && life->first <= other->last;
            int overlap =
                other->map->offset < offset + life->map->size && offset < other->map->offset + other->map->size;
            if (together && overlap) offset = other->map->offset + other->map->size, moved = 1;
        }
    }
    return offset;
}

pomona_status pm_graph_place(const struct pm_graph *graph, struct pm_map *maps, uint64_t *slice, pomona_error *error) {
    POMONA_TRY(shape_maps(graph, maps, error));
    struct life *lives = pm_allocate_zeroed((size_t)graph->node_count + 1, sizeof *lives);
    POMONA_RETURN_IF(!lives, error, POMONA_OUT_OF_MEMORY, "no memory to plan the arena");
    uint32_t count = find_lives(graph, maps, lives);
    qsort(lives, count, sizeof *lives, by_size);
    *slice = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct pm_map *map = lives[i].map;
        map->offset = find_offset(lives, i, &lives[i]);
        if (map->offset + map->size > *slice) *slice = map->offset + map->size;
    }
    pm_free(lives);
    POMONA_RETURN_IF(*slice > PM_MAX_SLICE / sizeof(float), error, POMONA_LIMIT,
                     "the activations of one image need %llu MiB; the limit is %llu",
                     (unsigned long long)(*slice * sizeof(float) >> 20), (unsigned long long)(PM_MAX_SLICE >> 20));
    return POMONA_OK;
}
