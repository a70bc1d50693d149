/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution over all channels, as a sum over segments (kernels.h): the map's layout is spelled out once, when the
 * segment table is made, so that one kernel serves every window, 1x1 included, and the RGB input. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/memory.h"
#include "graph/preprocess.h"
#include "layers/layer.h"

/* Input floats that a sweep over all output channels may touch before it goes on: half of a 1 MiB L2 cache. */
#define SWEEP_FLOATS ((uint64_t)512 * 1024 / sizeof(float))

struct conv {
    const struct pm_conv_tiling *broad, *narrow; /* for as many blocks as fit, and for one left over */
    ptrdiff_t input_pixel;
    uint64_t depth; /* sum of segment lengths */
    /* The output as runs of pixels that lie evenly in input and output: its rows, or longer where nothing stands
     * between rows. Distances in floats. */
    uint32_t runs, run_pixels, last_pixels;
    ptrdiff_t input_run, output_run, residual_run;
    uint32_t sweep_runs, sweep_images;
    int passes; /* over the segments: 2 where the weights are split, see part_of */
    ptrdiff_t segment_count, partial_segments;
    struct pm_segment segments[];
};

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    uint64_t groups = 1;
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    POMONA_RETURN_IF(kernel->rank != 4 || kernel->dims[0] > PM_MAX_SIDE || kernel->dims[1] > PM_MAX_SIDE ||
                         kernel->dims[2] > UINT32_MAX || kernel->dims[3] > UINT32_MAX / 2,
                     error, POMONA_BAD_MODEL, "layer %s: `kernel` (tensor %s) must be [height, width, in, out]",
                     node->name, kernel->name);
    POMONA_TRY(pm_window_read(node, attributes, error));
    POMONA_TRY(pm_json_uint(attributes, "groups", node->name, 1, 1, UINT32_MAX, &groups, error));
    POMONA_RETURN_IF(groups != 1, error, POMONA_UNSUPPORTED,
                     "layer %s: %llu groups; conv2d reads 1 (use depthwise_conv2d for one channel a group)", node->name,
                     (unsigned long long)groups);
    node->window.kernel[0] = (uint32_t)kernel->dims[0];
    node->window.kernel[1] = (uint32_t)kernel->dims[1];
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    return pm_kernel_infer(node, inputs, (uint32_t)pm_weight(node, "kernel")->dims[3], error);
}

/* Calls for each run of consecutive floats under the window, in the order of the packed weights. */
typedef void segment_visit(void *context, ptrdiff_t offset, uint32_t ky, uint32_t kx, uint32_t channel,
                           ptrdiff_t length);

static void each_segment(const struct pm_node *node, const struct pm_map *in, segment_visit *visit, void *context) {
    const struct pm_window *window = &node->window;
    /* A kernel row of an unblocked, undilated map is one run. */
    uint32_t together = in->block != PM_BLOCK && window->dilation[1] == 1 ? window->kernel[1] : 1;
    for (uint32_t block = 0; block < pm_map_blocks(in); block++) {
        uint32_t channel = block * in->block, left = in->shape.channels - channel;
        for (uint32_t ky = 0; ky < window->kernel[0]; ky++)
            for (uint32_t kx = 0; kx < window->kernel[1]; kx += together) {
                ptrdiff_t offset = block * in->block_stride + (ptrdiff_t)(ky * window->dilation[0]) * in->row_stride +
                                   (ptrdiff_t)(kx * window->dilation[1]) * in->block;
                visit(context, offset, ky, kx, channel, (ptrdiff_t)together * (left < in->block ? left : in->block));
            }
    }
}

static void count_segment(void *context, ptrdiff_t offset, uint32_t ky, uint32_t kx, uint32_t channel,
                          ptrdiff_t length) {
    (void)offset, (void)ky, (void)kx, (void)channel, (void)length;
    ++*(size_t *)context;
}

static void add_segment(void *context, ptrdiff_t offset, uint32_t ky, uint32_t kx, uint32_t channel, ptrdiff_t length) {
    (void)ky, (void)kx, (void)channel;
    struct conv *conv = context;
    conv->segments[conv->segment_count++] = (struct pm_segment){offset, length};
    conv->depth += (uint64_t)length;
}

