/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_panels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "graph/preprocess.h"
#include "kernels/digits.h"
#include "kernels/fixed.h"

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

uint32_t pm_panels_channels(const struct pm_node *node) {
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    return (uint32_t)(kernel->count / (kernel->dims[0] * kernel->dims[1] * node->shape.channels));
}

/* Slots of a pixel, those past the last channel included. */
static uint32_t slots_of(const struct pm_map *map) { return pm_map_blocks(map) * map->block; }

/* Calls for each run of consecutive floats under the window, in the order of the packed weights. `row` counts rows of
 * the kernel as if it had one group and no slot were empty: (ky x width + kx) x slots + channel. */
typedef void segment_visit(void *context, ptrdiff_t offset, uint64_t row, ptrdiff_t length);

/* Columns of the window in one run: all of an unblocked, undilated map whose channels are all seen. */
static uint32_t columns_together(const struct pm_tilings *tilings, const struct pm_panel *panel) {
    const struct pm_window *window = &tilings->window;
    const uint32_t block = tilings->in->block;
    return block != PM_BLOCK && window->dilation[1] == 1 && panel->to - panel->from == block ? window->kernel[1] : 1;
}

/* Where the run of channels ends that begins with this one, and none of its block or its part does. */
static uint32_t run_end(const struct pm_tilings *tilings, const struct pm_panel *panel, uint32_t channel) {
    const struct pm_map *in = tilings->in;
    uint32_t end = smaller(channel - channel % in->block + in->block, panel->to);
    if (!in->room || tilings->whole_blocks) return end;
    uint32_t gap = channel - channel % in->room + in->part;
    return channel < gap ? smaller(end, gap) : channel;
}

static void each_segment(const struct pm_tilings *tilings, const struct pm_panel *panel, segment_visit *visit,
                         void *context) {
    const struct pm_map *in = tilings->in;
    const struct pm_window *window = &tilings->window;
    uint32_t together = columns_together(tilings, panel);
    for (uint32_t channel = panel->from, next; channel < panel->to; channel = next) {
        uint32_t block = channel / in->block, inside = channel % in->block;
        next = run_end(tilings, panel, channel);
        if (next == channel) {
            next += in->room - channel % in->room;
            continue;
        }
        for (uint32_t ky = 0; ky < window->kernel[0]; ky++)
            for (uint32_t kx = 0; kx < window->kernel[1]; kx += together) {
                ptrdiff_t offset = block * in->block_stride + (ptrdiff_t)(ky * window->dilation[0]) * in->row_stride +
                                   (ptrdiff_t)(kx * window->dilation[1]) * in->block + inside;
                uint64_t tap = (uint64_t)ky * window->kernel[1] + kx;
                visit(context, offset, tap * slots_of(in) + channel, (ptrdiff_t)together * (next - channel));
            }
    }
}

/* Slices of input and weights that passes multiply, small products first. One slice has the last pass alone; of three
 * slices' nine products those below 2^-26 of the whole are left out. */
static const struct { int input, weight; } products[] = {{2, 0}, {0, 2}, {1, 1}, {1, 0}, {0, 1}, {0, 0}};

#define PRODUCTS ((int)(sizeof products / sizeof *products))

/* The product of a pass over slices. */
static int product_of(const struct pm_tilings *tilings, int pass) { return PRODUCTS - tilings->passes + pass; }

int pm_panels_passes(const struct pm_map *in, int slices, int precise) {
    if (slices) return slices > 1 ? PRODUCTS : 1;
    return precise && in->unit ? 2 : 1;
}

static void count_segment(void *context, ptrdiff_t offset, uint64_t row, ptrdiff_t length) {
    (void)offset, (void)row, (void)length;
    ++*(size_t *)context;
}

struct listing {
    struct pm_panel *panel;
    struct pm_segment *next;
    ptrdiff_t slice; /* offset of the input's slice */
};

static void add_segment(void *context, ptrdiff_t offset, uint64_t row, ptrdiff_t length) {
    (void)row;
    struct listing *listing = context;
    *listing->next++ = (struct pm_segment){listing->slice + offset, length};
    listing->panel->segment_count++;
    listing->panel->depth += (uint64_t)length;
}

/* Of two passes, each is one partial sum; and so is a sum in bf16, whose products are rounded more than it is, and one
 * of digits, which is exact. */
