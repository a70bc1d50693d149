/* SPDX-License-Identifier: Apache-2.0 */

/* Winograd convolutions: `tile` outputs in a row are made from a patch of tile + kernel - 1 inputs by as many products
 * instead of tile x kernel, in one dimension or in both. A form is a size of kernel and tile with its two ends: patches
 * to values, and sums of values to pixels. What lies between is a 1x1 convolution a value (layers/conv_winograd.c).
 *
 * Toom-Cook: a patch is cut into values at the points 0, +-p for a few p, and, where their number is even, infinity.
 * With the polynomial M(x), x times the product of all (x^2 - p^2), a value at p is the patch times the coefficients of
 * M(x) / (x - p), that at infinity times M's own; weights are their polynomial at p over the product of p's distances
 * to the other points; and an output i is the sum of p^i times the values.
 *
 * With a stride of 2 over a plain map of RGB: its even and odd rows and columns are four phases, over which the stride
 * is 1, the kernel half as large, and the channels four times as many. */
#ifndef POMONA_KERNELS_WINOGRAD_H
#define POMONA_KERNELS_WINOGRAD_H

#include <stddef.h>
#include <stdint.h>

#define PM_WINOGRAD_PAIRS_MAX 4
#define PM_WINOGRAD_PATCH_MAX (2 * PM_WINOGRAD_PAIRS_MAX + 2)
#define PM_WINOGRAD_PLANE_MAX 7 /* the same of a form in both dimensions */
#define PM_WINOGRAD_KERNEL_MAX 7

/* A pixel of all phases is two pixels of each of two rows, in the halves of a block: so many floats, and slots. */
#define PM_PHASES 2
#define PM_PHASE_ROW 6
#define PM_PHASE_SLOTS 8

/* Points of one dimension; polynomials in x^2, the constant first. */
struct pm_winograd_points {
    int pairs, values; /* with infinity 2 x pairs + 2, without it one less */
    double at[PM_WINOGRAD_PAIRS_MAX];
    double others[PM_WINOGRAD_PAIRS_MAX][PM_WINOGRAD_PAIRS_MAX]; /* product of (x^2 - q^2) over the other pairs */
    double all[PM_WINOGRAD_PAIRS_MAX + 1];                       /* and over all */
};

/* One tile of one 16-channel block: values to up to rows x columns pixels, then the epilogue as in pm_conv_tile. A tile
 * of one dimension is a column of pixels `output_row` apart. */
struct pm_winograd_output {
    const float *values;        /* `stride` floats apart, of 16 channels each */
    const float *scale, *shift; /* [16] each */
    const float *residual;      /* NULL, or of the output's pixels */
    float *output;
    ptrdiff_t stride, output_row, residual_row;
    int rows, columns; /* of the tile that lie in the map */
    float low, high;
};

/* A patch of one block, whose rows (in one dimension: pixels) lie `row` floats apart, to values `stride` apart; slots
 * of a pixel of phases that hold none of its floats are those that follow them in the row, but of no use. */
typedef void pm_winograd_input_kernel(const float *input, ptrdiff_t row, float *values, ptrdiff_t stride);
typedef void pm_winograd_output_kernel(const struct pm_winograd_output *output);

/* Entries of a list may differ in their limits alone. */
struct pm_winograd_form {
    const char *name, *bf16_name; /* with products in fp32, and in bf16 */
    int plane;                    /* both dimensions, or one: either */
    int kernel, tile[2];          /* length of a side; [0] vertical, [1] horizontal */
    int min_side;                 /* of the map */
    int64_t most_weights;         /* of one value: input channels x output channels */
    int beats_bf16; /* direct sums by vectors of it, with its own products in bf16, and is as fit for it */
    const struct pm_winograd_points *points[2];
    pm_winograd_input_kernel *input, *phases; /* the latter for patches of phases, NULL: has none */
    pm_winograd_output_kernel *output;
};

/* What makes the values of a row of a kernel from its taps. */
void pm_winograd_to_values(const struct pm_winograd_points *points, int taps,
                           double to_values[PM_WINOGRAD_PATCH_MAX][PM_WINOGRAD_KERNEL_MAX]);

#endif
