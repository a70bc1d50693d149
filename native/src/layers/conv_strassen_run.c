/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "layers/conv_strassen.h"

enum { X, Y, Z }; /* parts of the output, as run_band says */

/* One band on its way. */
struct band {
    const struct pm_node *node;
    const struct pm_run *run;
    const struct pm_strassen *s;
    uint32_t image, first[2], rows[2]; /* of its upper and lower half */
    float *sum, *parts[STRASSEN_PARTS];
    const float *weights; /* of the next product */
};

/* Of the upper or lower half, from one half of the blocks on. */
static const float *input_of(const struct band *b, int lower, int second) {
    const struct pm_map *in = pm_strassen_input(b->node, b->run->plan);
    return pm_value(b->run, b->node->inputs[0], b->image) + b->first[lower] * in->row_stride +
           (second ? b->s->in[0] * in->block_stride : 0);
}

static void run_panel(const struct band *b, const struct pm_conv_tiling *tiling, struct pm_conv_tile tile,
                      uint32_t rows) {
    const struct pm_strassen *s = b->s;
    const struct pm_map *in = pm_strassen_input(b->node, b->run->plan), *out = &b->run->plan->maps[b->node->value];
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
static struct pm_conv_tile tile_of(const struct band *b, const struct pm_strassen_product *p, int lower) {
    const struct pm_strassen *s = b->s;
    return (struct pm_conv_tile){
        .input = p->sum ? b->sum : input_of(b, lower, 0),
        .segments = s->segments + (p->sum ? s->in[0] + s->in[1] : 0) + (p->in ? s->in[0] : 0),
        .segment_count = p == &pm_strassen_products[STRASSEN_NONE] ? 0 : (ptrdiff_t)s->in[p->in],
        .partial_segments = pm_partial_segments(b->node),
        .input_pixel = PM_BLOCK,
        .output_block = s->part_block,
        .begin_block = s->part_block,
        .low = b->node->epilogue.low,
        .high = b->node->epilogue.high,
    };
}

/* The output's quarter in which a product ends, from output block `block` of that half on. */
static void aim(const struct band *b, const struct pm_strassen_product *p, int lower, uint32_t block,
                struct pm_conv_tile *tile) {
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
    const struct pm_strassen_product *p = &pm_strassen_products[product];
    const struct pm_strassen *s = b->s;
    struct pm_conv_tile tile = tile_of(b, p, lower);
    const uint64_t depth = pm_strassen_depth(s, p, pm_strassen_input(b->node, b->run->plan)->shape.channels);
    for (uint32_t block = 0; block < s->out[p->out];) {
        const struct pm_conv_tiling *tiling = pm_strassen_panel(s, p, block);
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
    const struct pm_map *in = pm_strassen_input(b->node, b->run->plan);
    for (ptrdiff_t i = 0; i < blocks; i++) {
        ptrdiff_t at = i * in->block_stride, to = i * b->s->sum_block;
        b->run->plan->kernels->subtract(b->sum + to, a == b->sum ? a + to : a + at,
                                        less == b->sum ? less + to : less + at, rows_floats(in, b->rows[lower]));
    }
}

/* A21 + A22, and zeros for the row that the lower half may lack. Slots past the last channel count as zero. */
static void add_lower(const struct band *b) {
    const struct pm_kernels *kernels = b->run->plan->kernels;
    const struct pm_map *in = pm_strassen_input(b->node, b->run->plan);
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
    multiply(b, STRASSEN_P7, 1, NULL, y);
    add_lower(b);
    multiply(b, STRASSEN_P5, 1, NULL, z);
    subtract(b, b->sum, input_of(b, 0, 0), 0, b->s->in[0]);
    multiply(b, STRASSEN_P1, 0, NULL, x);
    multiply(b, STRASSEN_P2, 0, x, NULL);
    multiply(b, STRASSEN_P6, 0, x, x);
    join(b, Y, X, 0);
    multiply(b, STRASSEN_P4, 1, y, NULL);
    subtract(b, input_of(b, 0, 1), b->sum, 0, b->s->in[1]);
    join(b, X, Z, 1);
    multiply(b, STRASSEN_P3, 0, x, NULL);
    join(b, Y, Z, 1);
    multiply(b, STRASSEN_NONE, 1, y, NULL);
}

void pm_strassen_run(const struct pm_node *node, const struct pm_run *run) {
    const struct pm_strassen *s = node->state;
    const uint32_t height = node->shape.height;
    struct band b = {.node = node, .run = run, .s = s, .sum = run->scratch};
    for (int part = 0; part < STRASSEN_PARTS; part++)
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
