/* SPDX-License-Identifier: Apache-2.0 */

/* A product of panels on vectors of PM_DL doubles. A panel is three vectors wide and a third of its columns meets all
 * of the other's: PM_DL x 3 sums (24 of 32 registers on AVX-512, 12 of 16 on AVX2), 3 vectors of `b`, 1 broadcast of
 * `a`. One packing serves both sides. */
#include "kernels/moments.h"
#include "kernels/simd.h"

#define VECTORS 3
#define WIDTH (VECTORS * PM_DL)

_Static_assert(WIDTH <= PM_PANEL_WIDTH_MAX, "panels");

#define PANEL(p) (*(const vd *)(p))

/* PM_DL rows of the tile, `vectors` of each. */
ALWAYS_INLINE void multiply_third(const double *a, const double *b, ptrdiff_t rows, double *tile, int vectors) {
    vd sum[PM_DL][VECTORS];
    UNROLL for (int i = 0; i < PM_DL; i++) UNROLL for (int j = 0; j < vectors; j++) {
        sum[i][j] = (vd){0};
        __builtin_prefetch(tile + i * WIDTH + j * PM_DL, 1);
    }
    PM_PRAGMA(GCC unroll 2) for (ptrdiff_t row = 0; row < rows; row++, a += WIDTH, b += WIDTH) {
        vd right[VECTORS];
        UNROLL for (int j = 0; j < vectors; j++) right[j] = PANEL(b + j * PM_DL);
        UNROLL for (int i = 0; i < PM_DL; i++) {
            vd left = DSET(a[i]);
            UNROLL for (int j = 0; j < vectors; j++) sum[i][j] += left * right[j];
        }
    }
    UNROLL for (int i = 0; i < PM_DL; i++) UNROLL for (int j = 0; j < vectors; j++) {
        vd *to = (vd *)(tile + i * WIDTH + j * PM_DL);
        *to += sum[i][j];
    }
}

/* A third of a symmetric tile begins at its diagonal; a tile ends with the vector that holds the last column. */
static void multiply(const double *a, const double *b, ptrdiff_t rows, int columns, double *tile) {
    const int end = (columns + PM_DL - 1) / PM_DL;
    for (int third = 0; third < VECTORS; third++) {
        const int first = a == b ? third : 0, place = first * PM_DL;
        const double *left = a + third * PM_DL;
        double *to = tile + third * PM_DL * WIDTH + place;
        if (end - first == 3) multiply_third(left, b + place, rows, to, 3);
        else if (end - first == 2) multiply_third(left, b + place, rows, to, 2);
        else if (end - first == 1) multiply_third(left, b + place, rows, to, 1);
    }
}

static void summarize(const double *panel, ptrdiff_t rows, double *mean, double *largest) {
    vd first[VECTORS], sum[VECTORS], most[VECTORS];
    UNROLL for (int j = 0; j < VECTORS; j++) {
        first[j] = PANEL(panel + j * PM_DL);
        sum[j] = most[j] = (vd){0};
    }
    for (ptrdiff_t row = 1; row < rows; row++) UNROLL for (int j = 0; j < VECTORS; j++) {
            vd distance = PANEL(panel + row * WIDTH + j * PM_DL) - first[j];
            sum[j] += distance;
            most[j] = DMAX(most[j], DMAX(distance, -distance));
        }
    UNROLL for (int j = 0; j < VECTORS; j++) {
        *(vd *)(mean + j * PM_DL) = sum[j] / DSET(rows);
        *(vd *)(largest + j * PM_DL) = most[j];
    }
}

static void center(double *panel, ptrdiff_t rows, const double *mean, const double *scale) {
    vd middle[VECTORS], factor[VECTORS];
    UNROLL for (int j = 0; j < VECTORS; j++) middle[j] = PANEL(mean + j * PM_DL), factor[j] = PANEL(scale + j * PM_DL);
    for (ptrdiff_t row = 0; row < rows; row++) UNROLL for (int j = 0; j < VECTORS; j++) {
            vd *x = (vd *)(panel + row * WIDTH + j * PM_DL);
            *x = (*x - middle[j]) * factor[j];
        }
}

#define MOMENT_KERNELS(level)                                                                                          \
    const struct pm_moment_kernels pm_moment_kernels_##level = {.name = "moments_f64_" #level,                         \
                                                                .width = WIDTH,                                        \
                                                                .multiply = multiply,                                  \
                                                                .summarize = summarize,                                \
                                                                .center = center};
