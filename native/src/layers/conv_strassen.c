/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_strassen.h"

#include "core/memory.h"

/* Floats of a band by level, of its input or its output if that is larger. Sums of quarters share a 1 MiB L2 cache; the
 * more weights there are, the more it costs to read them once a band. */
static const uint64_t band_floats[] = {0, (uint64_t)1280 * 1024 / sizeof(float), (uint64_t)2000 * 1024 / sizeof(float)};

/* Sums cost (in + out) x pixels, and save in x out x pixels / 8 products: what pays is in x out / (in + out), and more
 * where pixels are gathered, or few; measured. */
#define MIN_CHANNELS 128
#define MIN_GAIN 80
#define MIN_GAIN_GATHERED 150
#define FEW_PIXELS 64
#define MIN_GAIN_FEW 200
#define MIN_PIXELS 40

/* The same of a second level, which has half the channels: short sums are costly to begin. */
#define MIN_GAIN_TWICE 200
#define MIN_GAIN_TWICE_FEW 300
#define MIN_CHANNELS_TWICE 512
#define MIN_ROWS_TWICE 6 /* such that no half of a half is empty */

const struct pm_strassen_product pm_strassen_products[STRASSEN_PRODUCTS] = {
    [STRASSEN_P1] = {0, 0, 0, {{1, 0}, {0, 0}}},  [STRASSEN_P2] = {0, 1, 0, {{0, 0}, {1, 0}}},
    [STRASSEN_P3] = {1, 1, 1, {{0, 0}, {0, 1}}},  [STRASSEN_P4] = {0, 1, 0, {{-1, 1}, {1, -1}}},
    [STRASSEN_P5] = {1, 0, 1, {{-1, 1}, {0, 0}}}, [STRASSEN_P6] = {1, 0, 0, {{1, -1}, {0, 1}}},
    [STRASSEN_P7] = {1, 0, 1, {{0, -1}, {0, 1}}}, [STRASSEN_NONE] = {0, 0, 1, {{0, 0}, {0, 0}}},
};

static int gathers(const struct pm_window *w) { return w->stride[0] > 1 || w->stride[1] > 1; }

static uint64_t pixels_of(const struct pm_shape *shape) { return (uint64_t)shape->height * shape->width; }

static int is_small(const struct pm_shape *out) { return pixels_of(out) < FEW_PIXELS; }

static int gains(const struct pm_shape *in, const struct pm_shape *out, uint64_t least) {
    const uint64_t ins = in->channels, outs = out->channels;
    return ins * outs >= least * (ins + outs);
}

int pm_conv_strassen_suits(const struct pm_node *node, const struct pm_plan *plan, const struct pm_shape *in) {
    const struct pm_window *w = &node->window;
    const struct pm_shape *out = &node->shape;
    return plan->kernels->subtract && !plan->bf16 && !node->gate && !node->banded && pm_window_is_pixel(w) &&
           w->groups == 1 && in->channels >= MIN_CHANNELS && out->channels >= MIN_CHANNELS && out->height > 1 &&
           pixels_of(out) >= MIN_PIXELS && gains(in, out, MIN_GAIN) &&
           (!gathers(w) || gains(in, out, MIN_GAIN_GATHERED)) && (!is_small(out) || gains(in, out, MIN_GAIN_FEW));
}

static uint32_t choose_levels(const struct pm_shape *in, const struct pm_shape *out) {
    uint64_t least = is_small(out) ? MIN_GAIN_TWICE_FEW : MIN_GAIN_TWICE;
    return out->height >= MIN_ROWS_TWICE && in->channels >= MIN_CHANNELS_TWICE && gains(in, out, least) ? 2 : 1;
}

struct pm_strassen_size pm_strassen_part(const struct pm_strassen_size *of, const struct pm_strassen_product *p,
                                         uint32_t level) {
    uint32_t channels = pm_strassen_half(pm_strassen_blocks(of->channels), level) * PM_BLOCK;
    uint32_t blocks = pm_strassen_half(of->blocks, level);
    int none = p == &pm_strassen_products[STRASSEN_NONE];
    return (struct pm_strassen_size){
        .channels = none    ? 0
                    : p->in ? of->channels - channels
                            : channels,
        .blocks = p->out ? of->blocks - blocks : blocks,
    };
}

