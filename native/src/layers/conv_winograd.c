/* SPDX-License-Identifier: Apache-2.0 */

/* Winograd convolution F(4x4, 3x3). A tile of 4x4 outputs is made from a patch of 6x6 inputs: 36 values a channel (the
 * kernels' winograd_input), which meet 36 small matrices of weights like so many 1x1 convolutions, and 36 sums an
 * output channel, which give the 16 pixels. Tiles go through in groups, so that their values stay in cache; a group may
 * hold tiles of several images, and no tile's bits depend on its neighbours. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "layers/conv_method.h"

#define VALUES PM_WINOGRAD_VALUES
#define TILE PM_WINOGRAD_TILE
#define PATCH PM_WINOGRAD_PATCH

/* Below these the transforms cost more than the products that they save; measured. */
#define MIN_SIDE 10
#define MIN_CHANNELS 32

/* Tiles in a group, a multiple of the 14 that the widest kernel takes at once. */
#define GROUP 56

struct winograd {
    const struct pm_conv_tiling *broad, *narrow;
    uint32_t in_blocks, out_blocks, tile_rows, tile_columns;
    struct pm_segment segments[]; /* one an input block */
};

int pm_conv_winograd_suits(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *w = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    int faster = plan->kernels->winograd_input && !(plan->bf16 && plan->slices == 1 && plan->bf16->beats_winograd);
    return faster && in->block == PM_BLOCK && w->kernel[0] == 3 && w->kernel[1] == 3 && w->stride[0] == 1 &&
           w->stride[1] == 1 && w->dilation[0] == 1 && w->dilation[1] == 1 && w->groups == 1 &&
           in->shape.channels >= MIN_CHANNELS && node->shape.channels >= MIN_CHANNELS &&
           node->shape.height >= MIN_SIDE && node->shape.width >= MIN_SIDE;
}

/* Floats of a group's tiles for one of the 36 values: [blocks][GROUP][16], and a line more, so that the 36 lines of a
 * tile do not meet in one set of the L1 cache. */
static ptrdiff_t value_floats(uint32_t blocks) { return ((ptrdiff_t)blocks * GROUP + 1) * PM_BLOCK; }

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    uint32_t blocks = pm_map_blocks(&plan->maps[node->inputs[0]]);
    struct winograd *w = pm_allocate_zeroed(1, sizeof *w + blocks * sizeof *w->segments);
    POMONA_RETURN_IF(!w, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory for %u segments", node->name, blocks);
    node->state = w;
    w->in_blocks = blocks;
    w->out_blocks = pm_map_blocks(&plan->maps[node->value]);
    w->tile_rows = (node->shape.height + TILE - 1) / TILE;
    w->tile_columns = (node->shape.width + TILE - 1) / TILE;
    for (uint32_t b = 0; b < blocks; b++)
        w->segments[b] = (struct pm_segment){(ptrdiff_t)b * GROUP * PM_BLOCK, PM_BLOCK};
    w->broad = pm_conv_tiling(plan->kernels->conv, 0, w->out_blocks, PM_BLOCK);
    w->narrow = pm_conv_tiling(plan->kernels->conv, 0, 1, PM_BLOCK);
    node->kernel = plan->kernels->winograd_name;
    node->scratch_floats = (uint64_t)VALUES * (uint64_t)(value_floats(w->in_blocks) + value_floats(w->out_blocks));
    uint64_t weights, heads = 2 * PM_BLOCK * (uint64_t)w->out_blocks;
    int fits = pm_multiply((uint64_t)VALUES * PM_BLOCK * PM_BLOCK * w->in_blocks, w->out_blocks, &weights) &&
               pm_add(weights, heads, &node->packed_count);
    POMONA_RETURN_IF(!fits, error, POMONA_LIMIT, "layer %s: too many weights", node->name);
    return POMONA_OK;
}

static const struct pm_conv_tiling *panel_tiling(const struct winograd *w, uint32_t block) {
    return w->out_blocks - block >= (uint32_t)w->broad->blocks ? w->broad : w->narrow;
}

