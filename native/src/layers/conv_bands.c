/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_bands.h"

#include <string.h>

#include "core/clock.h"
#include "layers/conv_method.h"
#include "layers/conv_panels.h"
#include "layers/depthwise_bf16.h"
#include "layers/depthwise_rows.h"

/* Floats of a band: a quarter of a 1 MiB L2 cache, beside the input of the convolution and the output of the reader. */
#define BAND_FLOATS ((ptrdiff_t)256 * 1024 / (ptrdiff_t)sizeof(float))

int pm_conv_bands_suit(const struct pm_node *conv, const struct pm_node *reader, const struct pm_plan *plan,
                       const struct pm_shape *in) {
    const struct pm_window *window = &conv->window;
    int pointwise = window->kernel[0] == 1 && window->kernel[1] == 1;
    int strided = window->stride[0] > 1 && window->stride[1] > 1;
    return conv->layer == pm_layer_find("conv2d") && (pointwise || strided) && conv->epilogue.residual < 0 &&
           !conv->gate && reader->shape.channels == conv->shape.channels && !pm_conv_strassen_suits(conv, plan, in);
}

/* Rows count from the top of the map's halo here. */
struct bands {
    const struct pm_map *map; /* of the producer's value */
    uint32_t outputs;         /* rows of the reader that a band makes */
    uint32_t step, reach;     /* rows from one window to the next, rows of a window */
    ptrdiff_t rows;           /* that a band holds */
    ptrdiff_t row, block;     /* floats between rows and between blocks of a band */
    ptrdiff_t left, right;    /* floats of a row beside what the convolution writes */
    int couples;
    float *floats;
    const struct pm_panel *panel;
    ptrdiff_t base, made; /* the first row in the band, the first that was not made yet */
};

int pm_conv_bands_couples(const struct pm_node *node, const struct pm_plan *plan) {
    return pm_depthwise_bf16(node, plan) && pm_conv_direct_couples(node->producer);
}

static void lay_rows(const struct pm_node *node, const struct pm_plan *plan, struct bands *b) {
    const struct pm_waiting_row row = pm_waiting_row_of(node, plan, 1);
    b->couples = pm_conv_bands_couples(node, plan);
    b->row = b->couples ? row.length : b->map->row_stride;
    b->left = b->couples ? row.left : (ptrdiff_t)b->map->halo[PM_LEFT] * PM_BLOCK;
    b->right = b->couples ? row.right : (ptrdiff_t)b->map->halo[PM_RIGHT] * PM_BLOCK;
}

static struct bands bands_of(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *window = &node->window;
    struct bands b = {.map = &plan->maps[node->inputs[0]], .step = window->stride[0]};
    b.reach = (window->kernel[0] - 1) * window->dilation[0] + 1;
    lay_rows(node, plan, &b);
    ptrdiff_t fit = BAND_FLOATS / (b.row * pm_conv_direct_blocks(node->producer)), height = node->shape.height;
    ptrdiff_t outputs = fit > b.reach ? (fit - b.reach) / b.step + 1 : 1;
    ptrdiff_t bands = (height + outputs - 1) / outputs;
    b.outputs = (uint32_t)((height + bands - 1) / bands);
    b.rows = (ptrdiff_t)(b.outputs - 1) * b.step + b.reach;
    b.block = b.rows * b.row + PM_BLOCK; /* a line more, see lay_out in graph/plan.c */
    return b;
}

uint64_t pm_conv_bands_scratch(const struct pm_node *node, const struct pm_plan *plan) {
    struct bands b = bands_of(node, plan);
    return node->producer->scratch_floats + (uint64_t)(b.block * pm_conv_direct_blocks(node->producer));
}

/* Beside the rows, where the convolution never writes: once for all panels. */
static void clear_sides(const struct bands *b, ptrdiff_t blocks) {
    const size_t left = (size_t)b->left, right = (size_t)b->right;
    for (ptrdiff_t block = 0; (left || right) && block < blocks; block++)
        for (ptrdiff_t y = 0; y < b->rows; y++) {
            float *row = b->floats + block * b->block + y * b->row;
            memset(row, 0, left * sizeof *row);
            memset(row + b->row - right, 0, right * sizeof *row);
        }
}