/* Gives each level its scratch; returns the floats of all. The first halves are the largest. */
static uint64_t lay_out(struct pm_strassen *s, const struct pm_map *in, const struct pm_map *out) {
    uint32_t rows = (out->shape.height + s->bands - 1) / s->bands, ins = pm_map_blocks(in), outs = s->size.blocks;
    ptrdiff_t end = 0;
    s->input_block[0] = in->block_stride;
    if (s->gathers) {
        s->input_block[0] = rows * s->input_row + PM_BLOCK; /* a line more, see lay_out in graph/plan.c */
        end = ins * s->input_block[0];
    }
    for (uint32_t level = s->levels; level > 0; level--) {
        struct pm_strassen_scratch *at = &s->scratch[level];
        rows = pm_strassen_half(rows, level);
        ins = pm_strassen_half(ins, level);
        outs = pm_strassen_half(outs, level);
        s->input_block[level] = rows * s->input_row + PM_BLOCK;
        at->part_block = rows * out->row_stride + PM_BLOCK;
        at->sum = end;
        end += ins * s->input_block[level];
        for (int part = 0; part < STRASSEN_PARTS; part++, end += outs * at->part_block) at->parts[part] = end;
    }
    s->segment_count = ins;
    return (uint64_t)end;
}

static uint64_t choose_shapes(const struct pm_node *node, const struct pm_plan *plan, struct pm_strassen *s) {
    const struct pm_map *in = pm_strassen_input(node, plan), *out = &plan->maps[node->value];
    const struct pm_map *residual = node->epilogue.residual < 0 ? out : &plan->maps[node->epilogue.residual];
    uint32_t width = out->shape.width, height = out->shape.height;
    uint32_t channels = in->shape.channels > out->shape.channels ? in->shape.channels : out->shape.channels;
    uint64_t floats = (uint64_t)height * width * channels, limit = band_floats[s->levels],
             bands = (floats + limit - 1) / limit;
    uint32_t least = s->levels > 1 ? MIN_ROWS_TWICE : 2;
    s->bands = bands < height / least ? (uint32_t)bands : height / least;
    s->gathers = gathers(&node->window);
    s->input_row = s->gathers ? (ptrdiff_t)width * PM_BLOCK : in->row_stride;
    s->residual_row = residual->row_stride;
    s->dense = s->input_row == (ptrdiff_t)(width * PM_BLOCK) && out->row_stride == s->input_row &&
               residual->row_stride == s->input_row;
    s->turning = !s->dense && pm_conv_turns(s->narrow, width);
    return lay_out(s, in, out);
}

/* Of all blocks that a level 0 may have; then those that end with the last channel. */
static void list_segments(struct pm_strassen *s) {
    uint32_t last = (s->size.channels - 1) % PM_BLOCK + 1, ending = pm_strassen_blocks(s->size.channels);
    for (uint32_t level = s->levels; level > 0; level--) ending -= pm_strassen_half(ending, level);
    struct pm_segment *segment = s->segments;
    for (uint32_t kind = 0; kind <= s->levels; kind++)
        for (int ends = 0; ends < 2; ends++)
            for (uint32_t b = 0; b < s->segment_count; b++)
                *segment++ = (struct pm_segment){b * s->input_block[kind], ends && b + 1 == ending ? last : PM_BLOCK};
}

const struct pm_segment *pm_strassen_segments(const struct pm_strassen *s, uint32_t kind, uint32_t channels) {
    return s->segments + (2 * kind + (channels % PM_BLOCK != 0)) * s->segment_count;
}

