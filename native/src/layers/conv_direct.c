/* SPDX-License-Identifier: Apache-2.0 */

/* A convolution as sums over its window. The output is made in runs of pixels, by panels of output channels
 * (conv_panels.h), in an order that keeps the input of a few rows in cache. */
#include "core/memory.h"
#include "kernels/digits.h"
#include "layers/conv_bf16.h"
#include "layers/conv_digits.h"
#include "layers/conv_fixed.h"
#include "layers/conv_gate.h"
#include "layers/conv_inner.h"
#include "layers/conv_method.h"
#include "layers/conv_panels.h"

/* Input floats that a sweep over all output channels may touch before it goes on: half of a 1 MiB L2 cache. */
#define SWEEP_FLOATS ((uint64_t)512 * 1024 / sizeof(float))

/* Pixels of a run over which an activation goes once they are made: two blocks of them in half of a 32 KiB L1 cache. */
#define ACTIVATED_PIXELS 128

struct conv {
    struct pm_map in; /* as the kernels see it: that of the plan, or one sweep of it rounded to pairs */
    struct pm_tilings tilings;
    struct pm_panels panels; /* behind this, in the same block of memory */
    uint64_t change;         /* where the packed numbers of the prologue begin, behind the panels */
    /* The output as runs of pixels that lie evenly in input and output: its rows, or longer where nothing stands
     * between rows. Distances in floats, or in pairs. */
    uint32_t runs, run_pixels, last_pixels;
    ptrdiff_t input_run, output_run, residual_run;
    ptrdiff_t source_run; /* in the plan's map; input_run is in that which the kernels see */
    uint32_t sweep_runs, sweep_images;
    int narrows;                          /* rounds its input to pairs first */
    const struct pm_conv_inner *inner;    /* NULL, or what runs it */
    const struct pm_fixed_kernels *fixed; /* the same */
    uint64_t own;                         /* floats of an image's own products, and as many units where it is fixed */
    uint64_t own_begin;                   /* in scratch */
    uint16_t lanes[PM_CONV_FIXED_BLOCKS_MAX]; /* pm_fixed_lines.lanes */
    int turning; /* runs are rows, too short for whole tiles: tiles go on in the next row */
};

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Floats of input behind one run of outputs, about; where it is gathered, of pairs. */
static uint64_t run_floats(const struct pm_map *in, const struct conv *conv) {
    const uint32_t *stride = conv->tilings.window.stride;
    uint32_t channels = conv->in.block == in->block ? in->shape.channels : conv->in.block;
    return (uint64_t)conv->run_pixels * stride[0] * stride[1] * channels;
}

static uint32_t at_least_one(uint64_t count, uint32_t limit) {
    return count < 1 ? 1 : count > limit ? limit : (uint32_t)count;
}

static int scales_weights(const struct pm_node *node, const struct conv *conv) {
    return node->gate && !conv->tilings.slices;
}

static void choose_runs(const struct pm_node *node, const struct pm_plan *plan, struct conv *conv) {
    const struct pm_window *window = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]], *out = &plan->maps[node->value];
    const struct pm_map *residual = node->epilogue.residual < 0 ? out : &plan->maps[node->epilogue.residual];
    int dense = !node->banded && conv->in.row_stride == in->row_stride && window->stride[0] == 1 &&
                window->stride[1] == 1 && in->shape.width == out->shape.width &&
                in->row_stride == (ptrdiff_t)(in->shape.width * in->block) &&
                out->row_stride == (ptrdiff_t)(out->shape.width * PM_BLOCK) && residual->row_stride == out->row_stride;
    uint32_t pixels = out->shape.width;
    if (dense) { /* any length does: one that a sweep holds */
        uint32_t all = out->shape.height * out->shape.width, tile = (uint32_t)conv->tilings.broad->pixels;
        uint32_t fit = at_least_one(SWEEP_FLOATS / in->shape.channels, all);
        if (node->epilogue.activation.function) fit = smaller(fit, ACTIVATED_PIXELS);
        pixels = fit < all && fit > tile ? fit / tile * tile : fit;
        conv->runs = (all + pixels - 1) / pixels;
        conv->last_pixels = all - (conv->runs - 1) * pixels;
    } else {
        conv->runs = out->shape.height;
        conv->last_pixels = pixels;
    }
    conv->run_pixels = pixels;
    conv->turning = !dense && pm_conv_turns(conv->tilings.narrow, pixels);
    conv->source_run = dense ? (ptrdiff_t)pixels * in->block : (ptrdiff_t)window->stride[0] * in->row_stride;
    conv->input_run = dense ? conv->source_run : (ptrdiff_t)conv->tilings.window.stride[0] * conv->in.row_stride;
    conv->output_run = dense ? (ptrdiff_t)pixels * PM_BLOCK : out->row_stride;
    conv->residual_run = dense ? (ptrdiff_t)pixels * PM_BLOCK : residual->row_stride;
    conv->sweep_runs = at_least_one(SWEEP_FLOATS / run_floats(in, conv), conv->runs);
    conv->sweep_images = at_least_one(SWEEP_FLOATS / (run_floats(in, conv) * conv->runs), POMONA_MAX_BATCH);
    if (node->banded) conv->sweep_runs = conv->runs, conv->sweep_images = 1;
    if (scales_weights(node, conv)) conv->sweep_images = 1;
}