/* Kernel to values, one dimension: at the point p the polynomial of the taps, over the product of p's distances to the
 * other finite points; the last value, at infinity, is the last tap. */
#define A 0.70710678118654752440
#define B 1.41421356237309504880
static const double to_values[PATCH][3] = {
    {1, 0, 0},
    {-1 / 1.5, -A / 1.5, -0.5 / 1.5},
    {-1 / 1.5, A / 1.5, -0.5 / 1.5},
    {1 / 6.0, B / 6, 2 / 6.0},
    {1 / 6.0, -B / 6, 2 / 6.0},
    {0, 0, 1},
};

static float transformed(const struct pm_tensor *kernel, uint64_t in, uint64_t out, int value) {
    if (in >= kernel->dims[2] || out >= kernel->dims[3]) return 0;
    const double *rows = to_values[value / PATCH], *columns = to_values[value % PATCH];
    double sum = 0;
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 3; x++)
            sum += rows[y] * columns[x] *
                   kernel->data[((uint64_t)(y * 3 + x) * kernel->dims[2] + in) * kernel->dims[3] + out];
    return (float)sum;
}

/* [scale][shift] of all outputs, then for each of the 36 values the panels of [input channels][outputs]. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    (void)plan;
    const struct winograd *w = node->state;
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    uint32_t outputs = w->out_blocks * PM_BLOCK, count;
    pm_epilogue_pack(node, 0, outputs, packed, packed + outputs);
    packed += 2 * outputs;
    for (int value = 0; value < VALUES; value++)
        for (uint32_t block = 0; block < w->out_blocks; block += count / PM_BLOCK) {
            count = (uint32_t)panel_tiling(w, block)->blocks * PM_BLOCK;
            for (uint32_t in = 0; in < w->in_blocks * PM_BLOCK; in++)
                for (uint32_t out = 0; out < count; out++)
                    *packed++ = transformed(kernel, in, (uint64_t)block * PM_BLOCK + out, value);
        }
}

/* One group of tiles on its way, both buffers as 36 such values. */
struct group {
    const struct pm_node *node;
    const struct pm_run *run;
    const struct winograd *w;
    float *values, *sums;
    uint32_t first, count;
};

struct place {
    uint32_t image, y, x; /* of the tile's first pixel */
};

