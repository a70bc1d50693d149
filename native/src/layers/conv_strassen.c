/* SPDX-License-Identifier: Apache-2.0 */

/* Strassen's method in Winograd's form, one level of it, for 1x1 convolutions: of the product C = A B of pixels by
 * channels and weights, each cut into quarters, seven products of quarters instead of eight. Sums of B's quarters are
 * made when the model is opened; those of A's and C's are passes over a band of rows in cache. With
 *     P1 = A11 B11   P2 = A12 B21   P3 = (A12 - S) B22   P4 = A22 (B21 - T)   P5 = (A21 + A22) (B12 - B11)
 *     P6 = S T   P7 = (A11 - A21) (B22 - B12)   where S = A21 + A22 - A11, T = B22 - B12 + B11,
 *     C11 = P1 + P2   C12 = P1 + P6 + P5 + P3   C21 = P1 + P6 + P7 + P4   C22 = P1 + P6 + P7 + P5
 * the odd block or row of a side makes the first half the larger one; what it lacks in the second counts as zeros, and
 * products that see only the second half are smaller. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "layers/conv_method.h"

/* Floats of a band, of its input or its output if that is larger: a quarter of either and more share a 1 MiB L2 cache.
 */
#define BAND_FLOATS ((uint64_t)1280 * 1024 / sizeof(float))

/* Below these the passes cost more than the products that they replace; measured. */
#define MIN_CHANNELS 128
#define MIN_PIXELS 64

/* In the order in which they run and their weights lie. The last one multiplies nothing: it ends what was summed. */
enum { P7, P5, P1, P2, P6, P4, P3, NONE, PRODUCTS };
static const struct product {
    int sum;              /* its input is the sum of the map's quarters, not the map */
    int in, out;          /* halves of the blocks: of the input that has weights, and of the output */
    double factors[2][2]; /* of the kernel's quarters, [input][output] */
} products[PRODUCTS] = {
    [P1] = {0, 0, 0, {{1, 0}, {0, 0}}},   [P2] = {0, 1, 0, {{0, 0}, {1, 0}}},   [P3] = {1, 1, 1, {{0, 0}, {0, 1}}},
    [P4] = {0, 1, 0, {{-1, 1}, {1, -1}}}, [P5] = {1, 0, 1, {{-1, 1}, {0, 0}}},  [P6] = {1, 0, 0, {{1, -1}, {0, 1}}},
    [P7] = {1, 0, 0, {{0, -1}, {0, 1}}},  [NONE] = {0, 0, 1, {{0, 0}, {0, 0}}},
};

/* Parts of the output that wait for more products. */
enum { X, Y, Z, PARTS };

struct strassen {
    const struct pm_conv_tiling *broad, *narrow;
    uint32_t in[2], out[2]; /* blocks of the halves */
    uint32_t bands;
    int dense, turning;              /* as in conv_direct.c */
    ptrdiff_t sum_block, part_block; /* floats between blocks; their rows lie as those of input and output */
    ptrdiff_t residual_row;
    /* Of the map's blocks, of the sum's, and of these once more as the second half has them. */
    struct pm_segment segments[];
};

static const struct pm_map *input_map(const struct pm_node *node, const struct pm_plan *plan) {
    return &plan->maps[node->inputs[0]];
}

int pm_conv_strassen_suits(const struct pm_node *node, const struct pm_plan *plan, const struct pm_shape *in) {
    const struct pm_window *w = &node->window;
    for (int side = 0; side < 4; side++)
        if (w->padding[side]) return 0;
    return plan->kernels->subtract && !plan->bf16 && !node->gate && !node->banded && w->kernel[0] == 1 &&
           w->kernel[1] == 1 && w->stride[0] == 1 && w->stride[1] == 1 && w->groups == 1 &&
           in->channels >= MIN_CHANNELS && node->shape.channels >= MIN_CHANNELS && in->height > 1 &&
           (uint64_t)in->height * in->width >= MIN_PIXELS;
}

