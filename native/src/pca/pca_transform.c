/* SPDX-License-Identifier: Apache-2.0 */

/* Projects rows onto components, by the same kernel as the co-moment: rows are packed across, so that a panel holds one
 * column of `width` rows, and meet panels of components. A sum runs through the columns in order, so a row's numbers do
 * not depend on its neighbours. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "pca/pca_model.h"
#include "pca/pca_options.h"

/* Rows of a step, in panels, and columns that are packed at once: what is packed (about 200 KiB) stays in the second
 * cache, while all components pass by it. */
#define ROW_PANELS 4
#define DEPTH 256

struct transform {
    const struct pomona_pca_model *model;
    const void *rows;
    size_t stride;
    int is_double;
    const double *shift; /* [columns] the mean, or zeros */
    double *packed;      /* [ROW_PANELS][DEPTH][width] */
    double *tiles;       /* [ROW_PANELS][component panels][width][width] */
};

/* Columns first .. first + count of up to `width` rows, shifted and scaled; rows that are not there stay 0. */
#define PACK(type)                                                                                                     \
    do {                                                                                                               \
        const type *from = (const type *)t->rows + row * t->stride + first;                                            \
        for (size_t j = 0; j < count; j++, to += width)                                                                \
            for (size_t i = 0; i < rows; i++) to[i] = ((double)from[i * t->stride + j] - mean[j]) * scale[j];          \
    } while (0)

static void pack_rows(const struct transform *t, size_t row, size_t rows, size_t first, size_t count, double *to) {
    const size_t width = (size_t)t->model->kernels->width;
    const double *mean = t->shift + first, *scale = t->model->scale + first;
    if (t->is_double) PACK(double);
    else PACK(float);
}

/* One run of columns of up to ROW_PANELS x width rows, onto all components. */
static void project_columns(const struct transform *t, size_t row, size_t rows, size_t first, size_t count) {
    const int panel = t->model->kernels->width;
    const size_t width = (size_t)panel, panels = (t->model->k + width - 1) / width;
    const size_t row_panels = (rows + width - 1) / width;
    for (size_t p = 0; p < row_panels; p++)
        pack_rows(t, row + p * width, (size_t)pm_panel_columns(rows, panel, p), first, count,
                  t->packed + p * DEPTH * width);
    for (size_t q = 0; q < panels; q++) {
        const double *components = t->model->panels + (q * t->model->columns + first) * width;
        for (size_t p = 0; p < row_panels; p++)
            t->model->kernels->multiply(t->packed + p * DEPTH * width, components, (ptrdiff_t)count,
                                        pm_panel_columns(t->model->k, panel, q),
                                        t->tiles + (p * panels + q) * width * width);
    }
}

/* NaN and infinity reach every sum of their row, since even times 0 they are NaN; the whole row becomes NaN. */
static void store(const struct transform *t, size_t row, size_t rows, double *output) {
    const size_t width = (size_t)t->model->kernels->width, k = t->model->k, panels = (k + width - 1) / width;
    for (size_t i = 0; i < rows; i++) {
        double *to = output + (row + i) * k, spoilt = 0;
        for (size_t c = 0; c < k; c++) {
            to[c] = t->tiles[((i / width * panels + c / width) * width + i % width) * width + c % width];
            spoilt += to[c] * 0;
        }
        for (size_t c = 0; c < k && spoilt != 0; c++) to[c] = NAN;
    }
}

static void project(const struct transform *t, size_t count, double *output) {
    const size_t width = (size_t)t->model->kernels->width, columns = t->model->columns, step = ROW_PANELS * width;
    const size_t tiles = (t->model->k + width - 1) / width * step * width;
    for (size_t row = 0; row < count; row += step) {
        const size_t rows = count - row < step ? count - row : step;
        memset(t->tiles, 0, tiles * sizeof *t->tiles);
        for (size_t first = 0; first < columns; first += DEPTH)
            project_columns(t, row, rows, first, columns - first < DEPTH ? columns - first : DEPTH);
        store(t, row, rows, output);
    }
}

static pomona_status transform(const struct pomona_pca_model *model, const pomona_pca_transform_options *options,
                               struct transform t, size_t count, double *output, pomona_error *error) {
    pomona_pca_transform_options all;
    POMONA_RETURN_IF(!model || (count && (!t.rows || !output)), error, POMONA_INVALID_ARGUMENT,
                     "model, rows or output are NULL");
    POMONA_RETURN_IF(t.stride < model->columns, error, POMONA_INVALID_ARGUMENT,
                     "rows %zu numbers apart: must be at least the %u columns", t.stride, model->columns);
    POMONA_TRY(pm_pca_read_options(options, &all, sizeof all, "pomona_pca_transform_options", error));
    const size_t width = (size_t)model->kernels->width, panels = (model->k + width - 1) / width;
    const size_t packed = ROW_PANELS * DEPTH * width, tiles = ROW_PANELS * panels * width * width;
    double *scratch = pm_allocate_zeroed(packed + tiles + model->columns, sizeof *scratch);
    POMONA_RETURN_IF(!scratch, error, POMONA_OUT_OF_MEMORY, "no memory to project onto %u components", model->k);
    t.model = model;
    t.packed = scratch;
    t.tiles = scratch + packed;
    t.shift = all.center || model->standardize ? model->mean : scratch + packed + tiles;
    project(&t, count, output);
    pm_free(scratch);
    return POMONA_OK;
}

pomona_status pomona_pca_transform_float(const pomona_pca_model *model, const pomona_pca_transform_options *options,
                                         const float *rows, size_t count, size_t stride, double *output,
                                         pomona_error *error) {
    const struct transform t = {.rows = rows, .stride = stride};
    return transform(model, options, t, count, output, error);
}

pomona_status pomona_pca_transform_double(const pomona_pca_model *model, const pomona_pca_transform_options *options,
                                          const double *rows, size_t count, size_t stride, double *output,
                                          pomona_error *error) {
    const struct transform t = {.rows = rows, .stride = stride, .is_double = 1};
    return transform(model, options, t, count, output, error);
}
