/* SPDX-License-Identifier: Apache-2.0 */

/* Pillow's nearest neighbour: an affine map from target to source whose position grows by repeated addition, and so
 * carries its rounding errors with it; a product would choose other pixels now and then. */
#include "image/resize.h"

struct nearest {
    struct pm_row_sink sink; /* first, so that the sink is this struct */
    struct pm_row_sink *next;
    uint32_t width, height;
    uint32_t *x, *y; /* source positions */
    uint8_t *output;
    uint32_t rows_in, rows_out;
};

static uint32_t *positions(struct pm_pool *pool, const struct pm_side *side) {
    uint32_t *result = pool->take(pool, side->count, sizeof *result);
    double step = (double)side->source / (double)side->scaled, position = step * 0.5;
    for (uint64_t i = 0; i < side->offset; i++) position += step;
    for (uint32_t i = 0; i < side->count; i++, position += step) {
        uint32_t nearest = (uint32_t)position;
        result[i] = nearest < side->source ? nearest : side->source - 1;
    }
    return result;
}

static void gather(const struct nearest *nearest, const uint8_t *rgb) {
    for (uint32_t i = 0; i < nearest->width; i++) {
        const uint8_t *pixel = rgb + 3 * (size_t)nearest->x[i];
        nearest->output[3 * i] = pixel[0];
        nearest->output[3 * i + 1] = pixel[1];
        nearest->output[3 * i + 2] = pixel[2];
    }
}

static void put(struct pm_row_sink *sink, const uint8_t *rgb) {
    struct nearest *nearest = (struct nearest *)sink;
    uint32_t row = nearest->rows_in++;
    if (nearest->rows_out == nearest->height || nearest->y[nearest->rows_out] != row) return;
    gather(nearest, rgb);
    while (nearest->rows_out < nearest->height && nearest->y[nearest->rows_out] == row) {
        nearest->next->put(nearest->next, nearest->output);
        nearest->rows_out++;
    }
}

struct pm_row_sink *pm_nearest_begin(struct pm_pool *pool, const struct pm_geometry *geometry,
                                     struct pm_row_sink *next) {
    struct nearest *nearest = pool->take(pool, 1, sizeof *nearest);
    *nearest = (struct nearest){.sink = {put}, .next = next};
    nearest->width = geometry->x.count;
    nearest->height = geometry->y.count;
    nearest->x = positions(pool, &geometry->x);
    nearest->y = positions(pool, &geometry->y);
    nearest->output = pool->take(pool, nearest->width, 3);
    return &nearest->sink;
}