static void add_segments(const struct pm_node *node, const struct pm_tilings *tilings, struct listing *listing) {
    struct pm_panel *panel = listing->panel;
    panel->segments = listing->next;
    for (int pass = 0; pass < tilings->passes; pass++) {
        int slice = tilings->slices ? products[product_of(tilings, pass)].input : 0;
        listing->slice = slice * (ptrdiff_t)tilings->in->size;
        each_segment(tilings, panel, add_segment, listing);
    }
    int whole = tilings->passes > 1 || tilings->slices || tilings->digits;
    panel->partial_segments = whole ? panel->segment_count / tilings->passes : pm_partial_segments(node);
    panel->odd_segments = whole ? 0 : pm_odd_segments(node, panel->segment_count);
}

static void share_segments(struct pm_panel *panel, const struct pm_panel *from) {
    panel->segments = from->segments;
    panel->segment_count = from->segment_count;
    panel->partial_segments = from->partial_segments;
    panel->odd_segments = from->odd_segments;
    panel->depth = from->depth;
}

/* A broad panel sees one group, so that it has no more zeros than narrow ones. */
static const struct pm_conv_tiling *tiling_at(const struct pm_tilings *tilings, const struct pm_shape *out,
                                              uint32_t block) {
    uint32_t left = out->channels - block * PM_BLOCK, broad = (uint32_t)tilings->broad->blocks;
    uint32_t groups = tilings->window.groups, last = left % PM_BLOCK;
    int halves = tilings->half && last > 0 && last <= PM_BLOCK / 2;
    if (halves && left == last) return tilings->half;
    if (halves && left == PM_BLOCK + last && tilings->broad_half) return tilings->broad_half;
    uint32_t blocks = left / PM_BLOCK + (last > 0 && !halves);
    int fits = blocks >= broad && (groups == 1 || out->channels / groups % (broad * PM_BLOCK) == 0);
    return fits ? tilings->broad : tilings->narrow;
}

/* The panel that begins with output block `block`, its segments aside. */
static struct pm_panel panel_at(const struct pm_node *node, const struct pm_plan *plan,
                                const struct pm_tilings *tilings, uint32_t block) {
    const struct pm_map *in = tilings->in, *out = &plan->maps[node->value];
    uint32_t groups = node->window.groups, outputs = out->shape.channels / groups;
    struct pm_panel panel = {
        .tiling = tiling_at(tilings, &out->shape, block), .block = block, .starts = tilings->fixed};
    uint32_t first = block * PM_BLOCK, end = first + (uint32_t)panel.tiling->blocks * PM_BLOCK;
    panel.from = first / outputs * (in->shape.channels / groups);
    panel.to = ((smaller(end, out->shape.channels) - 1) / outputs + 1) * (in->shape.channels / groups);
    if (tilings->whole_blocks) {
        panel.from -= panel.from % in->block;
        panel.to = (panel.to + in->block - 1) / in->block * in->block;
    }
    return panel;
}

/* Segments of all panels, each list once. */
static size_t count_segments(const struct pm_node *node, const struct pm_plan *plan, const struct pm_tilings *tilings) {
    uint32_t blocks = pm_map_blocks(&plan->maps[node->value]);
    size_t count = 0;
    for (uint32_t block = 0; block < blocks;) {
        struct pm_panel panel = panel_at(node, plan, tilings, block);
        each_segment(tilings, &panel, count_segment, &count);
        block = node->window.groups == 1 ? blocks : block + (uint32_t)panel.tiling->blocks;
    }
    return count;
}

size_t pm_panels_size(const struct pm_node *node, const struct pm_plan *plan, const struct pm_tilings *tilings) {
    return pm_map_blocks(&plan->maps[node->value]) * sizeof(struct pm_panel) +
           (size_t)tilings->passes * count_segments(node, plan, tilings) * sizeof(struct pm_segment);
}

static uint64_t panel_floats(const struct pm_panel *panel) {
    return (panel->depth + 2 + (uint64_t)panel->starts) * (uint64_t)pm_tiling_outputs(panel->tiling);
}