static void add_segments(const struct pm_node *node, const struct pm_map *in, struct conv *conv) {
    each_segment(node, in, add_segment, conv);
    conv->passes = in->unit && pm_is_wide(node, conv->depth) ? 2 : 1;
    conv->partial_segments = PM_PARTIAL_SEGMENTS;
    if (conv->passes == 1) return;
    conv->partial_segments = conv->segment_count;
    each_segment(node, in, add_segment, conv);
}

/* The first tiling of at most `blocks` blocks that takes windows this far apart. */
static const struct pm_conv_tiling *choose(const struct pm_kernels *kernels, int wide, int blocks,
                                           ptrdiff_t input_pixel) {
    for (int i = 0; i < PM_CONV_TILINGS_MAX && kernels->conv[i].name; i++)
        if (kernels->conv[i].wide == wide && kernels->conv[i].blocks <= blocks &&
            (kernels->conv[i].input_pixel == input_pixel || kernels->conv[i].input_pixel == 0))
            return &kernels->conv[i];
    return NULL;
}

/* Floats of input behind one run of outputs, about. */
static uint64_t run_floats(const struct pm_node *node, const struct pm_map *in, const struct conv *conv) {
    return (uint64_t)conv->run_pixels * node->window.stride[0] * node->window.stride[1] * in->shape.channels;
}

static uint32_t at_least_one(uint64_t count, uint32_t limit) {
    return count < 1 ? 1 : count > limit ? limit : (uint32_t)count;
}

static void choose_runs(const struct pm_node *node, const struct pm_plan *plan, struct conv *conv) {
    const struct pm_window *window = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]], *out = &plan->maps[node->value];
    const struct pm_map *residual = node->epilogue.residual < 0 ? out : &plan->maps[node->epilogue.residual];
    int dense = window->stride[0] == 1 && window->stride[1] == 1 && in->shape.width == out->shape.width &&
                in->row_stride == (ptrdiff_t)(in->shape.width * in->block) &&
                out->row_stride == (ptrdiff_t)(out->shape.width * PM_BLOCK) && residual->row_stride == out->row_stride;
    uint32_t pixels = out->shape.width;
    if (dense) { /* any length does: one that a sweep holds */
        uint32_t all = out->shape.height * out->shape.width, tile = (uint32_t)conv->broad->pixels;
        uint32_t fit = at_least_one(SWEEP_FLOATS / in->shape.channels, all);
        pixels = fit < all && fit > tile ? fit / tile * tile : fit;
        conv->runs = (all + pixels - 1) / pixels;
        conv->last_pixels = all - (conv->runs - 1) * pixels;
    } else {
        conv->runs = out->shape.height;
        conv->last_pixels = pixels;
    }
    conv->run_pixels = pixels;
    conv->input_run = dense ? (ptrdiff_t)pixels * in->block : (ptrdiff_t)window->stride[0] * in->row_stride;
    conv->output_run = dense ? (ptrdiff_t)pixels * PM_BLOCK : out->row_stride;
    conv->residual_run = dense ? (ptrdiff_t)pixels * PM_BLOCK : residual->row_stride;
    conv->sweep_runs = at_least_one(SWEEP_FLOATS / run_floats(node, in, conv), conv->runs);
    conv->sweep_images = at_least_one(SWEEP_FLOATS / (run_floats(node, in, conv) * conv->runs), POMONA_MAX_BATCH);
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    size_t segments = 0;
    each_segment(node, in, count_segment, &segments);
    segments *= 2; /* passes at most */
    struct conv *conv = pm_allocate_zeroed(1, sizeof *conv + segments * sizeof *conv->segments);
    POMONA_RETURN_IF(!conv, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory for %zu segments", node->name, segments);
    node->state = conv;
    add_segments(node, in, conv);
    conv->input_pixel = (ptrdiff_t)(node->window.stride[1] * in->block);
    int wide = !in->unit && pm_is_wide(node, conv->depth);
    conv->narrow = choose(plan->kernels, wide, 1, conv->input_pixel);
    uint32_t blocks = pm_map_blocks(&plan->maps[node->value]);
    conv->broad = choose(plan->kernels, wide, blocks < INT32_MAX ? (int)blocks : INT32_MAX, conv->input_pixel);
    node->kernel = conv->broad->name;
    choose_runs(node, plan, conv);
    POMONA_RETURN_IF(!pm_multiply(conv->depth + 2, (uint64_t)blocks * PM_BLOCK, &node->packed_count), error,
                     POMONA_LIMIT, "layer %s: too many weights", node->name);
    return POMONA_OK;
}

