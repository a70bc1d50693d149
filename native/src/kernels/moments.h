/* SPDX-License-Identifier: Apache-2.0 */

/* The arithmetic of principal components in fp64, one table a CPU level: products of panels.
 *
 * A panel holds `width` columns of a matrix, row by row: [rows][width]. A tile is [width][width]. All are aligned to
 * 64 bytes. Each sum runs through the rows in order, by fused multiply-adds where the level has them, so its bits do
 * not depend on the width. */
#ifndef POMONA_KERNELS_MOMENTS_H
#define POMONA_KERNELS_MOMENTS_H

#include <stddef.h>

#define PM_PANEL_WIDTH_MAX 24

struct pm_moment_kernels {
    const char *name;
    int width;
    /* tile[i][j] += sum over rows(a[row][i] x b[row][j]) for j < columns, and for j >= i alone where `a` is `b`, which
     * makes a symmetric tile. The other numbers of the tile take their sum or stay as they are. */
    void (*multiply)(const double *a, const double *b, ptrdiff_t rows, int columns, double *tile);
    /* Of each column's distances from its first row: their mean, and the largest. Exactly 0 where all are equal. */
    void (*summarize)(const double *panel, ptrdiff_t rows, double *mean, double *largest);
    /* panel[row][j] = (panel[row][j] - mean[j]) x scale[j] */
    void (*center)(double *panel, ptrdiff_t rows, const double *mean, const double *scale);
};

/* Columns that panel `panel` holds of `count`. */
static inline int pm_panel_columns(size_t count, int width, size_t panel) {
    const size_t left = count - panel * (size_t)width;
    return left < (size_t)width ? (int)left : width;
}

#define PM_KERNELS(level) extern const struct pm_moment_kernels pm_moment_kernels_##level;
#include "kernels/kernels.def"
#undef PM_KERNELS

#endif