static struct place place_of(const struct group *g, uint32_t tile) {
    uint32_t all = g->w->tile_rows * g->w->tile_columns, inside = (g->first + tile) % all;
    return (struct place){(g->first + tile) / all, inside / g->w->tile_columns * TILE,
                          inside % g->w->tile_columns * TILE};
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* A patch that reaches past the halo gets zeros there. */
static const float *complete(const float *from, ptrdiff_t row, uint32_t rows, uint32_t columns, float *patch) {
    memset(patch, 0, PATCH * PATCH * PM_BLOCK * sizeof *patch);
    for (uint32_t y = 0; y < rows; y++)
        memcpy(patch + y * PATCH * PM_BLOCK, from + y * row, columns * PM_BLOCK * sizeof *patch);
    return patch;
}

static void analyse(const struct group *g, uint32_t tile, ptrdiff_t block) {
    const struct pm_node *node = g->node;
    const struct pm_map *in = &g->run->plan->maps[node->inputs[0]];
    const struct place at = place_of(g, tile);
    ptrdiff_t y = (ptrdiff_t)at.y - node->window.padding[PM_TOP], x = (ptrdiff_t)at.x - node->window.padding[PM_LEFT];
    const float *from =
        pm_value(g->run, node->inputs[0], at.image) + block * in->block_stride + y * in->row_stride + x * PM_BLOCK;
    uint32_t rows = smaller(node->shape.height + 2 - at.y, PATCH),
             columns = smaller(node->shape.width + 2 - at.x, PATCH);
    float patch[PATCH * PATCH * PM_BLOCK], *to = g->values + (block * GROUP + tile) * PM_BLOCK;
    ptrdiff_t row = in->row_stride;
    if (rows < PATCH || columns < PATCH) {
        from = complete(from, row, rows, columns, patch);
        row = PATCH * PM_BLOCK;
    }
    g->run->plan->kernels->winograd_input(from, row, to, value_floats(g->w->in_blocks));
}

static void multiply(const struct group *g) {
    const struct winograd *w = g->w;
    const float *weights = g->node->packed + 2 * w->out_blocks * PM_BLOCK;
    struct pm_conv_tile tile = {
        .segments = w->segments,
        .segment_count = w->in_blocks,
        .partial_segments = pm_partial_segments(g->node),
        .input_pixel = PM_BLOCK,
        .output_block = GROUP * PM_BLOCK,
    };
    for (ptrdiff_t value = 0; value < VALUES; value++)
        for (uint32_t block = 0; block < w->out_blocks;) {
            const struct pm_conv_tiling *tiling = panel_tiling(w, block);
            tile.input = g->values + value * value_floats(w->in_blocks);
            tile.output = g->sums + value * value_floats(w->out_blocks) + (ptrdiff_t)block * GROUP * PM_BLOCK;
            tile.weights = weights;
            tile.ahead = (ptrdiff_t)w->in_blocks * PM_BLOCK * tiling->blocks * PM_BLOCK;
            pm_conv_run_tiles(tiling, tile, g->count);
            weights += tile.ahead;
            block += (uint32_t)tiling->blocks;
        }
}

static void combine(const struct group *g, uint32_t tile, ptrdiff_t block) {
    const struct pm_node *node = g->node;
    const struct pm_map *maps = g->run->plan->maps, *out = &maps[node->value];
    const struct place at = place_of(g, tile);
    int residual = node->epilogue.residual;
    struct pm_winograd_output o = {
        .values = g->sums + (block * GROUP + tile) * PM_BLOCK,
        .scale = node->packed + block * PM_BLOCK,
        .shift = node->packed + ((ptrdiff_t)g->w->out_blocks + block) * PM_BLOCK,
        .output = pm_value(g->run, node->value, at.image) + block * out->block_stride + at.y * out->row_stride +
                  (ptrdiff_t)at.x * PM_BLOCK,
        .stride = value_floats(g->w->out_blocks),
        .output_row = out->row_stride,
        .rows = (int)smaller(node->shape.height - at.y, TILE),
        .columns = (int)smaller(node->shape.width - at.x, TILE),
        .low = node->epilogue.low,
        .high = node->epilogue.high,
    };
    if (residual >= 0) {
        o.residual_row = maps[residual].row_stride;
        o.residual = pm_value(g->run, residual, at.image) + block * maps[residual].block_stride +
                     at.y * o.residual_row + (ptrdiff_t)at.x * PM_BLOCK;
    }
    g->run->plan->kernels->winograd_output(&o);
    for (int y = 0; y < o.rows; y++)
        pm_epilogue_activate(node, g->run, o.output + y * o.output_row, (ptrdiff_t)o.columns * PM_BLOCK);
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct winograd *w = node->state;
    uint32_t all = w->tile_rows * w->tile_columns * run->count, groups = (all + GROUP - 1) / GROUP;
    struct group g = {.node = node, .run = run, .w = w, .values = run->scratch};
    g.sums = g.values + VALUES * value_floats(w->in_blocks);
    for (uint32_t i = 0; i < groups; i++, g.first += g.count) {
        g.count = all / groups + (i < all % groups);
        for (ptrdiff_t block = 0; block < w->in_blocks; block++)
            for (uint32_t tile = 0; tile < g.count; tile++) analyse(&g, tile, block);
        multiply(&g);
        for (ptrdiff_t block = 0; block < w->out_blocks; block++)
            for (uint32_t tile = 0; tile < g.count; tile++) combine(&g, tile, block);
    }
}

const struct pm_conv_method pm_conv_winograd = {.prepare = prepare, .pack = pack, .run = run};