/* Output blocks from `block` on that the next panel covers. */
static const struct pm_conv_tiling *panel_tiling(const struct conv *conv, uint32_t block, uint32_t blocks) {
    return blocks - block >= (uint32_t)conv->broad->blocks ? conv->broad : conv->narrow;
}

struct packing {
    const struct pm_node *node;
    const struct pm_map *in;
    float *to;
    uint32_t first, count; /* output channels of the panel; those past the last are zero */
    int passes, pass;
};

/* The weight of row `row` ([height x width x in]) for output channel `out`, in units of the input. */
static double weight_at(const struct packing *p, uint64_t row, uint64_t out) {
    const struct pm_tensor *kernel = pm_weight(p->node, "kernel");
    double weight = kernel->data[row * kernel->dims[3] + out];
    return p->in->unit ? weight * p->in->unit[row % kernel->dims[2]] : weight;
}

/* The part of a weight that a pass multiplies. Of two passes over whole numbers |x| <= 2^PM_WHOLE_BITS, the last one
 * takes weights rounded to a grid so coarse that fp32 holds each of its sums exactly. The first one takes what rounding
 * left: a sum 2^10 times smaller, and so are its errors. Together as good as a sum in fp64, for two products in fp32.
 */
static double part_of(const struct packing *p, uint64_t row, uint64_t out) {
    double weight = weight_at(p, row, out), largest = 0;
    if (p->passes == 1) return weight;
    const struct pm_tensor *kernel = pm_weight(p->node, "kernel");
    uint64_t rows = kernel->dims[0] * kernel->dims[1] * kernel->dims[2];
    int bits = FLT_MANT_DIG - PM_WHOLE_BITS, exponent;
    for (uint64_t terms = 1; terms < rows; terms *= 2) bits--;
    for (uint64_t r = 0; r < rows; r++) largest = fmax(largest, fabs(weight_at(p, r, out)));
    frexp(largest, &exponent);
    double grid = ldexp(1, exponent - bits), coarse = rint(weight / grid) * grid;
    return p->pass == 0 ? weight - coarse : coarse;
}

static void pack_segment(void *context, ptrdiff_t offset, uint32_t ky, uint32_t kx, uint32_t channel,
                         ptrdiff_t length) {
    (void)offset;
    struct packing *p = context;
    const struct pm_tensor *kernel = pm_weight(p->node, "kernel");
    uint64_t row = (ky * kernel->dims[1] + kx) * kernel->dims[2] + channel;
    for (ptrdiff_t k = 0; k < length; k++, row++, p->to += p->count)
        for (uint32_t c = 0; c < p->count; c++)
            p->to[c] = p->first + c < kernel->dims[3] ? (float)part_of(p, row, p->first + c) : 0;
}

/* Panels of [scale][shift][depth x outputs], in the order of the output channels. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    const struct conv *conv = node->state;
    uint32_t blocks = pm_map_blocks(&plan->maps[node->value]);
    struct packing p = {.node = node, .in = &plan->maps[node->inputs[0]], .to = packed, .passes = conv->passes};
    for (uint32_t block = 0; block < blocks; block += p.count / PM_BLOCK) {
        p.first = block * PM_BLOCK;
        p.count = (uint32_t)panel_tiling(conv, block, blocks)->blocks * PM_BLOCK;
        pm_epilogue_pack(node, p.first, p.count, p.to, p.to + p.count);
        p.to += 2 * p.count;
        for (p.pass = 0; p.pass < p.passes; p.pass++) each_segment(node, p.in, pack_segment, &p);
    }
}

/* One run of output pixels by one panel, in tiles as even as the tiling allows. */
static void run_tiles(const struct pm_conv_tiling *tiling, struct pm_conv_tile tile, uint32_t pixels) {
    uint32_t tiles = (pixels + (uint32_t)tiling->pixels - 1) / (uint32_t)tiling->pixels;
    for (uint32_t i = 0; i < tiles; i++) {
        uint32_t now = pixels / tiles + (i < pixels % tiles);
        tiling->kernels[now - 1](&tile);
        tile.input += (ptrdiff_t)now * tile.input_pixel;
        tile.output += (ptrdiff_t)now * PM_BLOCK;
        if (tile.residual) tile.residual += (ptrdiff_t)now * PM_BLOCK;
    }
}

