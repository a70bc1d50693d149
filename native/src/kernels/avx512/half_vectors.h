/* SPDX-License-Identifier: Apache-2.0 */

/* The half full last vector of conv_tile.inc.c's tiles, of half a block and of a block and a half. AMD's Zen 4
 * multiplies half a vector in half the time. The including file sets CONV_HALF_INSTRUCTION. */
#ifndef POMONA_KERNELS_AVX512_HALF_VECTORS_H
#define POMONA_KERNELS_AVX512_HALF_VECTORS_H

#include "kernels/simd.h"

/* The upper lanes of `sum` become zero. Written out, with the broadcast as an operand: one beside it costs Zen 4 a
 * third of a multiplication, and GCC 12 moves sums of two widths about. */
ALWAYS_INLINE vf half_multiply_add(vf sum, const float *from, vf weight) {
    __asm__(CONV_HALF_INSTRUCTION " %2%{1to8%}, %t1, %t0" : "+v"(sum) : "v"(weight), "m"(*from));
    return sum;
}

#define CONV_HALF_LOAD(from) ((vf)_mm512_zextps256_ps512(_mm256_loadu_ps(from)))
#define CONV_HALF_MULTIPLY_ADD half_multiply_add

#endif