static int is_precise(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *window = &node->window;
    return pm_is_precise(node, plan, (uint64_t)window->kernel[0] * window->kernel[1] * pm_panels_channels(node));
}

static const struct pm_conv_tiling *kernels_of(const struct pm_plan *plan, const struct pm_map *in, int slices) {
    if (in->digits) return pm_conv_digits(plan->kernels);
    return slices ? plan->bf16->conv : plan->kernels->conv;
}

/* Tilings for the last half of a block are for windows side by side, and for what is not stored as couples. */
static int takes_halves(const struct pm_node *node, int slices, ptrdiff_t input_pixel) {
    return node->window.groups == 1 && input_pixel == PM_BLOCK && !(slices && node->banded);
}

static struct pm_tilings choose_tilings(const struct pm_node *node, const struct pm_plan *plan, const struct pm_map *in,
                                        int slices) {
    struct pm_window window = slices ? pm_conv_bf16_window(node, plan) : node->window;
    if (in->digits) window = pm_conv_digits_window(node);
    uint32_t blocks = pm_map_blocks(&plan->maps[node->value]);
    int precise = is_precise(node, plan), plain = !precise || in->unit;
    ptrdiff_t input_pixel = in->digits ? PM_DIGITS_PIXEL : (ptrdiff_t)(window.stride[1] * in->block);
    const struct pm_conv_tiling *list = kernels_of(plan, in, slices);
    const struct pm_conv_tiling *half = slices ? plan->bf16->half : plan->kernels->half,
                                *broad_half = slices ? plan->bf16->broad_half : plan->kernels->broad_half;
    int halves = plain && takes_halves(node, slices, input_pixel);
    return (struct pm_tilings){
        .in = in,
        .window = window,
        .input_pixel = input_pixel,
        .slices = slices,
        .digits = in->digits,
        .broad = pm_conv_tiling(list, !plain, blocks, input_pixel),
        .narrow = pm_conv_tiling(list, !plain, 1, input_pixel),
        .half = halves ? half : NULL,
        .broad_half = halves ? broad_half : NULL,
        .whole_blocks = slices && plan->bf16->whole_blocks,
        .passes = pm_panels_passes(in, slices, precise),
    };
}

/* Tilings of inner products where they run the node, in fp32 or in fixed-point numbers; the latter read no others. */
static void take_inner(struct pm_tilings *tilings, const struct pm_conv_inner *inner,
                       const struct pm_fixed_kernels *fixed) {
    if (inner) tilings->broad = &inner->broad, tilings->narrow = &inner->narrow;
    if (!fixed) return;
    tilings->broad = &fixed->broad;
    tilings->narrow = &fixed->narrow;
    tilings->half = tilings->broad_half = NULL;
    tilings->fixed = 1;
}

/* Numbers of one input block, as the kernels see it, under the windows of a sweep, from the first one's corner on. */
static uint64_t sweep_floats(const struct conv *conv, uint32_t first_run, uint32_t runs) {
    const struct pm_window *w = &conv->tilings.window;
    uint32_t pixels = first_run + runs < conv->runs ? conv->run_pixels : conv->last_pixels;
    uint64_t last_run = (runs - 1) * (uint64_t)conv->input_run;
    uint64_t last_row = (w->kernel[0] - 1) * (uint64_t)w->dilation[0] * (uint64_t)conv->in.row_stride;
    uint64_t columns = (pixels - 1) * (uint64_t)w->stride[1] + (w->kernel[1] - 1) * (uint64_t)w->dilation[1] + 1;
    return last_run + last_row + columns * PM_BLOCK;
}