struct pm_panels pm_panels_make(const struct pm_node *node, const struct pm_plan *plan,
                                const struct pm_tilings *tilings, void *memory) {
    uint32_t blocks = pm_map_blocks(&plan->maps[node->value]);
    struct pm_panels panels = {.list = memory};
    panels.segments = (struct pm_segment *)(void *)(panels.list + blocks);
    struct listing listing = {.next = panels.segments};
    uint64_t packed = 0;
    for (uint32_t block = 0; block < blocks; block += (uint32_t)listing.panel->tiling->blocks) {
        listing.panel = &panels.list[panels.count++];
        *listing.panel = panel_at(node, plan, tilings, block);
        if (block > 0 && node->window.groups == 1) share_segments(listing.panel, panels.list);
        else add_segments(node, tilings, &listing);
        listing.panel->packed = packed;
        packed += panel_floats(listing.panel);
    }
    return panels;
}

/* At most 16 times what the file holds: a panel has a zero for each weight between two groups. */
uint64_t pm_panels_floats(const struct pm_panels *panels) {
    uint64_t floats = 0;
    for (uint32_t i = 0; i < panels->count; i++) floats += panel_floats(&panels->list[i]);
    return floats;
}

struct packing {
    const struct pm_node *node;
    const struct pm_tilings *tilings;
    const float *kernel;
    uint32_t depth, outputs; /* of a group: numbers or pairs of a pixel, and channels */
    uint32_t floats;         /* of such a pixel: the last pair may want one */
    uint32_t part, room;     /* floats and numbers of a part, of which a pixel is one where the map has none */
    uint32_t channels;       /* of a group in the file's kernel */
    float *to;
    uint32_t first, count;                       /* output channels of the panel */
    double grids[PM_CONV_BLOCKS_MAX * PM_BLOCK]; /* of each of them, where their weights are rounded to one */
    int pass;
};

/* The weight of row `row` ([height x width x depth]) for output channel `out`, in units of the input. */
static double weight_at(const struct packing *p, uint64_t row, uint32_t out) {
    double weight = p->kernel[row * p->node->shape.channels + out];
    const double *unit = p->tilings->in->unit;
    return unit ? weight * unit[out / p->outputs * p->channels + row % p->channels] : weight;
}

/* Bits of whole numbers whose sums of `count` products with numbers up to 2^PM_WHOLE_BITS a float holds exactly. */
static int exact_bits(uint64_t count) {
    int bits = FLT_MANT_DIG - PM_WHOLE_BITS;
    for (uint64_t terms = 1; terms < count; terms *= 2) bits--;
    return bits;
}

/* The kernels read weights of 16 bits that count a grid of their output. */
static int counts_grids(const struct pm_tilings *tilings) { return tilings->digits || tilings->fixed; }

/* The weights of an output are rounded to a grid. */
static int has_grids(const struct pm_tilings *tilings) {
    return counts_grids(tilings) || (tilings->passes > 1 && !tilings->slices);
}

/* The least power of two that is greater. */
static double power_above(double x) {
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent);
}

/* Powers of two. Of fixed-point numbers as fine as kernels/fixed.h allows; rounding may add a half to each. Of two
 * passes over whole numbers, the last one takes weights rounded so coarsely that fp32 holds each of its sums exactly,
 * or one digit. */
static double grid_of(const struct packing *p, uint32_t out) {
    uint64_t rows = (uint64_t)p->node->window.kernel[0] * p->node->window.kernel[1] * p->channels;
    double largest = 0, all = 0;
    for (uint64_t r = 0; r < rows; r++) {
        double magnitude = fabs(weight_at(p, r, out));
        largest = magnitude > largest ? magnitude : largest; /* GCC 12 for aarch64 breaks down over fmax here */
        all += magnitude;
    }
    if (p->tilings->fixed) {
        const double least = largest / ((1 << PM_FIXED_BITS) - 1), enough = all / (PM_FIXED_SUM - (double)rows);
        return power_above(least > enough ? least : enough);
    }
    return ldexp(power_above(largest), -(p->tilings->digits ? PM_DIGIT_BITS - 1 : exact_bits(rows)));
}

static void find_grids(struct packing *p) {
    for (uint32_t c = 0; c < p->count; c++)
        p->grids[c] = p->first + c < p->node->shape.channels ? grid_of(p, p->first + c) : 1;
}

/* The part of a weight that a pass multiplies. The first one of two takes what rounding left: a sum 2^10 times smaller,
 * and so are its errors. Together as good as a sum in fp64, for two products in fp32. */