/* What does not change within one call. */
struct sweep {
    const struct pm_node *node;
    const struct conv *conv;
    const struct pm_run *run;
    uint32_t first_image, images, first_run, runs;
};

static void run_panel(const struct sweep *s, struct pm_conv_tile tile, const struct pm_conv_tiling *tiling,
                      ptrdiff_t block) {
    const struct conv *conv = s->conv;
    const struct pm_node *node = s->node;
    const struct pm_window *window = &node->window;
    const struct pm_map *in = &s->run->plan->maps[node->inputs[0]];
    ptrdiff_t corner = window->padding[PM_TOP] * in->row_stride + (ptrdiff_t)(window->padding[PM_LEFT] * in->block);
    for (uint32_t i = s->first_image; i < s->first_image + s->images; i++) {
        const float *input = pm_value(s->run, node->inputs[0], i) - corner;
        float *output = pm_value(s->run, node->value, i) + block * tile.output_block;
        const float *residual = node->epilogue.residual < 0
                                    ? NULL
                                    : pm_value(s->run, node->epilogue.residual, i) + block * tile.residual_block;
        for (uint32_t r = s->first_run; r < s->first_run + s->runs; r++) {
            tile.input = input + r * conv->input_run;
            tile.output = output + r * conv->output_run;
            tile.residual = residual ? residual + r * conv->residual_run : NULL;
            run_tiles(tiling, tile, r + 1 < conv->runs ? conv->run_pixels : conv->last_pixels);
        }
    }
}

static void run_sweep(const struct sweep *s) {
    const struct pm_node *node = s->node;
    const struct pm_map *maps = s->run->plan->maps, *out = &maps[node->value];
    struct pm_conv_tile tile = {
        .segments = s->conv->segments,
        .segment_count = s->conv->segment_count,
        .partial_segments = s->conv->partial_segments,
        .input_pixel = s->conv->input_pixel,
        .output_block = out->block_stride,
        .residual_block = node->epilogue.residual < 0 ? 0 : maps[node->epilogue.residual].block_stride,
        .low = node->epilogue.low,
        .high = node->epilogue.high,
    };
    const float *packed = node->packed;
    uint32_t blocks = pm_map_blocks(out);
    for (uint32_t block = 0; block < blocks;) {
        const struct pm_conv_tiling *tiling = panel_tiling(s->conv, block, blocks);
        ptrdiff_t outputs = tiling->blocks * PM_BLOCK;
        tile.scale = packed;
        tile.shift = packed + outputs;
        tile.weights = packed + 2 * outputs;
        run_panel(s, tile, tiling, block);
        packed += ((ptrdiff_t)s->conv->depth + 2) * outputs;
        block += (uint32_t)tiling->blocks;
    }
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Sweeps keep the input of a few rows, or of a few small images, in cache while all output channels are made from it.
 * Their size never changes a result. */
static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct conv *conv = node->state;
    struct sweep s = {.node = node, .conv = conv, .run = run};
    for (; s.first_image < run->count; s.first_image += s.images) {
        s.images = smaller(conv->sweep_images, run->count - s.first_image);
        for (s.first_run = 0; s.first_run < conv->runs; s.first_run += s.runs) {
            s.runs = smaller(conv->sweep_runs, conv->runs - s.first_run);
            run_sweep(&s);
        }
    }
}

const struct pm_layer pm_layer_conv2d = {
    .name = "conv2d",
    .roles = {"kernel", "?bias"},
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_PADDING | PM_TAKES_AFFINE | PM_TAKES_RESIDUAL | PM_TAKES_CLAMP | PM_TAKES_WHOLE,
    .read = read,
    .infer = infer,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