/* Rows of the first band's upper half: of no band has it more. */
static uint32_t upper_rows(const struct strassen *s, uint32_t height) {
    return ((height + s->bands - 1) / s->bands + 1) / 2;
}

static void choose_shapes(const struct pm_node *node, const struct pm_plan *plan, struct strassen *s) {
    const struct pm_map *in = input_map(node, plan), *out = &plan->maps[node->value];
    const struct pm_map *residual = node->epilogue.residual < 0 ? out : &plan->maps[node->epilogue.residual];
    uint32_t width = out->shape.width, height = out->shape.height;
    uint32_t channels = in->shape.channels > out->shape.channels ? in->shape.channels : out->shape.channels;
    uint64_t floats = (uint64_t)height * width * channels, bands = (floats + BAND_FLOATS - 1) / BAND_FLOATS;
    s->bands = bands < height / 2 ? (uint32_t)bands : height / 2;
    s->residual_row = residual->row_stride;
    s->dense = in->row_stride == (ptrdiff_t)(width * PM_BLOCK) && out->row_stride == in->row_stride &&
               residual->row_stride == in->row_stride;
    s->turning = !s->dense && pm_conv_turns(s->narrow, width);
    s->sum_block = upper_rows(s, height) * in->row_stride + PM_BLOCK; /* a line more, see lay_out in graph/plan.c */
    s->part_block = upper_rows(s, height) * out->row_stride + PM_BLOCK;
}

static void list_segments(const struct pm_map *in, struct strassen *s) {
    uint32_t blocks = s->in[0] + s->in[1], last = in->shape.channels - (blocks - 1) * PM_BLOCK;
    for (ptrdiff_t b = 0; b < blocks; b++) {
        ptrdiff_t length = b + 1 < blocks ? PM_BLOCK : last, inside = b < s->in[0] ? b : b - s->in[0];
        s->segments[b] = (struct pm_segment){b * in->block_stride, length};
        s->segments[blocks + b] = (struct pm_segment){inside * s->sum_block, length};
    }
}

