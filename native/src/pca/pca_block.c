/* SPDX-License-Identifier: Apache-2.0 */

/* How a block of rows joins the rows before it, in a state or in a view of one. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "pca/pca_state.h"

double pm_pca_unit(double unit, double peak) {
    const double far = 0x1p400, least = 0x1p-1000;
    if (peak == 0 || (unit != 0 && peak <= unit * far)) return unit;
    if (unit == 0 && peak >= 1 / far && peak <= far) return 1;
    int exponent;
    frexp(peak, &exponent);
    return fmax(ldexp(1, exponent), least);
}

void pm_tile_scale(double *tile, int width, const double *rows, const double *columns) {
    for (int i = 0; i < width; i++)
        for (int j = 0; j < width; j++) tile[i * width + j] *= rows[i] * columns[j];
}

/* The statistics that a block changes, column by column. */
struct statistics {
    double *mean, *low, *unit, *ratio;
    int rescaled; /* a unit has changed: ratio counts */
};

/* One panel: its rows are centred in place, the row of the means' distance goes behind them. */
static void center_panel(const struct pomona_pca *pca, double *panel, size_t first, struct statistics *s) {
    const int width = pca->kernels->width;
    const ptrdiff_t rows = (ptrdiff_t)pca->pending;
    const double before = (double)pca->rows, all = before + (double)rows;
    const double weight = sqrt(before / all * (double)rows);
    _Alignas(64) double mean[PM_PANEL_WIDTH_MAX], offset[PM_PANEL_WIDTH_MAX], spread[PM_PANEL_WIDTH_MAX],
        scale[PM_PANEL_WIDTH_MAX];
    double *between = panel + rows * width;
    pca->kernels->summarize(panel, rows, offset, spread);
    for (int j = 0; j < width; j++) {
        const size_t column = first + (size_t)j;
        double low = 0;
        mean[j] = panel[j];
        pm_mean_move(&mean[j], &low, offset[j]);
        const double distance = mean[j] - s->mean[column] + (low - s->low[column]), old = s->unit[column];
        const double unit = pm_pca_unit(old, before > 0 ? fmax(spread[j], fabs(distance)) : spread[j]);
        scale[j] = unit == 0 ? 1 : 1 / unit;
        between[j] = distance * scale[j] * weight;
        s->ratio[column] = old == 0 ? 1 : old * scale[j];
        s->rescaled |= s->ratio[column] != 1;
        s->unit[column] = unit;
        if (before > 0) pm_mean_move(&s->mean[column], &s->low[column], distance * ((double)rows / all));
        else s->mean[column] = mean[j], s->low[column] = low;
    }
    pca->kernels->center(panel, rows, mean, scale);
}

/* Rows of a centred block. */
static ptrdiff_t centered_rows(const struct pomona_pca *pca) { return (ptrdiff_t)pca->pending + (pca->rows > 0); }

void pm_pca_flush(struct pomona_pca *pca) {
    if (!pca->pending) return;
    const int width = pca->kernels->width;
    struct statistics s = {pca->mean, pca->low, pca->unit, pca->ratio, 0};
    const ptrdiff_t rows = centered_rows(pca);
    const size_t panel = (size_t)(PM_PANEL_ROWS * width);
    for (size_t q = 0; q < pca->panels; q++) {
        const double *right = pca->block + q * panel;
        center_panel(pca, pca->block + q * panel, q * (size_t)width, &s); /* just before its use, while it is near */
        for (size_t p = 0; p <= q; p++) {
            double *tile = pca->moment + pm_tile_place(pca->panels, p, q, width);
            if (s.rescaled) pm_tile_scale(tile, width, s.ratio + p * (size_t)width, s.ratio + q * (size_t)width);
            pca->kernels->multiply(pca->block + p * panel, right, rows, pm_panel_columns(pca->columns, width, q), tile);
        }
    }
    pca->rows += pca->pending;
    pca->pending = 0;
}

pomona_status pm_pca_view_open(const struct pomona_pca *pca, struct pm_pca_view *view, pomona_error *error) {
    *view = (struct pm_pca_view){
        .pca = pca, .rows = pca->rows + pca->pending, .mean = pca->mean, .low = pca->low, .unit = pca->unit};
    if (!pca->pending) return POMONA_OK;
    const size_t padded = pca->padded, width = (size_t)pca->kernels->width, used = pca->pending * width;
    double *scratch = pm_allocate_zeroed(padded * (PM_PANEL_ROWS + 4), sizeof *scratch);
    POMONA_RETURN_IF(!scratch, error, POMONA_OUT_OF_MEMORY, "no memory to count in the last %zu rows", pca->pending);
    double *block = scratch, *mean = block + padded * PM_PANEL_ROWS;
    struct statistics s = {mean, mean + padded, mean + 2 * padded, mean + 3 * padded, 0};
    memcpy(s.mean, pca->mean, padded * sizeof *mean);
    memcpy(s.low, pca->low, padded * sizeof *mean);
    memcpy(s.unit, pca->unit, padded * sizeof *mean);
    for (size_t p = 0; p < pca->panels; p++) {
        double *panel = block + p * PM_PANEL_ROWS * width;
        memcpy(panel, pca->block + p * PM_PANEL_ROWS * width, used * sizeof *panel);
        center_panel(pca, panel, p * width, &s);
    }
    view->block_rows = centered_rows(pca);
    view->block = view->scratch = scratch;
    view->mean = s.mean;
    view->low = s.low;
    view->unit = s.unit;
    view->ratio = s.rescaled ? s.ratio : NULL;
    return POMONA_OK;
}

void pm_pca_view_close(struct pm_pca_view *view) { pm_free(view->scratch); }

void pm_pca_view_tile(const struct pm_pca_view *view, size_t p, size_t q, double *tile) {
    const struct pomona_pca *pca = view->pca;
    const int width = pca->kernels->width;
    const size_t panel = (size_t)(PM_PANEL_ROWS * width), row = p * (size_t)width, column = q * (size_t)width;
    memcpy(tile, pca->moment + pm_tile_place(pca->panels, p, q, width), (size_t)(width * width) * sizeof *tile);
    if (view->ratio) pm_tile_scale(tile, width, view->ratio + row, view->ratio + column);
    if (view->block)
        pca->kernels->multiply(view->block + p * panel, view->block + q * panel, view->block_rows,
                               pm_panel_columns(pca->columns, width, q), tile);
}
