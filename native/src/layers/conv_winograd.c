/* SPDX-License-Identifier: Apache-2.0 */

/* Winograd convolutions (kernels/winograd.h). A form makes a tile of outputs from a patch of inputs: some values a
 * channel, which meet as many small matrices of weights like so many 1x1 convolutions, and as many sums an output
 * channel, which give the tile's pixels. Tiles go through in groups, so that their values stay in cache; a group may
 * hold tiles of several images, and no tile's bits depend on its neighbours. */
#include <string.h>

#include "core/memory.h"
#include "layers/conv_bf16.h"
#include "layers/conv_method.h"

/* Below this the transforms cost more than the products that they save; measured. */
#define MIN_CHANNELS 32

/* Tiles in a group, a multiple of the 14 that the widest kernel takes at once. */
#define GROUP 56

struct winograd {
    const struct pm_winograd_form *form;
    const struct pm_conv_tiling *broad, *narrow;
    uint32_t tile[2], patch[2]; /* height and width */
    uint32_t stride, taps[2];   /* phases a side, and the kernel's sides in one of them */
    uint32_t reach[2];          /* rows and columns of the map that a patch comes from */
    ptrdiff_t reach_row;        /* floats of such a row */
    pm_winograd_input_kernel *input;
    uint32_t in_blocks, out_blocks, tile_rows, tile_columns;
    int values;
    /* Products in bf16: the tilings take pairs, to which values are rounded in place (kernels/bf16.h); or NULL. */
    const struct pm_bf16_kernels *bf16;
    uint32_t product_blocks; /* of floats or pairs */
    uint32_t depth;          /* rows of weights of a value */
    uint32_t segment_count;
    double to_values[2][PM_WINOGRAD_PATCH_MAX][PM_WINOGRAD_KERNEL_MAX]; /* of a row of the kernel */
    struct pm_segment segments[]; /* one a block of products, or a row of phases */
};

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Goes over the phases of a plain map, kernels/winograd.h. */
static int has_phases(const struct pm_node *node, const struct pm_plan *plan) {
    const uint32_t *stride = node->window.stride;
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    return in->block == PM_PHASE_ROW / PM_PHASES && !in->digits && !pm_conv_bf16_suits(node, plan) &&
           stride[0] == PM_PHASES && stride[1] == PM_PHASES;
}

static uint32_t taps_of(const struct pm_window *w, int side) {
    return (w->kernel[side] + w->stride[side] - 1) / w->stride[side];
}

/* Whether the form is for the kernel, the map large enough along its sides, and `weights` a value few enough. */
static int takes(const struct pm_winograd_form *form, const struct pm_node *node, uint64_t weights) {
    const struct pm_window *w = &node->window;
    const uint32_t taps[] = {taps_of(w, 0), taps_of(w, 1)}, side = (uint32_t)form->kernel;
    const uint32_t least = (uint32_t)form->min_side;
    int tall = taps[0] == side && node->shape.height >= least, wide = taps[1] == side && node->shape.width >= least;
    if (weights > (uint64_t)form->most_weights || (w->stride[0] > 1 && !form->phases)) return 0;
    return form->plane ? tall && wide : (tall && taps[1] == 1) || (wide && taps[0] == 1);
}

/* In bf16, and in slices of it. */
static int loses_to_bf16(const struct pm_winograd_form *form, const struct pm_node *node, const struct pm_plan *plan) {
    if (!pm_conv_bf16_suits(node, plan)) return 0;
    return !form->beats_bf16 || (plan->slices == 1 && plan->bf16->beats_winograd);
}

static const struct pm_winograd_form *choose(const struct pm_node *node, const struct pm_plan *plan) {
    uint64_t weights = (uint64_t)plan->maps[node->inputs[0]].shape.channels * node->shape.channels;
    for (const struct pm_winograd_form *form = plan->kernels->winograd; form->name; form++)
        if (takes(form, node, weights)) return loses_to_bf16(form, node, plan) ? NULL : form;
    return NULL;
}