/* Pixels under a sweep and between its rows. */
static uint64_t pixels_of(const struct conv *conv, uint32_t first_run, uint32_t runs) {
    return sweep_floats(conv, first_run, runs) / PM_BLOCK;
}

/* A float for each line of one image under a sweep, as far apart as in the map. */
static uint64_t own_floats(const struct conv *conv) {
    const struct pm_map *in = &conv->in;
    return (pm_map_blocks(in) - 1) * (uint64_t)in->block_stride / PM_BLOCK + pixels_of(conv, 0, conv->sweep_runs);
}

static struct pm_map seen_map(const struct pm_node *node, const struct pm_plan *plan, int slices) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    if (in->digits) return pm_conv_digits_map(node, in);
    return slices ? pm_conv_bf16_map(node, plan, 0) : *in;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    int slices = pm_conv_bf16_suits(node, plan) && !is_precise(node, plan) ? plan->slices : 0;
    struct pm_map seen = seen_map(node, plan, slices);
    const struct pm_conv_inner *inner = pm_conv_inner_of(node, plan);
    const struct pm_fixed_kernels *fixed = slices == 1 ? pm_conv_fixed_of(node, plan) : NULL;
    struct pm_tilings tilings = choose_tilings(node, plan, &seen, slices);
    take_inner(&tilings, inner, fixed);
    struct conv *conv = pm_allocate_zeroed(1, sizeof *conv + pm_panels_size(node, plan, &tilings));
    POMONA_RETURN_IF(!conv, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory for its segments", node->name);
    node->state = conv;
    conv->in = seen;
    conv->tilings = tilings;
    conv->tilings.in = &conv->in;
    choose_runs(node, plan, conv);
    conv->narrows = slices && !seen.pairs;
    if (conv->narrows) {
        conv->in = pm_conv_bf16_map(node, plan, sweep_floats(conv, 0, conv->sweep_runs));
        node->scratch_floats = conv->in.size * (uint64_t)slices * conv->sweep_images;
    }
    conv->inner = inner;
    conv->fixed = fixed;
    conv->own = inner ? own_floats(conv) : fixed ? 2 * pixels_of(conv, 0, conv->sweep_runs) : 0;
    if (fixed) pm_conv_fixed_lanes(&conv->in, conv->lanes);
    conv->own_begin = node->scratch_floats;
    node->scratch_floats += conv->own * conv->sweep_images;
    conv->panels = pm_panels_make(node, plan, &conv->tilings, conv + 1);
    node->kernel = conv->panels.list->tiling->name;
    node->packed_count = pm_panels_floats(&conv->panels);
    if (scales_weights(node, conv)) node->scratch_floats = node->packed_count;
    conv->change = node->packed_count;
    node->packed_count += pm_conv_bf16_change_floats(node, plan);
    return POMONA_OK;
}

static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    const struct conv *conv = node->state;
    pm_panels_pack(node, &conv->tilings, &conv->panels, packed);
    if (conv->inner) pm_conv_inner_pack(&conv->panels, conv->in.rms, packed);
    if (conv->fixed) pm_conv_fixed_pack(&conv->panels, packed);
    pm_conv_bf16_change_pack(node, plan, packed + conv->change);
}

/* What does not change within one call. */
struct sweep {
    const struct pm_node *node;
    const struct conv *conv;
    const struct pm_run *run;
    uint32_t first_image, images, first_run, runs;
    const struct pm_conv_part *part; /* NULL, or where the output goes */
};

/* The corner of the sweep's first window in image `i` of the plan's map. */
static float *first_corner(const struct sweep *s, uint32_t i) {
    const uint32_t *padding = s->node->window.padding;
    const struct pm_map *in = &s->run->plan->maps[s->node->inputs[0]];
    ptrdiff_t corner = padding[PM_TOP] * in->row_stride + (ptrdiff_t)(padding[PM_LEFT] * in->block);
    if (in->digits) corner = 0;
    return pm_value(s->run, s->node->inputs[0], i) - corner + s->first_run * s->conv->source_run;
}

/* Of the runs of a sweep; for a part, which begins within them, of all. */
static float *pairs_of(const struct sweep *s, uint32_t i) {
    return s->run->scratch + (i - s->first_image) * (uint64_t)s->conv->tilings.slices * s->conv->in.size +
           (s->part ? s->part->first * s->conv->input_run : 0);
}