/* Numbers that a product sums, of so many channels. */
static uint64_t depth_of(const struct strassen *s, const struct product *p, uint32_t channels) {
    uint64_t first = (uint64_t)s->in[0] * PM_BLOCK;
    if (p == &products[NONE]) return 0;
    return p->in ? channels - first : first;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    const struct pm_map *in = input_map(node, plan);
    uint32_t ins = pm_map_blocks(in), outs = pm_map_blocks(&plan->maps[node->value]);
    struct strassen *s = pm_allocate_zeroed(1, sizeof *s + 2 * (size_t)ins * sizeof *s->segments);
    POMONA_RETURN_IF(!s, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory for %u segments", node->name, 2 * ins);
    node->state = s;
    s->broad = pm_conv_tiling(plan->kernels->conv, 0, outs, PM_BLOCK);
    s->narrow = pm_conv_tiling(plan->kernels->conv, 0, 1, PM_BLOCK);
    for (uint32_t half = 0; half < 2; half++) {
        s->in[half] = (ins + 1 - half) / 2;
        s->out[half] = (outs + 1 - half) / 2;
    }
    choose_shapes(node, plan, s);
    list_segments(in, s);
    node->kernel = "conv_strassen";
    node->scratch_floats = s->in[0] * (uint64_t)s->sum_block + PARTS * (s->out[0] * (uint64_t)s->part_block);
    node->packed_count = 2 * PM_BLOCK * (uint64_t)outs;
    for (int p = 0; p < PRODUCTS; p++)
        node->packed_count += depth_of(s, &products[p], in->shape.channels) * s->out[products[p].out] * PM_BLOCK;
    return POMONA_OK;
}

static const struct pm_conv_tiling *panel_tiling(const struct strassen *s, const struct product *p, uint32_t block) {
    return s->out[p->out] - block >= (uint32_t)s->broad->blocks ? s->broad : s->narrow;
}

/* The sum of the quarters' weights for 16 outputs; zero where there are no channels. */
static void sum_weights(const struct strassen *s, const struct pm_tensor *kernel, const struct product *p, uint64_t row,
                        uint32_t block, float *to) {
    uint64_t ins = kernel->dims[2], outs = kernel->dims[3];
    double sums[PM_BLOCK] = {0};
    for (uint64_t i = 0; i < 2; i++)
        for (uint64_t o = 0; o < 2; o++) {
            uint64_t in = row + i * s->in[0] * PM_BLOCK, out = (block + o * s->out[0]) * PM_BLOCK;
            if (p->factors[i][o] == 0 || in >= ins || out >= outs) continue;
            uint64_t count = outs - out < PM_BLOCK ? outs - out : PM_BLOCK;
            for (uint64_t c = 0; c < count; c++) sums[c] += p->factors[i][o] * kernel->data[in * outs + out + c];
        }
    for (int c = 0; c < PM_BLOCK; c++) to[c] = (float)sums[c];
}

/* [scale][shift] of all outputs, then for each product the panels of [input channels][outputs]. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    const struct strassen *s = node->state;
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    uint32_t outputs = (s->out[0] + s->out[1]) * PM_BLOCK, channels = input_map(node, plan)->shape.channels;
    pm_epilogue_pack(node, 0, outputs, packed, packed + outputs);
    packed += 2 * outputs;
    for (const struct product *p = products; p < products + PRODUCTS; p++)
        for (uint32_t block = 0, count; block < s->out[p->out]; block += count) {
            count = (uint32_t)panel_tiling(s, p, block)->blocks;
            for (uint64_t row = 0; row < depth_of(s, p, channels); row++)
                for (uint32_t b = block; b < block + count; b++, packed += PM_BLOCK)
                    sum_weights(s, kernel, p, row, b, packed);
        }
}

/* One band on its way. */
struct band {
    const struct pm_node *node;
    const struct pm_run *run;
    const struct strassen *s;
    uint32_t image, first[2], rows[2]; /* of its upper and lower half */
    float *sum, *parts[PARTS];
    const float *weights; /* of the next product */
};

/* Of the upper or lower half, from one half of the blocks on. */
static const float *input_of(const struct band *b, int lower, int second) {
    const struct pm_map *in = input_map(b->node, b->run->plan);
    return pm_value(b->run, b->node->inputs[0], b->image) + b->first[lower] * in->row_stride +
           (second ? b->s->in[0] * in->block_stride : 0);
}

static void run_panel(const struct band *b, const struct pm_conv_tiling *tiling, struct pm_conv_tile tile,
                      uint32_t rows) {
    const struct strassen *s = b->s;
    const struct pm_map *in = input_map(b->node, b->run->plan), *out = &b->run->plan->maps[b->node->value];
    const struct pm_conv_rows turning = {rows, out->shape.width, in->row_stride, out->row_stride, s->residual_row};
    if (s->turning) {
        pm_conv_run_rows(tiling, &tile, &turning);
        return;
    }
    uint32_t runs = s->dense ? 1 : rows, pixels = s->dense ? rows * out->shape.width : out->shape.width;
    for (uint32_t r = 0; r < runs; r++) {
        pm_conv_run_tiles(tiling, tile, pixels);
        tile.input += in->row_stride;
        tile.output += out->row_stride;
        if (tile.begin) tile.begin += out->row_stride;
        if (tile.residual) tile.residual += s->residual_row;
    }
}

static void activate(const struct band *b, const struct pm_conv_tile *tile, int blocks, uint32_t rows) {
    const struct pm_map *out = &b->run->plan->maps[b->node->value];
    for (int block = 0; block < blocks; block++)
        for (ptrdiff_t y = 0; y < rows; y++)
            pm_epilogue_activate(b->node, b->run, tile->output + block * tile->output_block + y * out->row_stride,
                                 (ptrdiff_t)out->shape.width * PM_BLOCK);
}

/* Input and weights of a product. */
static struct pm_conv_tile tile_of(const struct band *b, const struct product *p, int lower) {
    const struct strassen *s = b->s;
    return (struct pm_conv_tile){
        .input = p->sum ? b->sum : input_of(b, lower, 0),
        .segments = s->segments + (p->sum ? s->in[0] + s->in[1] : 0) + (p->in ? s->in[0] : 0),
        .segment_count = p == &products[NONE] ? 0 : (ptrdiff_t)s->in[p->in],
        .partial_segments = pm_partial_segments(b->node),
        .input_pixel = PM_BLOCK,
        .output_block = s->part_block,
        .begin_block = s->part_block,
        .low = b->node->epilogue.low,
        .high = b->node->epilogue.high,
    };
}

/* The output's quarter in which a product ends, from output block `block` of that half on. */
static void aim(const struct band *b, const struct product *p, int lower, uint32_t block, struct pm_conv_tile *tile) {
    const struct pm_node *node = b->node;
    const struct pm_map *maps = b->run->plan->maps, *out = &maps[node->value];
    ptrdiff_t at = (ptrdiff_t)block + (p->out ? b->s->out[0] : 0), outputs = b->s->out[0] + b->s->out[1];
    tile->output = pm_value(b->run, node->value, b->image) + at * out->block_stride + b->first[lower] * out->row_stride;
    tile->output_block = out->block_stride;
    tile->scale = node->packed + at * PM_BLOCK;
    tile->shift = node->packed + (outputs + at) * PM_BLOCK;
    if (node->epilogue.residual < 0) return;
    const struct pm_map *residual = &maps[node->epilogue.residual];
    tile->residual_block = residual->block_stride;
    tile->residual = pm_value(b->run, node->epilogue.residual, b->image) + at * residual->block_stride +
                     b->first[lower] * residual->row_stride;
}

/* The next product of a half's rows: added to `begin` where there is one, to `to` or, where that is NULL, the end. */
static void multiply(struct band *b, int product, int lower, const float *begin, float *to) {
    const struct product *p = &products[product];
    const struct strassen *s = b->s;
    struct pm_conv_tile tile = tile_of(b, p, lower);
    const uint64_t depth = depth_of(s, p, input_map(b->node, b->run->plan)->shape.channels);
    for (uint32_t block = 0; block < s->out[p->out];) {
        const struct pm_conv_tiling *tiling = panel_tiling(s, p, block);
        tile.weights = b->weights;
        tile.ahead = (ptrdiff_t)depth * tiling->blocks * PM_BLOCK;
        tile.begin = begin ? begin + block * s->part_block : NULL;
        if (to) tile.output = to + block * s->part_block;
        else aim(b, p, lower, block, &tile);
        run_panel(b, tiling, tile, b->rows[lower]);
        if (!to) activate(b, &tile, tiling->blocks, b->rows[lower]);
        b->weights += tile.ahead;
        block += (uint32_t)tiling->blocks;
    }
}

/* Floats of so many rows of a map, from the first pixel to the last. */
static ptrdiff_t rows_floats(const struct pm_map *map, uint32_t rows) {
    return (ptrdiff_t)(rows - 1) * map->row_stride + (ptrdiff_t)map->shape.width * PM_BLOCK;
}

/* The sum becomes a - b of the rows of a half, either itself or of the map. */
static void subtract(const struct band *b, const float *a, const float *less, int lower, uint32_t blocks) {
    const struct pm_map *in = input_map(b->node, b->run->plan);
    for (ptrdiff_t i = 0; i < blocks; i++) {
        ptrdiff_t at = i * in->block_stride, to = i * b->s->sum_block;
        b->run->plan->kernels->subtract(b->sum + to, a == b->sum ? a + to : a + at,
                                        less == b->sum ? less + to : less + at, rows_floats(in, b->rows[lower]));
    }
}

/* A21 + A22, and zeros for the row that the lower half may lack. Slots past the last channel count as zero. */
static void add_lower(const struct band *b) {
    const struct pm_kernels *kernels = b->run->plan->kernels;
    const struct pm_map *in = input_map(b->node, b->run->plan);
    const float *left = input_of(b, 1, 0), *right = input_of(b, 1, 1), zeros[PM_BLOCK] = {0};
    uint32_t there = in->shape.channels % PM_BLOCK;
    ptrdiff_t count = rows_floats(in, b->rows[1]);
    float *sum = b->sum, some[PM_BLOCK];
    for (uint32_t c = 0; c < PM_BLOCK; c++) some[c] = c < there;
    for (uint32_t i = 0; i < b->s->in[0]; i++, left += in->block_stride, right += in->block_stride) {
        if (b->rows[0] > b->rows[1]) memset(sum + b->rows[1] * in->row_stride, 0, in->shape.width * sizeof zeros);
        if (i >= b->s->in[1]) {
            memcpy(sum, left, (size_t)count * sizeof *sum);
        } else if (there && i + 1 == b->s->in[1]) {
            kernels->affine(sum, right, some, zeros, count / PM_BLOCK, -INFINITY, INFINITY);
            kernels->add(sum, sum, left, count, -INFINITY, INFINITY);
        } else {
            kernels->add(sum, left, right, count, -INFINITY, INFINITY);
        }
        sum += b->s->sum_block;
    }
}

/* One part of the lower half joins another, for one half of the output's blocks. */
static void join(const struct band *b, int to, int part, int out) {
    ptrdiff_t count = rows_floats(&b->run->plan->maps[b->node->value], b->rows[1]);
    for (ptrdiff_t i = 0; i < b->s->out[out]; i++) {
        float *sum = b->parts[to] + i * b->s->part_block;
        b->run->plan->kernels->add(sum, sum, b->parts[part] + i * b->s->part_block, count, -INFINITY, INFINITY);
    }
}

static void run_band(struct band *b) {
    float *x = b->parts[X], *y = b->parts[Y], *z = b->parts[Z];
    subtract(b, input_of(b, 0, 0), input_of(b, 1, 0), 1, b->s->in[0]);
    multiply(b, P7, 1, NULL, y);
    add_lower(b);
    multiply(b, P5, 1, NULL, z);
    subtract(b, b->sum, input_of(b, 0, 0), 0, b->s->in[0]);
    multiply(b, P1, 0, NULL, x);
    multiply(b, P2, 0, x, NULL);
    multiply(b, P6, 0, x, x);
    join(b, Y, X, 0);
    multiply(b, P4, 1, y, NULL);
    subtract(b, input_of(b, 0, 1), b->sum, 0, b->s->in[1]);
    join(b, X, Z, 1);
    multiply(b, P3, 0, x, NULL);
    join(b, Y, Z, 1);
    multiply(b, NONE, 1, y, NULL);
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct strassen *s = node->state;
    const uint32_t height = node->shape.height;
    struct band b = {.node = node, .run = run, .s = s, .sum = run->scratch};
    for (int part = 0; part < PARTS; part++)
        b.parts[part] = b.sum + s->in[0] * s->sum_block + part * (ptrdiff_t)s->out[0] * s->part_block;
    for (b.image = 0; b.image < run->count; b.image++)
        for (uint32_t i = 0, first = 0, rows; i < s->bands; i++, first += rows) {
            rows = height / s->bands + (i < height % s->bands);
            b.rows[0] = (rows + 1) / 2;
            b.rows[1] = rows / 2;
            b.first[0] = first;
            b.first[1] = first + b.rows[0];
            b.weights = node->packed + 2 * PM_BLOCK * (ptrdiff_t)(s->out[0] + s->out[1]);
            run_band(&b);
        }
}

const struct pm_conv_method pm_conv_strassen = {.prepare = prepare, .pack = pack, .run = run};
