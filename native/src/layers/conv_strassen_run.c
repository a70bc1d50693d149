/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "layers/conv_strassen.h"

/* Parts of the output: P1 and then P1 + P6, P7, P5. */
enum { X, Y, Z };
#define NO_PART (-1)

/* What a sum begins with: of each level at most three parts, and P3 of the lower ones two. */
#define BEGINS_MAX (STRASSEN_PARTS * STRASSEN_LEVELS)

/* One band on its way. */
struct band {
    const struct pm_node *node;
    const struct pm_run *run;
    const struct pm_strassen *s;
    const struct pm_map *in, *out;
    uint32_t image;
    const float *weights; /* of the next product */
};

/* A product, of rows of a half or of a band. */
struct job {
    struct pm_strassen_size size;
    uint32_t rows;
    uint32_t kind; /* of input, as in pm_strassen.input_block */
    const float *input;
    float *output;
    ptrdiff_t output_block;
    int ends; /* in the map: first row and block of it */
    uint32_t row, block;
    int begin_count;
    struct pm_conv_begin begins[BEGINS_MAX];
};

static void run_panel(const struct band *b, const struct pm_conv_tiling *tiling, struct pm_conv_tile tile,
                      uint32_t rows) {
    const struct pm_strassen *s = b->s;
    const uint32_t width = b->out->shape.width;
    const struct pm_conv_rows turning = {rows, width, s->input_row, b->out->row_stride, s->residual_row};
    if (s->turning) {
        pm_conv_run_rows(tiling, &tile, &turning);
        return;
    }
    uint32_t runs = s->dense ? 1 : rows, pixels = s->dense ? rows * width : width;
    for (uint32_t r = 0; r < runs; r++) {
        pm_conv_run_tiles(tiling, tile, pixels);
        tile.input += s->input_row;
        tile.output += b->out->row_stride;
        tile.begin_at += b->out->row_stride;
        if (tile.residual) tile.residual += s->residual_row;
    }
}

static void activate(const struct band *b, const struct pm_conv_tile *tile, int blocks, uint32_t rows) {
    for (int block = 0; block < blocks; block++)
        for (ptrdiff_t y = 0; y < rows; y++)
            pm_epilogue_activate(b->node, b->run, tile->output + block * tile->output_block + y * b->out->row_stride,
                                 (ptrdiff_t)b->out->shape.width * PM_BLOCK);
}

/* The epilogue of outputs from a block of the map on. */
static void end_tile(const struct band *b, uint32_t row, ptrdiff_t block, struct pm_conv_tile *tile) {
    const struct pm_epilogue *epilogue = &b->node->epilogue;
    tile->scale = b->node->packed + block * PM_BLOCK;
    tile->shift = tile->scale + b->s->size.blocks * PM_BLOCK;
    tile->low = epilogue->low;
    tile->high = epilogue->high;
    if (epilogue->residual < 0) return;
    const struct pm_map *residual = &b->run->plan->maps[epilogue->residual];
    tile->residual_block = residual->block_stride;
    tile->residual =
        pm_value(b->run, epilogue->residual, b->image) + block * residual->block_stride + row * residual->row_stride;
}

/* A product by tiles. */
static void run_tiles(struct band *b, const struct job *job) {
    struct pm_conv_begin begins[BEGINS_MAX];
    struct pm_conv_tile tile = {
        .input = job->input,
        .output = job->output,
        .segments = pm_strassen_segments(b->s, job->kind, job->size.channels),
        .segment_count = pm_strassen_blocks(job->size.channels),
        .partial_segments = pm_partial_segments(b->node),
        .odd_segments = pm_odd_segments(b->node, pm_strassen_blocks(job->size.channels)),
        .input_pixel = PM_BLOCK,
        .output_block = job->output_block,
        .begins = begins,
        .begin_count = job->begin_count,
    };
    memcpy(begins, job->begins, sizeof begins);
    for (uint32_t block = 0; block < job->size.blocks;) {
        const struct pm_conv_tiling *tiling = pm_strassen_panel(b->s, job->size.blocks - block);
        tile.weights = b->weights;
        tile.ahead = (ptrdiff_t)job->size.channels * tiling->blocks * PM_BLOCK;
        if (job->ends) end_tile(b, job->row, job->block + block, &tile);
        run_panel(b, tiling, tile, job->rows);
        if (job->ends) activate(b, &tile, tiling->blocks, job->rows);
        tile.output += tiling->blocks * tile.output_block;
        for (int i = 0; i < tile.begin_count; i++) begins[i].numbers += tiling->blocks * begins[i].block;
        b->weights += tile.ahead;
        block += (uint32_t)tiling->blocks;
    }
}

/* A product at a level on its way: the first halves, and where its sums are. */
struct halves {
    struct band *b;
    const struct job *job;
    uint32_t level, rows[2], blocks;
    uint32_t ins[2];
    float *sum, *parts[STRASSEN_PARTS];
    ptrdiff_t part_block;
};