int pm_conv_winograd_suits(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *w = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    int blocks = in->block == PM_BLOCK && w->stride[0] == 1 && w->stride[1] == 1 && in->shape.channels >= MIN_CHANNELS;
    return (blocks || has_phases(node, plan)) && w->dilation[0] == 1 && w->dilation[1] == 1 && w->groups == 1 &&
           node->shape.channels >= MIN_CHANNELS && choose(node, plan);
}

/* Floats of a group's tiles for one value: [blocks][GROUP][16], and a line more, so that the lines of a tile do not
 * meet in one set of the L1 cache. */
static ptrdiff_t value_floats(uint32_t blocks) { return ((ptrdiff_t)blocks * GROUP + 1) * PM_BLOCK; }

static void choose_tiles(const struct pm_node *node, const struct pm_map *in, struct winograd *w) {
    w->values = 1;
    w->stride = node->window.stride[0];
    w->input = w->stride > 1 ? w->form->phases : w->form->input;
    for (int side = 0; side < 2; side++) {
        w->taps[side] = taps_of(&node->window, side);
        w->tile[side] = w->taps[side] == 1 ? 1 : (uint32_t)w->form->tile[side];
        w->patch[side] = w->tile[side] + w->taps[side] - 1;
        w->reach[side] = w->stride * w->patch[side];
        w->values *= (int)w->patch[side];
    }
    if (w->stride > 1) w->reach[1]++; /* the last slots of a pixel of phases */
    w->reach_row = (ptrdiff_t)(w->reach[1] * in->block);
    w->tile_rows = (node->shape.height + w->tile[0] - 1) / w->tile[0];
    w->tile_columns = (node->shape.width + w->tile[1] - 1) / w->tile[1];
}

/* Blocks of values; or what two rows give to those of phases. */
static void choose_segments(struct winograd *w) {
    const int phases = w->stride > 1;
    w->depth = phases ? PM_PHASES * PM_PHASE_ROW : w->product_blocks * PM_BLOCK;
    w->segment_count = phases ? PM_PHASES : w->product_blocks;
    for (uint32_t i = 0; i < w->segment_count; i++)
        w->segments[i] = phases ? (struct pm_segment){(ptrdiff_t)i * PM_PHASE_SLOTS, PM_PHASE_ROW}
                                : (struct pm_segment){(ptrdiff_t)i * GROUP * PM_BLOCK, PM_BLOCK};
}

