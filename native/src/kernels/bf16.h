/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution in bf16, where the CPU multiplies it: products of bf16, sums in fp32.
 *
 * Two neighbouring channels are one number of 32 bits, the even one in its lower half: a pair. Maps and weights of
 * pairs have half the channels, and kernels.h holds for them as it stands, with pairs for floats: a block is 16 pairs,
 * a cache line of two blocks of a map of floats. */
#ifndef POMONA_KERNELS_BF16_H
#define POMONA_KERNELS_BF16_H

#include "kernels/kernels.h"

/* Rounds `pixels` pixels of two blocks of floats, `block` floats apart, to one of pairs, to nearest and ties to even.
 * Channels from `channels` on become 0 and are not read; 1 <= channels <= 2 x PM_BLOCK. */
typedef void pm_bf16_narrow(float *pairs, const float *from, ptrdiff_t block, uint32_t channels, ptrdiff_t pixels);
pm_bf16_narrow pm_bf16_narrow_avx512;

struct pm_bf16_kernels {
    const char *name;
    struct pm_conv_tiling conv[PM_CONV_TILINGS_MAX]; /* each takes all segments as one partial sum */
    pm_bf16_narrow *narrow;
    void (*release)(void); /* NULL, or gives up what kernels hold of the thread's registers; after each layer */
    int whole_blocks;      /* every segment is one: a tap's 16 pairs, with zeros for weights that are not there */
    int beats_winograd;    /* multiplies more than as many times faster than fp32 as Winograd saves products */
};

/* The fastest, or NULL where CPU, POMONA_CPU or compiler refuses all. Asks the system for AMX, once a process. Any
 * thread. */
const struct pm_bf16_kernels *pm_bf16_kernels(void);

/* As `narrow` does with two floats. Finite ones alone. */
float pm_bf16_pair(float even, float odd);

#endif