static void multiply(struct band *b, const struct job *job, uint32_t level);

static const float *input_of(const struct halves *h, int lower, int second) {
    const struct pm_strassen *s = h->b->s;
    return h->job->input + (lower ? h->rows[0] * s->input_row : 0) +
           (second ? h->ins[0] * s->input_block[h->job->kind] : 0);
}

static void begin_with(struct job *job, const float *numbers, ptrdiff_t block) {
    job->begins[job->begin_count++] = (struct pm_conv_begin){numbers, block};
}

/* The quarter of the output in which a product ends, which begins with what the whole does. */
static void aim(const struct halves *h, int lower, int second, struct job *part) {
    const struct job *job = h->job;
    const ptrdiff_t row = lower ? h->rows[0] : 0, block = second ? h->blocks : 0;
    const ptrdiff_t down = row * h->b->out->row_stride;
    part->output = job->output + block * job->output_block + down;
    part->output_block = job->output_block;
    part->ends = job->ends;
    part->row = job->row + (uint32_t)row;
    part->block = job->block + (uint32_t)block;
    for (int i = 0; i < job->begin_count; i++)
        begin_with(part, job->begins[i].numbers + block * job->begins[i].block + down, job->begins[i].block);
}

/* The next product of a half's rows, which begins with the parts whose bits `begins` has: to a part or to the end. */
static void run_part(const struct halves *h, int product, int lower, unsigned begins, int to) {
    const struct pm_strassen_product *p = &pm_strassen_products[product];
    struct job part = {
        .size = pm_strassen_part(&h->job->size, p, h->level),
        .rows = h->rows[lower],
        .kind = p->sum ? h->level : h->job->kind,
        .input = p->sum ? h->sum : input_of(h, lower, p->in),
        .output_block = h->part_block,
    };
    if (to == NO_PART) aim(h, lower, p->out, &part);
    else part.output = h->parts[to];
    for (int i = 0; i < STRASSEN_PARTS; i++)
        if (begins >> i & 1) begin_with(&part, h->parts[i], h->part_block);
    multiply(h->b, &part, h->level - 1);
}

/* Floats of so many rows, from the first pixel to the last. */
static ptrdiff_t rows_floats(const struct band *b, ptrdiff_t row, uint32_t rows) {
    return (ptrdiff_t)(rows - 1) * row + (ptrdiff_t)b->out->shape.width * PM_BLOCK;
}

/* The sum becomes a - b of the rows of a half, either itself or of the input. */
static void subtract(const struct halves *h, const float *a, const float *less, int lower, uint32_t blocks) {
    const struct pm_strassen *s = h->b->s;
    const ptrdiff_t block = s->input_block[h->job->kind], to = s->input_block[h->level];
    const ptrdiff_t count = rows_floats(h->b, s->input_row, h->rows[lower]);
    for (ptrdiff_t i = 0; i < blocks; i++)
        h->b->run->plan->kernels->subtract(h->sum + i * to, a + i * (a == h->sum ? to : block),
                                           less + i * (less == h->sum ? to : block), count);
}

/* A21 + A22, and zeros for the rows that the lower half may lack. Slots past the last channel count as zero. */
static void add_lower(const struct halves *h) {
    const struct pm_kernels *kernels = h->b->run->plan->kernels;
    const struct pm_strassen *s = h->b->s;
    const ptrdiff_t block = s->input_block[h->job->kind], count = rows_floats(h->b, s->input_row, h->rows[1]);
    const float *left = input_of(h, 1, 0), *right = input_of(h, 1, 1), zeros[PM_BLOCK] = {0};
    uint32_t there = h->job->size.channels % PM_BLOCK, lacking = h->rows[0] - h->rows[1];
    float *sum = h->sum, some[PM_BLOCK];
    for (uint32_t c = 0; c < PM_BLOCK; c++) some[c] = c < there;
    for (uint32_t i = 0; i < h->ins[0]; i++, left += block, right += block) {
        if (lacking)
            memset(sum + h->rows[1] * s->input_row, 0, (size_t)rows_floats(h->b, s->input_row, lacking) * sizeof *sum);
        if (i >= h->ins[1]) {
            memcpy(sum, left, (size_t)count * sizeof *sum);
        } else if (there && i + 1 == h->ins[1]) {
            kernels->affine(sum, right, some, zeros, count / PM_BLOCK, -INFINITY, INFINITY);
            kernels->add(sum, sum, left, count, -INFINITY, INFINITY);
        } else {
            kernels->add(sum, left, right, count, -INFINITY, INFINITY);
        }
        sum += s->input_block[h->level];
    }
}