static void choose_products(const struct pm_node *node, const struct pm_plan *plan, struct winograd *w) {
    w->bf16 = plan->slices == 1 && pm_conv_bf16_suits(node, plan) ? plan->bf16 : NULL;
    w->product_blocks = w->bf16 ? (w->in_blocks + 1) / 2 : w->in_blocks;
    choose_segments(w);
    const struct pm_conv_tiling *list = w->bf16 ? w->bf16->conv : plan->kernels->conv;
    w->broad = pm_conv_tiling(list, 0, w->out_blocks, PM_BLOCK);
    w->narrow = pm_conv_tiling(list, 0, 1, PM_BLOCK);
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    uint32_t blocks = pm_map_blocks(in), segments = blocks > PM_PHASES ? blocks : PM_PHASES;
    struct winograd *w = pm_allocate_zeroed(1, sizeof *w + segments * sizeof *w->segments);
    POMONA_RETURN_IF(!w, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory for %u segments", node->name, segments);
    node->state = w;
    w->form = choose(node, plan);
    w->in_blocks = blocks;
    w->out_blocks = pm_map_blocks(&plan->maps[node->value]);
    choose_tiles(node, in, w);
    for (int side = 0; side < 2; side++)
        pm_winograd_to_values(w->form->points[side], w->form->kernel, w->to_values[side]);
    choose_products(node, plan, w);
    node->kernel = w->bf16 ? w->form->bf16_name : w->form->name;
    node->scratch_floats = (uint64_t)w->values * (uint64_t)(value_floats(w->in_blocks) + value_floats(w->out_blocks));
    uint64_t weights, heads = 2 * PM_BLOCK * (uint64_t)w->out_blocks;
    int fits = pm_multiply((uint64_t)w->values * PM_BLOCK * w->depth, w->out_blocks, &weights) &&
               pm_add(weights, heads, &node->packed_count);
    POMONA_RETURN_IF(!fits, error, POMONA_LIMIT, "layer %s: too many weights", node->name);
    return POMONA_OK;
}

static const struct pm_conv_tiling *panel_tiling(const struct winograd *w, uint32_t block) {
    return w->out_blocks - block >= (uint32_t)w->broad->blocks ? w->broad : w->narrow;
}

/* What the weights of one value are made from. */
struct transform {
    const struct winograd *w;
    const struct pm_tensor *kernel;
    const double *unit;                                              /* pm_map.unit of the input */
    double factors[PM_WINOGRAD_KERNEL_MAX * PM_WINOGRAD_KERNEL_MAX]; /* of a phase's taps */
};

static void set_factors(struct transform *t, uint32_t value) {
    const struct winograd *w = t->w;
    const uint32_t *taps = w->taps;
    for (uint32_t y = 0; y < taps[0]; y++)
        for (uint32_t x = 0; x < taps[1]; x++)
            t->factors[y * taps[1] + x] = (taps[0] == 1 ? 1 : w->to_values[0][value / w->patch[1]][y]) *
                                          (taps[1] == 1 ? 1 : w->to_values[1][value % w->patch[1]][x]);
}

/* One block of outputs for an input channel, which come phase by phase; zeros where there are no channels. */
static void transform(const struct transform *t, uint64_t in, uint64_t out, float *to) {
    const uint64_t *dims = t->kernel->dims, ins = dims[2], outs = dims[3], stride = t->w->stride, phase = in / ins;
    const uint32_t *taps = t->w->taps;
    uint64_t count = 0;
    double sums[PM_BLOCK] = {0};
    if (phase < stride * stride && out < outs) count = outs - out < PM_BLOCK ? outs - out : PM_BLOCK;
    for (uint32_t tap = 0; tap < taps[0] * taps[1]; tap++) {
        uint64_t y = tap / taps[1] * stride + phase / stride, x = tap % taps[1] * stride + phase % stride;
        double factor = t->factors[tap] * (t->unit ? t->unit[in % ins] : 1);
        if (y >= dims[0] || x >= dims[1]) continue; /* of an odd kernel's last phases */
        for (uint64_t c = 0; c < count; c++)
            sums[c] += factor * t->kernel->data[((y * dims[1] + x) * ins + in % ins) * outs + out + c];
    }
    for (int c = 0; c < PM_BLOCK; c++) to[c] = (float)sums[c];
}

/* The same for row `row` of the products: a channel, or a pair of them. */
static void transform_row(const struct transform *t, uint64_t row, uint64_t out, float *to) {
    float even[PM_BLOCK], odd[PM_BLOCK];
    if (!t->w->bf16) {
        transform(t, row, out, to);
        return;
    }
    transform(t, 2 * row, out, even);
    transform(t, 2 * row + 1, out, odd);
    for (int c = 0; c < PM_BLOCK; c++) to[c] = pm_bf16_pair(even[c], odd[c]);
}

/* [scale][shift] of all outputs, then for each value the panels of [input channels, or pairs][outputs]. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    const struct winograd *w = node->state;
    struct transform t = {w, pm_weight(node, "kernel"), plan->maps[node->inputs[0]].unit, {0}};
    uint32_t outputs = w->out_blocks * PM_BLOCK, count;
    pm_epilogue_pack(node, 0, outputs, packed, packed + outputs);
    packed += 2 * outputs;
    for (uint32_t value = 0; value < (uint32_t)w->values; value++) {
        set_factors(&t, value);
        for (uint32_t block = 0; block < w->out_blocks; block += count) {
            count = (uint32_t)panel_tiling(w, block)->blocks;
            for (uint32_t row = 0; row < w->depth; row++)
                for (uint32_t b = block; b < block + count; b++, packed += PM_BLOCK)
                    transform_row(&t, row, (uint64_t)b * PM_BLOCK, packed);
        }
    }
}

struct place {
    uint32_t image, y, x; /* of the tile's first pixel */
};