/* The own products of the sweep's first window in image `i`; for a part, as pairs_of. */
static float *own_of(const struct sweep *s, uint32_t i) {
    return s->run->scratch + s->conv->own_begin + (i - s->first_image) * s->conv->own +
           (s->part ? s->part->first * s->conv->input_run / PM_BLOCK : 0);
}

/* Of whole blocks: others have no pairs. */
static void make_own(const struct sweep *s) {
    const struct pm_map *in = &s->conv->in;
    const ptrdiff_t lines = (ptrdiff_t)pixels_of(s->conv, s->first_run, s->runs);
    const ptrdiff_t blocks = in->shape.channels / PM_BLOCK;
    for (uint32_t i = s->first_image; i < s->first_image + s->images; i++)
        for (ptrdiff_t b = 0; b < blocks; b++)
            s->conv->inner->own(own_of(s, i) + b * in->block_stride / PM_BLOCK,
                                first_corner(s, i) + b * in->block_stride, lines);
}

static void narrow_sweep(const struct sweep *s) {
    uint64_t floats = sweep_floats(s->conv, s->first_run, s->runs);
    for (uint32_t i = s->first_image; i < s->first_image + s->images; i++) {
        const struct pm_bf16_change change = pm_conv_bf16_change(s->node, s->run, i, s->node->packed + s->conv->change);
        pm_conv_bf16_narrow(s->node, s->run->plan, first_corner(s, i), floats, &change, &s->conv->in, pairs_of(s, i));
    }
}

/* Pairs, that nobody else reads, become fixed-point numbers where they lie. */
static void fix_sweep(const struct sweep *s) {
    const struct pm_map *in = &s->conv->in;
    struct pm_fixed_lines lines = {.pixels = (ptrdiff_t)pixels_of(s->conv, s->first_run, s->runs),
                                   .blocks = pm_map_blocks(in),
                                   .block = in->block_stride,
                                   .lanes = s->conv->lanes};
    for (uint32_t i = s->first_image; i < s->first_image + s->images; i++) {
        lines.pairs = s->conv->narrows ? pairs_of(s, i) : first_corner(s, i);
        lines.own = own_of(s, i);
        lines.units = lines.own + s->conv->own / 2;
        s->conv->fixed->enter(&lines);
    }
}

/* What is made of a sweep's input before all output channels are. */
static void enter_sweep(const struct sweep *s) {
    if (s->conv->narrows) narrow_sweep(s);
    if (s->conv->inner) make_own(s);
    if (s->conv->fixed) fix_sweep(s);
}

static struct pm_conv_tile tile_of(const struct sweep *s, const struct pm_panel *panel) {
    const struct pm_node *node = s->node;
    const struct pm_map *maps = s->run->plan->maps;
    const ptrdiff_t outputs = pm_tiling_outputs(panel->tiling);
    const float *packed = node->packed + panel->packed;
    const float *weights = scales_weights(node, s->conv) ? s->run->scratch + panel->packed : packed;
    return (struct pm_conv_tile){
        .weights = weights + 2 * outputs,
        .scale = packed,
        .shift = packed + outputs,
        .segments = panel->segments,
        .segment_count = panel->segment_count,
        .partial_segments = panel->partial_segments,
        .odd_segments = panel->odd_segments,
        .starts = weights + (ptrdiff_t)(2 + panel->depth) * outputs,
        .units = (ptrdiff_t)s->conv->own / 2,
        .ahead = (ptrdiff_t)panel->depth * outputs,
        .input_pixel = s->conv->tilings.input_pixel,
        .output_block = s->part ? s->part->output_block : maps[node->value].block_stride,
        .residual_block = node->epilogue.residual < 0 ? 0 : maps[node->epilogue.residual].block_stride,
        .low = node->epilogue.low,
        .high = node->epilogue.high,
        .couples = s->part && s->part->couples,
    };
}

/* Of the sweep's first run. */
static float *output_of(const struct sweep *s, const struct pm_panel *panel, uint32_t i) {
    if (s->part) return s->part->output;
    return pm_value(s->run, s->node->value, i) + panel->block * s->run->plan->maps[s->node->value].block_stride +
           s->first_run * s->conv->output_run;
}

static const float *residual_of(const struct sweep *s, const struct pm_conv_tile *tile, const struct pm_panel *panel,
                                uint32_t i) {
    int residual = s->node->epilogue.residual;
    if (residual < 0) return NULL;
    return pm_value(s->run, residual, i) + panel->block * tile->residual_block + s->first_run * s->conv->residual_run;
}

