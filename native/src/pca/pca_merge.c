/* SPDX-License-Identifier: Apache-2.0 */

/* Chan's formula for two states: M = Ma + Mb + na nb / (na + nb) d d', d the distance of the means. */
#include <math.h>

#include "core/memory.h"
#include "pca/pca_state.h"

/* Scratch of [padded] each. */
struct join {
    double *ratio_a, *ratio_b; /* old units over the common ones */
    double *between;           /* d x sqrt(na nb / (na + nb)) in common units: panels of one row */
};

static void join_columns(struct pomona_pca *pca, const struct pm_pca_view *b, const struct join *join) {
    const double rows_a = (double)pca->rows, rows_b = (double)b->rows, all = rows_a + rows_b;
    const double weight = sqrt(rows_a / all * rows_b);
    for (size_t j = 0; j < pca->padded; j++) {
        const double distance = b->mean[j] - pca->mean[j] + (b->low[j] - pca->low[j]);
        const double larger = fmax(pca->unit[j], b->unit[j]);
        const double unit = pm_pca_unit(larger, rows_a > 0 ? fabs(distance) : 0);
        const double scale = unit == 0 ? 1 : 1 / unit;
        join->ratio_a[j] = pca->unit[j] * scale;
        join->ratio_b[j] = b->unit[j] * scale;
        join->between[j] = distance * scale * weight;
        pca->unit[j] = unit;
        if (rows_a > 0) pm_mean_move(&pca->mean[j], &pca->low[j], distance * (rows_b / all));
        else pca->mean[j] = b->mean[j], pca->low[j] = b->low[j];
    }
}

static void join_tiles(struct pomona_pca *pca, const struct pm_pca_view *b, const struct join *join) {
    const int width = pca->kernels->width;
    _Alignas(64) double tile[PM_TILE_MAX];
    PM_EACH_TILE(p, q, pca->panels) {
        const size_t row = p * (size_t)width, column = q * (size_t)width;
        double *sum = pca->moment + pm_tile_place(pca->panels, p, q, width);
        pm_pca_view_tile(b, p, q, tile);
        pm_tile_scale(tile, width, join->ratio_b + row, join->ratio_b + column);
        pm_tile_scale(sum, width, join->ratio_a + row, join->ratio_a + column);
        for (int i = 0; i < width * width; i++) sum[i] += tile[i];
        pca->kernels->multiply(join->between + row, join->between + column, 1, pm_panel_columns(pca->columns, width, q),
                               sum);
    }
}

static pomona_status join_all(struct pomona_pca *pca, const struct pomona_pca *other, double *scratch,
                              pomona_error *error) {
    const struct join join = {scratch, scratch + pca->padded, scratch + 2 * pca->padded};
    struct pm_pca_view view;
    POMONA_TRY(pm_pca_view_open(other, &view, error));
    pm_pca_flush(pca);
    join_columns(pca, &view, &join);
    join_tiles(pca, &view, &join);
    pca->rows += view.rows;
    pm_pca_view_close(&view);
    return POMONA_OK;
}

pomona_status pomona_pca_merge(pomona_pca *pca, const pomona_pca *other, pomona_error *error) {
    POMONA_RETURN_IF(!pca || !other || pca == other, error, POMONA_INVALID_ARGUMENT, "needs two states, not one");
    POMONA_RETURN_IF(pca->columns != other->columns, error, POMONA_INVALID_ARGUMENT,
                     "a state of %u columns cannot take one of %u", pca->columns, other->columns);
    if (other->rows + other->pending > 0) {
        double *scratch = pm_allocate_zeroed(3 * pca->padded, sizeof *scratch);
        POMONA_RETURN_IF(!scratch, error, POMONA_OUT_OF_MEMORY, "no memory to merge states");
        pomona_status status = join_all(pca, other, scratch, error);
        pm_free(scratch);
        POMONA_TRY(status);
    }
    pca->skipped += other->skipped;
    return POMONA_OK;
}