static uint64_t count_weights(const struct pm_strassen_size *size, uint32_t level) {
    if (level == 0) return (uint64_t)size->channels * size->blocks * PM_BLOCK;
    uint64_t count = 0;
    for (int p = 0; p < STRASSEN_NONE; p++) {
        struct pm_strassen_size part = pm_strassen_part(size, &pm_strassen_products[p], level);
        count += count_weights(&part, level - 1);
    }
    return count;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    const struct pm_map *in = pm_strassen_input(node, plan);
    uint32_t ins = pm_map_blocks(in), outs = pm_map_blocks(&plan->maps[node->value]);
    size_t segments = 2 * (STRASSEN_LEVELS + 1) * (size_t)ins;
    struct pm_strassen *s = pm_allocate_zeroed(1, sizeof *s + segments * sizeof *s->segments);
    POMONA_RETURN_IF(!s, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory for its segments", node->name);
    node->state = s;
    s->size = (struct pm_strassen_size){in->shape.channels, outs};
    s->levels = choose_levels(&in->shape, &node->shape);
    s->broad = pm_conv_tiling(plan->kernels->conv, 0, outs, PM_BLOCK);
    s->narrow = pm_conv_tiling(plan->kernels->conv, 0, 1, PM_BLOCK);
    node->scratch_floats = choose_shapes(node, plan, s);
    list_segments(s);
    node->kernel = s->levels > 1 ? "conv_strassen_twice" : "conv_strassen";
    node->packed_count = 2 * PM_BLOCK * (uint64_t)outs + count_weights(&s->size, s->levels);
    return POMONA_OK;
}

const struct pm_conv_tiling *pm_strassen_panel(const struct pm_strassen *s, uint32_t blocks) {
    return blocks >= (uint32_t)s->broad->blocks ? s->broad : s->narrow;
}

/* A product on the way to its panels: of each level that is above it the product, and the size of its operands. */
struct packing {
    const struct pm_strassen *s;
    const struct pm_tensor *kernel;
    const struct pm_strassen_product *products[STRASSEN_LEVELS]; /* of the level above, of which it is a part */
    struct pm_strassen_size sizes[STRASSEN_LEVELS + 1];
    float *packed;
};

/* Adds `factor` times 16 weights of a product at a level, which are sums of those of the level above; zero where there
 * are no channels. */
static void add_weights(const struct packing *k, uint32_t level, uint64_t row, uint32_t block, double factor,
                        double *sums) {
    const struct pm_strassen_size *size = &k->sizes[level];
    if (row >= size->channels || block >= size->blocks) return;
    if (level == k->s->levels) {
        uint64_t outs = k->kernel->dims[3], out = (uint64_t)block * PM_BLOCK;
        const float *from = k->kernel->data + row * outs + out;
        for (uint64_t c = 0; c < PM_BLOCK && out + c < outs; c++) sums[c] += factor * from[c];
        return;
    }
    const struct pm_strassen_product *p = k->products[level];
    const struct pm_strassen_size *above = &k->sizes[level + 1];
    uint64_t rows = (uint64_t)pm_strassen_half(pm_strassen_blocks(above->channels), level + 1) * PM_BLOCK;
    uint32_t blocks = pm_strassen_half(above->blocks, level + 1);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t o = 0; o < 2; o++)
            if (p->factors[i][o] != 0)
                add_weights(k, level + 1, row + i * rows, block + o * blocks, factor * p->factors[i][o], sums);
}

/* The panels of [input channels][outputs] of a product, or of those that it is made of. */
static void pack_product(struct packing *k, uint32_t level) {
    const struct pm_strassen_size *size = &k->sizes[level];
    for (int p = 0; level > 0 && p < STRASSEN_NONE; p++) {
        k->products[level - 1] = &pm_strassen_products[p];
        k->sizes[level - 1] = pm_strassen_part(size, &pm_strassen_products[p], level);
        pack_product(k, level - 1);
    }
    for (uint32_t block = 0, count; level == 0 && block < size->blocks; block += count) {
        count = (uint32_t)pm_strassen_panel(k->s, size->blocks - block)->blocks;
        for (uint32_t row = 0; row < size->channels; row++)
            for (uint32_t b = block; b < block + count; b++) {
                double sums[PM_BLOCK] = {0};
                add_weights(k, 0, row, b, 1, sums);
                for (int c = 0; c < PM_BLOCK; c++) *k->packed++ = (float)sums[c];
            }
    }
}

/* [scale][shift] of all outputs, then the weights of the products. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    const struct pm_strassen *s = node->state;
    uint32_t outputs = s->size.blocks * PM_BLOCK;
    struct packing k = {.s = s, .kernel = pm_weight(node, "kernel"), .packed = packed + 2 * outputs};
    (void)plan;
    k.sizes[s->levels] = s->size;
    pm_epilogue_pack(node, 0, outputs, packed, packed + outputs);
    pack_product(&k, s->levels);
}

const struct pm_conv_method pm_conv_strassen = {.prepare = prepare, .pack = pack, .run = pm_strassen_run};
