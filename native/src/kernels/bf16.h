/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution in bf16, where the CPU multiplies it: products of bf16, sums in fp32.
 *
 * Two neighbouring channels are one number of 32 bits, the even one in its lower half: a pair. Maps and weights of
 * pairs have half the channels, in blocks of half as many, and kernels.h holds for them as it stands, with pairs for
 * floats. */
#ifndef POMONA_KERNELS_BF16_H
#define POMONA_KERNELS_BF16_H

#include "kernels/kernels.h"

#define PM_BF16_BLOCK (PM_BLOCK / 2) /* pairs of one pixel of a block */

struct pm_bf16_kernels {
    struct pm_conv_tiling conv[PM_CONV_TILINGS_MAX];
    /* Rounds 2 x count floats, to nearest and ties to even; count: a multiple of PM_BF16_BLOCK. */
    void (*narrow)(float *pairs, const float *from, ptrdiff_t count);
};

/* NULL where CPU, POMONA_CPU or compiler refuses. Any thread. */
const struct pm_bf16_kernels *pm_bf16_kernels(void);

/* As `narrow` does with two floats. Finite ones alone. */
float pm_bf16_pair(float even, float odd);

#endif
