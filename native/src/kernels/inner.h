/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution in fp32 by Winograd's inner product: of two channels a, b and their weights v, w
 *     a v + b w = (a + w) (b + v) - a b - v w
 * where a b is the same for all outputs, and v w for all pixels. So two products are one multiplication and two
 * additions, for which CPUs of AMD have units beside those that multiply: of a block's 16 channels five pairs are done
 * so, with the fused products of the other six between them, in 11 steps of both units. On a core whose fused
 * multiplications are its additions' units, too, it would cost half as much again.
 *
 * Rounding: the sums a + w lose what the smaller one has below the larger one's last bit. So weights come multiplied by
 * a power of two that makes them about as large as the input (layers/conv_inner.h), and what a block's pairs have too
 * much is taken off with that block, before sums grow by it. */
#ifndef POMONA_KERNELS_INNER_H
#define POMONA_KERNELS_INNER_H

#include "kernels/kernels.h"

/* In a line of 16 channels number k < PM_INNER_PAIRS goes with number k + PM_INNER_PAIRS. Shorter segments have none.
 */
#define PM_INNER_PAIRS 5

/* Tilings for windows side by side, as those of pm_kernels; they read pm_conv_tile.own. */
struct pm_conv_inner {
    struct pm_conv_tiling broad, narrow;
    /* own[l] = -(sum over pairs of line l, of 16 floats each) */
    void (*own)(float *own, const float *lines, ptrdiff_t count);
};

/* What a level's table has, if this CPU gains by it, or NULL. */
const struct pm_conv_inner *pm_conv_inner(const struct pm_kernels *kernels);

#endif