static void clear_rows(const struct bands *b, ptrdiff_t from, ptrdiff_t to) {
    if (to <= from) return;
    for (ptrdiff_t block = 0; block < b->panel->tiling->blocks; block++)
        memset(b->floats + block * b->block + (from - b->base) * b->row, 0,
               (size_t)((to - from) * b->row) * sizeof *b->floats);
}

static ptrdiff_t within(ptrdiff_t x, ptrdiff_t low, ptrdiff_t high) { return x < low ? low : x > high ? high : x; }

/* The band begins at row `base`; rows that were made for the last one move up. */
static void move_to(struct bands *b, ptrdiff_t base) {
    ptrdiff_t keep = b->made - base;
    for (ptrdiff_t block = 0; keep > 0 && block < b->panel->tiling->blocks; block++) {
        float *rows = b->floats + block * b->block;
        memmove(rows, rows + (base - b->base) * b->row, (size_t)(keep * b->row) * sizeof *rows);
    }
    b->base = base;
    if (keep < 0) b->made = base;
}

/* Rows up to `end`: zeros above and below the value, its rows between. */
static void make_rows(const struct pm_node *conv, const struct pm_run *run, uint32_t image, struct bands *b,
                      ptrdiff_t end) {
    const ptrdiff_t top = b->map->halo[PM_TOP], bottom = top + b->map->shape.height;
    const ptrdiff_t first = within(b->made, top, bottom), last = within(end, top, bottom);
    clear_rows(b, b->made, within(end, b->made, top));
    if (last > first) {
        struct pm_conv_part part = {.image = image,
                                    .panel = b->panel,
                                    .first = (uint32_t)(first - top),
                                    .rows = (uint32_t)(last - first),
                                    .output = b->floats + (first - b->base) * b->row + b->left,
                                    .output_row = b->row,
                                    .output_block = b->block,
                                    .couples = b->couples};
        pm_conv_direct_part(conv, run, &part);
    }
    clear_rows(b, within(b->made, bottom, end), end);
    b->made = end;
}

static void run_panel(const struct pm_node *node, const struct pm_run *run, uint32_t image, struct bands *b,
                      pm_band_reader *read) {
    const struct pm_node *conv = node->producer;
    b->base = b->made = 0;
    for (uint32_t first = 0, rows; first < node->shape.height; first += rows) {
        rows = node->shape.height - first < b->outputs ? node->shape.height - first : b->outputs;
        double begin = run->seconds ? pm_seconds() : 0;
        move_to(b, (ptrdiff_t)first * b->step);
        make_rows(conv, run, image, b, b->base + (ptrdiff_t)(rows - 1) * b->step + b->reach);
        if (run->seconds) {
            double spent = pm_seconds() - begin;
            run->seconds[conv->step] += spent;
            run->seconds[node->step] -= spent;
        }
        for (ptrdiff_t block = 0; block < b->panel->tiling->blocks; block++) {
            struct pm_band band = {image, first, rows, b->panel->block + block, b->floats + block * b->block};
            read(node, run, &band);
        }
    }
}

void pm_conv_bands_run(const struct pm_node *node, const struct pm_run *run, pm_band_reader *read) {
    const struct pm_node *conv = node->producer;
    struct bands b = bands_of(node, run->plan);
    b.floats = run->scratch + conv->scratch_floats;
    clear_sides(&b, pm_conv_direct_blocks(conv));
    for (uint32_t image = 0; image < run->count; image++) {
        pm_conv_direct_enter(conv, run, image);
        for (uint32_t p = 0; (b.panel = pm_conv_direct_panel(conv, p)); p++) run_panel(node, run, image, &b, read);
    }
    pm_conv_direct_leave(conv, run);
}