/* One group of tiles on its way, both buffers value by value. */
struct group {
    const struct pm_node *node;
    const struct pm_run *run;
    const struct winograd *w;
    float *values, *sums;
    struct place places[GROUP];
    uint32_t count;
};

static struct place place_of(const struct winograd *w, uint32_t tile) {
    uint32_t all = w->tile_rows * w->tile_columns, inside = tile % all;
    return (struct place){tile / all, inside / w->tile_columns * w->tile[0], inside % w->tile_columns * w->tile[1]};
}

/* A patch that reaches past what the kernel meets gets zeros there. */
static void complete(const struct winograd *w, const float *from, ptrdiff_t row, uint32_t rows, uint32_t floats,
                     float *patch) {
    memset(patch, 0, w->reach[0] * (size_t)w->reach_row * sizeof *patch);
    for (uint32_t y = 0; y < rows; y++) memcpy(patch + y * w->reach_row, from + y * row, floats * sizeof *patch);
}

/* Between the rows of a tile or a patch, as the kernels count them, where rows of the map are `row` floats apart. */
static ptrdiff_t step(const struct winograd *w, ptrdiff_t row) { return w->patch[0] == 1 ? PM_BLOCK : row; }

static void analyse(const struct group *g, uint32_t tile, ptrdiff_t block) {
    const struct pm_node *node = g->node;
    const struct winograd *w = g->w;
    const struct pm_window *window = &node->window;
    const struct pm_map *in = &g->run->plan->maps[node->inputs[0]];
    const struct place at = g->places[tile];
    const uint32_t top = at.y * w->stride, left = at.x * w->stride;
    ptrdiff_t y = (ptrdiff_t)top - window->padding[PM_TOP], x = (ptrdiff_t)left - window->padding[PM_LEFT];
    const float *from =
        pm_value(g->run, node->inputs[0], at.image) + block * in->block_stride + y * in->row_stride + x * in->block;
    uint32_t rows = smaller((node->shape.height - 1) * w->stride + window->kernel[0] - top, w->reach[0]),
             columns = smaller((node->shape.width - 1) * w->stride + window->kernel[1] - left, w->reach[1]);
    float patch[PM_WINOGRAD_PLANE_MAX * PM_WINOGRAD_PLANE_MAX * PM_BLOCK];
    float *to = g->values + (block * GROUP + tile) * PM_BLOCK;
    ptrdiff_t row = in->row_stride;
    if (rows < w->reach[0] || columns < w->reach[1]) {
        complete(w, from, row, rows, columns * in->block, patch);
        from = patch;
        row = w->reach_row;
    }
    w->input(from, step(w, row), to, value_floats(w->in_blocks));
}

/* One value of all tiles to pairs, in place. */
static void narrow(const struct group *g, float *values) {
    const struct pm_plan *plan = g->run->plan;
    const struct pm_bf16_pixels first = {
        .from = values, .pairs = values, .pixels = g->count, .step = PM_BLOCK, .block = GROUP * PM_BLOCK, .slices = 1};
    pm_conv_bf16_narrow_blocks(plan, &first, plan->maps[g->node->inputs[0]].shape.channels, GROUP * PM_BLOCK);
}

