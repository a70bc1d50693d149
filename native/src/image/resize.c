/* SPDX-License-Identifier: Apache-2.0 */

/* The two passes of Pillow's resize, row by row. The first pass fills a ring of 8-bit rows (Pillow rounds between the
 * passes too); as soon as the ring holds the whole window of an output row, that row is made and handed on. A side that
 * keeps its length skips its pass.
 *
 *   horizontal first:  source row -> horizontal -> ring -> vertical -> next
 *   vertical first:    source row -> ring -> vertical -> horizontal -> next */
#include "image/resize.h"

#include <string.h>

#include "kernels/kernels.h"

struct resizer {
    struct pm_row_sink sink; /* first, so that the sink is the resizer */
    struct pm_row_sink *next;
    const struct pm_resize_kernels *kernels;
    struct pm_geometry geometry;
    struct pm_windows x, y; /* without weights where the pass is skipped */
    int vertical_first;
    uint32_t ring_rows;
    size_t ring_bytes, output_bytes; /* of one row */
    uint8_t *ring;                   /* source row r is in place r % ring_rows */
    const uint8_t **window;
    uint8_t *column, *output; /* rows behind the vertical pass and, if it comes second, the horizontal one */
    uint32_t rows_in, rows_out;
};

static uint8_t *ring_row(const struct resizer *resizer, uint32_t row) {
    return resizer->ring + (row % resizer->ring_rows) * pm_row_stride(resizer->ring_bytes);
}

/* First and last + 1 of the source rows that output row `i` needs. */
static uint32_t window_begin(const struct resizer *resizer, uint32_t i) {
    return resizer->y.weights ? resizer->y.first[i] : (uint32_t)resizer->geometry.y.offset + i;
}

static uint32_t window_end(const struct resizer *resizer, uint32_t i) {
    return window_begin(resizer, i) + (resizer->y.weights ? resizer->y.taps[i] : 1);
}

static void resize_horizontally(const struct resizer *resizer, const uint8_t *rgb, uint8_t *out) {
    if (resizer->x.weights) resizer->kernels->horizontal(rgb, &resizer->x, out);
    else memcpy(out, rgb + 3 * resizer->geometry.x.offset, resizer->output_bytes);
}

/* Output row `i` of the vertical pass, as wide as the ring. */
static const uint8_t *resize_vertically(const struct resizer *resizer, uint32_t i) {
    uint32_t first = window_begin(resizer, i);
    if (!resizer->y.weights) return ring_row(resizer, first);
    uint32_t taps = resizer->y.taps[i];
    for (uint32_t t = 0; t < taps; t++) resizer->window[t] = ring_row(resizer, first + t);
    resizer->kernels->vertical(resizer->window, pm_window_weights(&resizer->y, i), taps, resizer->ring_bytes,
                               resizer->column);
    return resizer->column;
}

static void emit(struct resizer *resizer, uint32_t i) {
    const uint8_t *row = resize_vertically(resizer, i);
    if (resizer->vertical_first) {
        resize_horizontally(resizer, row, resizer->output);
        row = resizer->output;
    }
    resizer->next->put(resizer->next, row);
}

static void put(struct pm_row_sink *sink, const uint8_t *rgb) {
    struct resizer *resizer = (struct resizer *)sink;
    uint32_t row = resizer->rows_in++, height = resizer->geometry.y.count;
    if (resizer->rows_out == height || row < window_begin(resizer, resizer->rows_out)) return;
    if (resizer->vertical_first) memcpy(ring_row(resizer, row), rgb, resizer->ring_bytes);
    else resize_horizontally(resizer, rgb, ring_row(resizer, row));
    while (resizer->rows_out < height && window_end(resizer, resizer->rows_out) == row + 1)
        emit(resizer, resizer->rows_out++);
}

static int is_kept(const struct pm_side *side) { return side->scaled == side->source; }

static int is_whole(const struct pm_side *side) { return is_kept(side) && side->count == side->source; }

/* Pillow 13 (not 12 and before) starts with the vertical pass where the image loses more than two rows for each column
 * that it loses. The rounding between the passes makes the order visible. */
static int is_vertical_first(const struct pm_side *x, const struct pm_side *y) {
    if (is_kept(x) || y->scaled >= y->source) return 0;
    int64_t lost_columns = (int64_t)x->source - (int64_t)x->scaled, lost_rows = (int64_t)y->source - (int64_t)y->scaled;
    return lost_rows > 2 * lost_columns;
}

/* Source rows that the ring holds: those of the widest window. */
static uint32_t count_ring_rows(const struct resizer *resizer) {
    if (!resizer->y.weights) return 1;
    uint32_t rows = resizer->y.widest, source = resizer->geometry.y.source;
    return rows < source ? rows : source;
}

static void take_rows(struct resizer *resizer, struct pm_pool *pool) {
    resizer->output_bytes = 3 * (size_t)resizer->geometry.x.count;
    resizer->ring_bytes = resizer->vertical_first ? 3 * (size_t)resizer->geometry.x.source : resizer->output_bytes;
    resizer->ring_rows = count_ring_rows(resizer);
    resizer->ring = pm_take_rows(pool, resizer->ring_rows, resizer->ring_bytes);
    resizer->window = pool->take(pool, resizer->ring_rows, sizeof *resizer->window);
    resizer->column = pm_take_rows(pool, 1, resizer->ring_bytes);
    resizer->output = pm_take_rows(pool, 1, resizer->output_bytes);
}

struct pm_row_sink *pm_resize_begin(struct pm_pool *pool, const struct pm_geometry *geometry, pomona_resample filter,
                                    struct pm_row_sink *next) {
    if (is_whole(&geometry->x) && is_whole(&geometry->y)) return next;
    if (filter == POMONA_RESAMPLE_NEAREST) return pm_nearest_begin(pool, geometry, next);
    struct resizer *resizer = pool->take(pool, 1, sizeof *resizer);
    *resizer = (struct resizer){.sink = {put}, .next = next, .geometry = *geometry};
    resizer->kernels = pm_kernels_at_most(pm_cpu_allowed())->resize;
    resizer->vertical_first = is_vertical_first(&geometry->x, &geometry->y);
    if (!is_kept(&geometry->x)) pm_windows_compute(&resizer->x, pool, &geometry->x, filter);
    if (!is_kept(&geometry->y)) pm_windows_compute(&resizer->y, pool, &geometry->y, filter);
    take_rows(resizer, pool);
    return &resizer->sink;
}