/* Zeros for what a part of the lower half lacks that others have: rows, or blocks past those of the second half. */
static void fill_rows(const struct halves *h, int part) {
    const ptrdiff_t row = h->b->out->row_stride;
    const uint32_t lacking = h->rows[0] - h->rows[1];
    for (ptrdiff_t i = 0; lacking && i < h->job->size.blocks - h->blocks; i++)
        memset(h->parts[part] + h->rows[1] * row + i * h->part_block, 0,
               (size_t)rows_floats(h->b, row, lacking) * sizeof(float));
}

static void fill_blocks(const struct halves *h, int part) {
    const ptrdiff_t count = rows_floats(h->b, h->b->out->row_stride, h->rows[1]);
    for (ptrdiff_t i = h->job->size.blocks - h->blocks; i < h->blocks; i++)
        memset(h->parts[part] + i * h->part_block, 0, (size_t)count * sizeof(float));
}

static void run_products(const struct halves *h) {
    const unsigned x = 1 << X, y = 1 << Y, z = 1 << Z;
    subtract(h, input_of(h, 0, 0), input_of(h, 1, 0), 1, h->ins[0]);
    run_part(h, STRASSEN_P7, 1, 0, Y);
    fill_blocks(h, Y);
    add_lower(h);
    run_part(h, STRASSEN_P5, 1, 0, Z);
    fill_rows(h, Z);
    subtract(h, h->sum, input_of(h, 0, 0), 0, h->ins[0]);
    run_part(h, STRASSEN_P1, 0, 0, X);
    run_part(h, STRASSEN_P2, 0, x, NO_PART);
    run_part(h, STRASSEN_P6, 0, x, X);
    run_part(h, STRASSEN_P4, 1, x | y, NO_PART);
    subtract(h, input_of(h, 0, 1), h->sum, 0, h->ins[1]);
    run_part(h, STRASSEN_P3, 0, x | z, NO_PART);
    run_part(h, STRASSEN_NONE, 1, x | y | z, NO_PART);
}

static void multiply(struct band *b, const struct job *job, uint32_t level) {
    if (level == 0 || job->size.channels == 0) {
        run_tiles(b, job);
        return;
    }
    const struct pm_strassen_scratch *scratch = &b->s->scratch[level];
    const uint32_t ins = pm_strassen_blocks(job->size.channels), rows = pm_strassen_half(job->rows, level);
    struct halves h = {.b = b, .job = job, .level = level, .part_block = scratch->part_block};
    h.rows[0] = rows;
    h.rows[1] = job->rows - rows;
    h.blocks = pm_strassen_half(job->size.blocks, level);
    h.ins[0] = pm_strassen_half(ins, level);
    h.ins[1] = ins - h.ins[0];
    h.sum = b->run->scratch + scratch->sum;
    for (int part = 0; part < STRASSEN_PARTS; part++) h.parts[part] = b->run->scratch + scratch->parts[part];
    run_products(&h);
}

/* What the windows of a band see, in rows without a gap. */
static void gather(const struct band *b, uint32_t first, uint32_t rows) {
    const struct pm_strassen *s = b->s;
    const uint32_t *stride = b->node->window.stride, width = b->out->shape.width;
    const float *from = pm_value(b->run, b->node->inputs[0], b->image) + first * stride[0] * b->in->row_stride;
    for (ptrdiff_t i = 0; i < pm_map_blocks(b->in); i++)
        for (ptrdiff_t y = 0; y < rows; y++) {
            const float *pixel = from + i * b->in->block_stride + y * stride[0] * b->in->row_stride;
            float *to = b->run->scratch + i * s->input_block[0] + y * s->input_row;
            for (uint32_t x = 0; x < width; x++, pixel += stride[1] * PM_BLOCK, to += PM_BLOCK)
                memcpy(to, pixel, PM_BLOCK * sizeof *to);
        }
}

static void run_band(struct band *b, uint32_t first, uint32_t rows) {
    const struct pm_strassen *s = b->s;
    struct job all = {
        .size = s->size,
        .rows = rows,
        .input = pm_value(b->run, b->node->inputs[0], b->image) + first * b->in->row_stride,
        .output = pm_value(b->run, b->node->value, b->image) + first * b->out->row_stride,
        .output_block = b->out->block_stride,
        .ends = 1,
        .row = first,
    };
    if (s->gathers) {
        gather(b, first, rows);
        all.input = b->run->scratch;
    }
    b->weights = b->node->packed + 2 * PM_BLOCK * (ptrdiff_t)s->size.blocks;
    multiply(b, &all, s->levels);
}

void pm_strassen_run(const struct pm_node *node, const struct pm_run *run) {
    const struct pm_strassen *s = node->state;
    const struct pm_map *maps = run->plan->maps;
    const uint32_t height = node->shape.height;
    struct band b = {node, run, s, &maps[node->inputs[0]], &maps[node->value], 0, NULL};
    for (b.image = 0; b.image < run->count; b.image++)
        for (uint32_t i = 0, first = 0, rows; i < s->bands; i++, first += rows) {
            rows = height / s->bands + (i < height % s->bands);
            run_band(&b, first, rows);
        }
}