static void multiply(const struct group *g) {
    const struct winograd *w = g->w;
    const float *weights = g->node->packed + 2 * w->out_blocks * PM_BLOCK;
    struct pm_conv_tile tile = {
        .segments = w->segments,
        .segment_count = w->segment_count,
        .partial_segments = w->bf16 ? w->segment_count : pm_partial_segments(g->node),
        .odd_segments = w->bf16 ? 0 : pm_odd_segments(g->node, w->segment_count),
        .input_pixel = PM_BLOCK,
        .output_block = GROUP * PM_BLOCK,
    };
    for (ptrdiff_t value = 0; value < w->values; value++) {
        float *values = g->values + value * value_floats(w->in_blocks);
        if (w->bf16) narrow(g, values);
        for (uint32_t block = 0; block < w->out_blocks;) {
            const struct pm_conv_tiling *tiling = panel_tiling(w, block);
            tile.input = values;
            tile.output = g->sums + value * value_floats(w->out_blocks) + (ptrdiff_t)block * GROUP * PM_BLOCK;
            tile.weights = weights;
            tile.ahead = (ptrdiff_t)w->depth * tiling->blocks * PM_BLOCK;
            pm_conv_run_tiles(tiling, tile, g->count);
            weights += tile.ahead;
            block += (uint32_t)tiling->blocks;
        }
    }
}

static void combine(const struct group *g, uint32_t tile, ptrdiff_t block) {
    const struct pm_node *node = g->node;
    const struct winograd *w = g->w;
    const struct pm_map *maps = g->run->plan->maps, *out = &maps[node->value];
    const struct place at = g->places[tile];
    int residual = node->epilogue.residual;
    uint32_t rows = smaller(node->shape.height - at.y, w->tile[0]),
             columns = smaller(node->shape.width - at.x, w->tile[1]);
    int across = w->patch[0] == 1;
    struct pm_winograd_output o = {
        .values = g->sums + (block * GROUP + tile) * PM_BLOCK,
        .scale = node->packed + block * PM_BLOCK,
        .shift = node->packed + ((ptrdiff_t)w->out_blocks + block) * PM_BLOCK,
        .output = pm_value(g->run, node->value, at.image) + block * out->block_stride + at.y * out->row_stride +
                  (ptrdiff_t)at.x * PM_BLOCK,
        .stride = value_floats(w->out_blocks),
        .output_row = step(w, out->row_stride),
        .rows = (int)(across ? columns : rows),
        .columns = (int)(across ? 1 : columns),
        .low = node->epilogue.low,
        .high = node->epilogue.high,
    };
    if (residual >= 0) {
        const struct pm_map *map = &maps[residual];
        o.residual_row = step(w, map->row_stride);
        o.residual = pm_value(g->run, residual, at.image) + block * map->block_stride + at.y * map->row_stride +
                     (ptrdiff_t)at.x * PM_BLOCK;
    }
    w->form->output(&o);
    for (uint32_t y = 0; y < rows; y++)
        pm_epilogue_activate(node, g->run, o.output + y * out->row_stride, (ptrdiff_t)columns * PM_BLOCK);
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct winograd *w = node->state;
    uint32_t all = w->tile_rows * w->tile_columns * run->count, first = 0, groups = (all + GROUP - 1) / GROUP;
    struct group g = {.node = node, .run = run, .w = w, .values = run->scratch};
    g.sums = g.values + w->values * value_floats(w->in_blocks);
    for (uint32_t i = 0; i < groups; i++) {
        g.count = all / groups + (i < all % groups);
        for (uint32_t tile = 0; tile < g.count; tile++) g.places[tile] = place_of(w, first++);
        for (ptrdiff_t block = 0; block < w->in_blocks; block++)
            for (uint32_t tile = 0; tile < g.count; tile++) analyse(&g, tile, block);
        multiply(&g);
        for (ptrdiff_t block = 0; block < w->out_blocks; block++)
            for (uint32_t tile = 0; tile < g.count; tile++) combine(&g, tile, block);
    }
}

const struct pm_conv_method pm_conv_winograd = {.prepare = prepare, .pack = pack, .run = run};
