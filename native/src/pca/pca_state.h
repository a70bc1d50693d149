/* SPDX-License-Identifier: Apache-2.0 */

/* The state of a one-pass covariance.
 *
 * Rows gather in a block; a full block is centred about its own mean, and joins the co-moment of all rows before it by
 * Chan's formula: the distance d of the two means counts as one more row, sqrt(na nb / (na + nb)) d. So nothing cancels
 * wherever the means lie, and where a block ends depends on the rows alone, not on the calls that brought them.
 *
 * Layout. Columns lie in panels of `width` (kernels/moments.h), zeros past the last; the co-moment in tiles, the upper
 * triangle of them. Each column has a unit, a power of two, mostly 1, that keeps squares of 1e300 and 1e-300 in range:
 * the co-moment of columns i and j is tile x unit[i] x unit[j]. A unit of 0: no variance seen yet. */
#ifndef POMONA_PCA_STATE_H
#define POMONA_PCA_STATE_H

#include "core/status.h"
#include "kernels/moments.h"

/* Rows of a block: the co-moment passes through memory once for so many. One more holds the distance of the means. */
#define PM_BLOCK_ROWS 256
#define PM_PANEL_ROWS (PM_BLOCK_ROWS + 1)

/* A number of this magnitude and above, 2^1010 or about 1e304, is refused like infinity: sums of a block and distances
 * of means stay finite. */
#define PM_TOO_LARGE 0x1p1010

/* The largest tile, for one on the stack. */
#define PM_TILE_MAX (PM_PANEL_WIDTH_MAX * PM_PANEL_WIDTH_MAX)

struct pomona_pca {
    uint32_t columns;
    pomona_bad_rows bad_rows;
    const struct pm_moment_kernels *kernels;
    size_t panels, padded; /* panels x width >= columns */
    uint64_t rows;         /* in mean and moment */
    uint64_t skipped;
    size_t pending; /* rows in the block */
    /* [padded] each. A mean is the sum of `mean` and `low`, what its rounding left: where means are 1e8 deviations away
     * from 0, the distance of two of them needs more than a double holds. `ratio` is scratch. */
    double *mean, *low, *unit, *ratio;
    double *moment; /* [tiles][width][width] */
    double *block;  /* [panels][PM_PANEL_ROWS][width] */
};

/* The state with its pending rows counted in, which it still holds: reading a state changes nothing of it. Ask it tile
 * by tile. */
struct pm_pca_view {
    const struct pomona_pca *pca;
    uint64_t rows;
    const double *mean, *low, *unit;
    const double *ratio; /* [padded] old unit over new one, NULL: all 1 */
    const double *block; /* centred, NULL: nothing pending */
    ptrdiff_t block_rows;
    double *scratch;
};

pomona_status pm_pca_view_open(const struct pomona_pca *pca, struct pm_pca_view *view, pomona_error *error);
void pm_pca_view_close(struct pm_pca_view *view);

/* Tile of panels p <= q. */
void pm_pca_view_tile(const struct pm_pca_view *view, size_t p, size_t q, double *tile);

/* Joins the pending rows with the co-moment. */
void pm_pca_flush(struct pomona_pca *pca);

/* mean + low becomes mean + low + step. */
static inline void pm_mean_move(double *mean, double *low, double step) {
    const double change = *low + step, sum = *mean + change, part = sum - *mean;
    *low = (*mean - (sum - part)) + (change - part); /* Knuth's exact error of the sum */
    *mean = sum;
}

/* A unit for a column that had `unit` and now meets distances of up to `peak` from its mean. */
double pm_pca_unit(double unit, double peak);

/* Length of the serialised state, docs/pca.md: its header, three numbers a column, the triangle of the co-moment. */
#define PM_STATE_HEADER 64

static inline uint64_t pm_pca_state_bytes(uint32_t columns) {
    const uint64_t d = columns;
    return PM_STATE_HEADER + (3 * d + d * (d + 1) / 2) * sizeof(double);
}

/* Where tile (p, q), p <= q, of the upper triangle lies, in numbers. */
static inline size_t pm_tile_place(size_t panels, size_t p, size_t q, int width) {
    return (p * panels - p * (p + 1) / 2 + q) * (size_t)width * (size_t)width;
}

#define PM_EACH_TILE(p, q, panels)                                                                                     \
    for (size_t p = 0; p < (panels); p++)                                                                              \
        for (size_t q = p; q < (panels); q++)

/* tile[i][j] x= rows[i] x columns[j], all powers of two. */
void pm_tile_scale(double *tile, int width, const double *rows, const double *columns);

#endif