static double part_of(const struct packing *p, uint64_t row, uint32_t out) {
    double weight = weight_at(p, row, out);
    if (p->tilings->passes == 1) return weight;
    double grid = p->grids[out - p->first], coarse = rint(weight / grid) * grid;
    return p->pass == 0 ? weight - coarse : coarse;
}

/* The same as a digit or a fixed-point number: in units of the grid, and in the first pass of two what rounding left in
 * units of 2^-PM_DIGIT_BITS of it. */
static int digit_of(const struct packing *p, uint64_t row, uint32_t out) {
    double weight = weight_at(p, row, out) / p->grids[out - p->first], high = rint(weight);
    return (int)(p->pass + 1 < p->tilings->passes ? rint(ldexp(weight - high, PM_DIGIT_BITS)) : high);
}

/* What the kernels multiply with number `channel` of the input under a tap: a weight, or those of a pair. */
static float number_of(const struct packing *p, uint64_t tap, uint32_t channel, uint32_t out) {
    const int alone = !p->tilings->slices && !p->tilings->digits;
    uint32_t inside = channel % p->room * (alone ? 1 : 2);
    uint64_t first = tap * p->floats + channel / p->room * p->part + inside;
    int both = inside + 1 < p->part;
    if (inside >= p->part) return 0;
    if (alone) return (float)part_of(p, first, out);
    if (counts_grids(p->tilings)) return pm_digit_pair(digit_of(p, first, out), both ? digit_of(p, first + 1, out) : 0);
    int slice = products[product_of(p->tilings, p->pass)].weight;
    float even = (float)weight_at(p, first, out), odd = both ? (float)weight_at(p, first + 1, out) : 0;
    return pm_bf16_pair(pm_bf16_rest(even, slice), pm_bf16_rest(odd, slice));
}

/* Zero past the last output, past the last channel, in gaps between parts, and where a row belongs to another group
 * than the output. */
static void pack_segment(void *context, ptrdiff_t offset, uint64_t row, ptrdiff_t length) {
    (void)offset;
    struct packing *p = context;
    const struct pm_map *in = p->tilings->in;
    for (uint64_t end = row + (uint64_t)length; row < end; row++, p->to += p->count) {
        uint32_t channel = (uint32_t)(row % slots_of(in)), group = channel / p->depth;
        uint32_t begin = group * p->outputs, first = begin > p->first ? begin : p->first;
        uint32_t last = smaller(begin + p->outputs, p->first + p->count);
        memset(p->to, 0, p->count * sizeof *p->to);
        if (channel >= in->shape.channels) continue;
        for (uint32_t c = first; c < last; c++)
            p->to[c - p->first] = number_of(p, row / slots_of(in), channel % p->depth, c);
    }
}

/* Digits and fixed-point numbers count the grid, two digits its 2^-PM_DIGIT_BITS. */
static void scale_by_grids(const struct packing *p) {
    for (uint32_t c = 0; c < p->count; c++)
        p->to[c] = (float)ldexp(p->to[c] * p->grids[c], (1 - p->tilings->passes) * PM_DIGIT_BITS);
}

void pm_panels_pack(const struct pm_node *node, const struct pm_tilings *tilings, const struct pm_panels *panels,
                    float *packed) {
    struct packing p = {.node = node, .tilings = tilings, .kernel = pm_weight(node, "kernel")->data, .to = packed};
    p.depth = tilings->in->shape.channels / node->window.groups;
    p.outputs = node->shape.channels / node->window.groups;
    p.channels = pm_panels_channels(node);
    p.floats = p.channels * (node->window.kernel[1] / tilings->window.kernel[1]);
    p.room = tilings->in->room ? tilings->in->room : p.depth;
    p.part = p.floats / (p.depth / p.room);
    for (uint32_t i = 0; i < panels->count; i++) {
        const struct pm_panel *panel = &panels->list[i];
        p.first = panel->block * PM_BLOCK;
        p.count = (uint32_t)pm_tiling_outputs(panel->tiling);
        pm_epilogue_pack(node, p.first, p.count, p.to, p.to + p.count);
        if (has_grids(tilings)) find_grids(&p);
        if (counts_grids(tilings)) scale_by_grids(&p);
        p.to += 2 * p.count;
        for (p.pass = 0; p.pass < tilings->passes; p.pass++) each_segment(tilings, panel, pack_segment, &p);
        p.to += (uint64_t)panel->starts * p.count;
    }
}
