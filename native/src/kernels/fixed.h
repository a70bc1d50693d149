/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution in bf16 by inner products (kernels/inner.h), on CPUs whose units for additions lie beside those that
 * multiply: products of fixed-point numbers, of which 16 bits add as fast as they multiply, and none is rounded.
 *
 * A pixel's numbers were rounded to bf16 and become multiples of its unit, the power of two by which the greatest of
 * them is below 2^PM_FIXED_BITS: exact from 2^-5 of that one on, and off by 2^-14 of it at most. The weights of an
 * output are multiples of its grid, at most 2^PM_FIXED_BITS - 1, and together so few that no sum of products leaves 32
 * bits: what a sum passes through on its way may, for it wraps round and comes back.
 *
 * Two neighbouring channels are one number of 32 bits, as pairs of bf16 are (kernels/bf16.h). One addition makes both
 * sums: the even channel has PM_FIXED_BIAS more than its number, so that its sum is positive and leaves the other one
 * alone. kernels.h holds as it stands, with these for floats, but that
 * - sums begin with pm_conv_tile.starts and own, and are multiplied by the pixel's unit before scale;
 * - all segments are one partial sum. */
#ifndef POMONA_KERNELS_FIXED_H
#define POMONA_KERNELS_FIXED_H

#include "kernels/kernels.h"

/* In a line of 16 pairs number k < PM_FIXED_PAIRS goes with number k + PM_FIXED_PAIRS. Segments too short for all of
 * them have none; those that are long enough begin with a line. */
#define PM_FIXED_PAIRS 6
static inline int pm_fixed_is_inner(ptrdiff_t length) { return length >= 2 * PM_FIXED_PAIRS; }

#define PM_FIXED_BITS 13
#define PM_FIXED_BIAS (1 << 14)

/* The sum of magnitudes of an output's weights: by numbers of PM_FIXED_BITS less than 2^31. */
#define PM_FIXED_SUM (1 << (31 - PM_FIXED_BITS))

/* Lines of pairs of bf16 to become fixed-point numbers. Where a pixel's greatest number is not finite, its unit is NaN.
 */
struct pm_fixed_lines {
    float *pairs; /* [blocks][pixels][16] */
    ptrdiff_t pixels, blocks;
    ptrdiff_t block;       /* floats between blocks */
    const uint16_t *lanes; /* [blocks] which of a line's 16 pairs are channels, the first from bit 0 on */
    float *own;            /* [pixels] whole numbers: -(sum over pairs of inner segments) */
    float *units;          /* [pixels] */
};

struct pm_fixed_kernels {
    struct pm_conv_tiling broad, narrow; /* for windows side by side */
    void (*enter)(const struct pm_fixed_lines *lines);
};

extern const struct pm_fixed_kernels pm_fixed_kernels_avx512;

#endif
