/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "pca/pca_state.h"

/* Rows of either type. */
struct rows {
    const void *data;
    size_t count, stride;
    int is_double;
};

/* 1 when the row holds NaN, infinity, or a number of PM_TOO_LARGE and above. Written on bits so that any compiler makes
 * vectors of it: added to the exponent of such a number, the constant carries into the sign. */
static int bad_floats(const float *row, size_t columns) {
    uint32_t carried = 0;
    for (size_t j = 0; j < columns; j++) {
        uint32_t bits;
        memcpy(&bits, row + j, sizeof bits);
        carried |= (bits & 0x7fffffff) + 0x00800000;
    }
    return carried >> 31;
}

static int bad_doubles(const double *row, size_t columns) {
    uint64_t carried = 0, step = (uint64_t)(0x7ff + 1 - (1010 + 1023)) << 52;
    for (size_t j = 0; j < columns; j++) {
        uint64_t bits;
        memcpy(&bits, row + j, sizeof bits);
        carried |= (bits & 0x7fffffffffffffff) + step;
    }
    return carried >> 63;
}

static const void *row_of(const struct rows *rows, size_t i) {
    return (const char *)rows->data + i * rows->stride * (rows->is_double ? sizeof(double) : sizeof(float));
}

static int is_bad(const struct rows *rows, size_t i, size_t columns) {
    return rows->is_double ? bad_doubles(row_of(rows, i), columns) : bad_floats(row_of(rows, i), columns);
}

static pomona_status refuse(const struct rows *rows, size_t i, size_t columns, pomona_error *error) {
    const void *row = row_of(rows, i);
    size_t j = 0;
    double value = 0;
    for (; j < columns; j++) {
        value = rows->is_double ? ((const double *)row)[j] : (double)((const float *)row)[j];
        if (!(fabs(value) < PM_TOO_LARGE)) break;
    }
    return pm_fail(error, POMONA_INVALID_ARGUMENT,
                   "row %zu of %zu, column %zu (from 0) is %g: must be finite and below 1e304; POMONA_BAD_ROWS_SKIP "
                   "leaves such rows out",
                   i, rows->count, j, value);
}

#define SPREAD(from, columns, width, to)                                                                               \
    for (size_t j = 0; j < (columns); j += (width), (to) += PM_PANEL_ROWS * (width)) {                                 \
        const size_t left = (columns)-j < (width) ? (columns)-j : (width);                                             \
        for (size_t c = 0; c < left; c++) (to)[c] = (double)(from)[j + c];                                             \
    }

/* Puts a row into the block, which is full after PM_BLOCK_ROWS of them. */
static void add_row(struct pomona_pca *pca, const struct rows *rows, size_t i) {
    const size_t columns = pca->columns, width = (size_t)pca->kernels->width;
    double *to = pca->block + pca->pending * width;
    if (rows->is_double) {
        const double *from = row_of(rows, i);
        SPREAD(from, columns, width, to)
    } else {
        const float *from = row_of(rows, i);
        SPREAD(from, columns, width, to)
    }
    if (++pca->pending == PM_BLOCK_ROWS) pm_pca_flush(pca);
}

static pomona_status update(struct pomona_pca *pca, const struct rows *rows, pomona_error *error) {
    POMONA_RETURN_IF(!pca || (!rows->data && rows->count), error, POMONA_INVALID_ARGUMENT, "state or rows are NULL");
    POMONA_RETURN_IF(rows->stride < pca->columns, error, POMONA_INVALID_ARGUMENT,
                     "rows %zu numbers apart: must be at least the %u columns", rows->stride, pca->columns);
    const int skip = pca->bad_rows == POMONA_BAD_ROWS_SKIP;
    for (size_t i = 0; !skip && i < rows->count; i++)
        if (is_bad(rows, i, pca->columns)) return refuse(rows, i, pca->columns, error);
    for (size_t i = 0; i < rows->count; i++)
        if (skip && is_bad(rows, i, pca->columns)) pca->skipped++;
        else add_row(pca, rows, i);
    return POMONA_OK;
}

pomona_status pomona_pca_update_float(pomona_pca *pca, const float *rows, size_t count, size_t stride,
                                      pomona_error *error) {
    return update(pca, &(struct rows){rows, count, stride, 0}, error);
}

pomona_status pomona_pca_update_double(pomona_pca *pca, const double *rows, size_t count, size_t stride,
                                       pomona_error *error) {
    return update(pca, &(struct rows){rows, count, stride, 1}, error);
}
