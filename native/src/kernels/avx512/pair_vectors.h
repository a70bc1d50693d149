/* SPDX-License-Identifier: Apache-2.0 */

/* The instructions of conv_tile.inc.c's tiles of inner products: written out and in this order, for 28 sums, two
 * vectors of weights and two of a pair fill the registers, and GCC 12 would sum elsewhere than in them. The including
 * file sets CONV_PAIRS, CONV_ADD_INSTRUCTION and CONV_MULTIPLY_INSTRUCTION. */
#ifndef POMONA_KERNELS_AVX512_PAIR_VECTORS_H
#define POMONA_KERNELS_AVX512_PAIR_VECTORS_H

#include "kernels/simd.h"

ALWAYS_INLINE vf multiply_add_from(vf sum, const float *from, vf weight) {
    __asm__ volatile(CONV_MULTIPLY_INSTRUCTION " %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(weight), "m"(*from));
    return sum;
}

ALWAYS_INLINE vf multiply_pair(vf sum, const float *from, vf weight, vf partner) {
    vf a, b;
    __asm__ volatile(CONV_ADD_INSTRUCTION " %5%{1to16%}, %4, %1\n\t" CONV_ADD_INSTRUCTION
                                          " %6%{1to16%}, %3, %2\n\t" CONV_MULTIPLY_INSTRUCTION " %1, %2, %0"
                     : "+v"(sum), "=&v"(a), "=&v"(b)
                     : "v"(weight), "v"(partner), "m"(*from), "m"(from[CONV_PAIRS]));
    return sum;
}

#define CONV_MULTIPLY_PAIR multiply_pair
#define CONV_MULTIPLY_ADD_FROM multiply_add_from

#endif
