/* SPDX-License-Identifier: Apache-2.0 */

/* What tiles of inner products in fp32 add and multiply by, and the own products of lines. */
#ifndef POMONA_KERNELS_AVX512_INNER_VECTORS_H
#define POMONA_KERNELS_AVX512_INNER_VECTORS_H

#include "kernels/inner.h"
#include "kernels/simd.h"

#define CONV_PAIRS PM_INNER_PAIRS
#define CONV_ADD_INSTRUCTION "vaddps"
#define CONV_MULTIPLY_INSTRUCTION "vfmadd231ps"
#include "kernels/avx512/pair_vectors.h"

ALWAYS_INLINE vf add_from(vf sum, const float *from) {
    __asm__ volatile(CONV_ADD_INSTRUCTION " %1%{1to16%}, %0, %0" : "+v"(sum) : "m"(*from));
    return sum;
}

/* Products of a line's pairs; zeros in the lanes behind them. */
ALWAYS_INLINE __m256 own_products(const float *line) {
    const __mmask8 pairs = (1 << PM_INNER_PAIRS) - 1;
    return _mm256_maskz_mul_ps(pairs, _mm256_loadu_ps(line), _mm256_loadu_ps(line + PM_INNER_PAIRS));
}

/* Four lines at a time, behind the last one that one again. */
static void own_avx512(float *own, const float *lines, ptrdiff_t count) {
    for (ptrdiff_t l = 0; l < count; l += 4) {
        __m256 products[4];
        UNROLL for (ptrdiff_t i = 0; i < 4; i++) products[i] =
            own_products(lines + (l + i < count ? l + i : count - 1) * PM_BLOCK);
        const __m256 sums =
            _mm256_hadd_ps(_mm256_hadd_ps(products[0], products[1]), _mm256_hadd_ps(products[2], products[3]));
        const __m128 all = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
        const __mmask8 there = (__mmask8)(count - l < 4 ? (1 << (count - l)) - 1 : 15);
        _mm_mask_storeu_ps(own + l, there, _mm_sub_ps(_mm_setzero_ps(), all));
    }
}

#define CONV_ADD_OWN add_from

#endif