static void run_panel(const struct sweep *s, const struct pm_panel *panel) {
    const struct conv *conv = s->conv;
    const int turning = conv->turning && panel->tiling->turning;
    struct pm_conv_tile tile = tile_of(s, panel);
    const ptrdiff_t output_run = s->part ? s->part->output_row : conv->output_run;
    const struct pm_conv_rows rows = {s->runs, conv->run_pixels, conv->input_run, output_run, conv->residual_run};
    for (uint32_t i = s->first_image; i < s->first_image + s->images; i++) {
        tile.input = conv->narrows ? pairs_of(s, i) : first_corner(s, i);
        tile.output = output_of(s, panel, i);
        tile.residual = residual_of(s, &tile, panel, i);
        if (conv->own) tile.own = own_of(s, i);
        if (turning) pm_conv_run_rows(panel->tiling, &tile, &rows);
        for (uint32_t r = s->first_run; r < s->first_run + s->runs; r++) {
            uint32_t pixels = r + 1 < conv->runs ? conv->run_pixels : conv->last_pixels;
            if (!turning) pm_conv_run_tiles(panel->tiling, tile, pixels);
            for (int b = 0; b < panel->tiling->blocks; b++)
                pm_epilogue_activate(s->node, s->run, tile.output + b * tile.output_block,
                                     (ptrdiff_t)pixels * PM_BLOCK);
            tile.input += conv->input_run;
            tile.output += output_run;
            if (tile.residual) tile.residual += conv->residual_run;
            if (tile.own) tile.own += conv->input_run / PM_BLOCK;
        }
    }
}

void pm_conv_direct_leave(const struct pm_node *node, const struct pm_run *run) {
    const struct conv *conv = node->state;
    if (conv->tilings.slices && run->plan->bf16->release) run->plan->bf16->release();
}

/* Sweeps keep the input of a few rows, or of a few small images, in cache while all output channels are made from it.
 * Their size never changes a result. */
static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct conv *conv = node->state;
    struct sweep s = {.node = node, .conv = conv, .run = run};
    for (; s.first_image < run->count; s.first_image += s.images) {
        s.images = smaller(conv->sweep_images, run->count - s.first_image);
        if (scales_weights(node, conv)) pm_conv_gate_weights(node, run, &conv->panels, s.first_image, run->scratch);
        for (s.first_run = 0; s.first_run < conv->runs; s.first_run += s.runs) {
            s.runs = smaller(conv->sweep_runs, conv->runs - s.first_run);
            enter_sweep(&s);
            for (uint32_t p = 0; p < conv->panels.count; p++) run_panel(&s, &conv->panels.list[p]);
        }
    }
    pm_conv_direct_leave(node, run);
}

int pm_conv_takes_parts(const struct pm_node *node, const struct pm_plan *plan, const struct pm_shape *in) {
    return node->layer == pm_layer_find("conv2d") && node->window.groups == 1 && pm_window_is_pixel(&node->window) &&
           !node->gate && !node->prologue && !pm_conv_strassen_suits(node, plan, in);
}

void pm_conv_direct_enter(const struct pm_node *node, const struct pm_run *run, uint32_t image) {
    const struct conv *conv = node->state;
    struct sweep all = {node, conv, run, image, 1, 0, conv->runs, NULL};
    enter_sweep(&all);
}

void pm_conv_direct_part(const struct pm_node *node, const struct pm_run *run, const struct pm_conv_part *part) {
    struct sweep rows = {node, node->state, run, part->image, 1, part->first, part->rows, part};
    run_panel(&rows, part->panel);
}

int pm_conv_direct_couples(const struct pm_node *node) {
    const struct conv *conv = node->state;
    return conv->tilings.slices == 1 && !node->epilogue.activation.function;
}

const struct pm_panel *pm_conv_direct_panel(const struct pm_node *node, uint32_t index) {
    const struct conv *conv = node->state;
    return index < conv->panels.count ? &conv->panels.list[index] : NULL;
}

ptrdiff_t pm_conv_direct_blocks(const struct pm_node *node) {
    const struct conv *conv = node->state;
    return conv->panels.list->tiling->blocks; /* the first is the broadest */
}

const struct pm_conv_method pm_conv_direct = {.prepare = prepare, .pack = pack, .run = run};
