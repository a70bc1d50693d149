/* SPDX-License-Identifier: Apache-2.0 */

/* What AVX512_BF16's kernels do with vectors of pairs and of couples (bf16.h). */
#ifndef POMONA_KERNELS_COUPLES_H
#define POMONA_KERNELS_COUPLES_H

#include "kernels/simd.h"

ALWAYS_INLINE vf multiply_add_pairs(vf sum, vf a, vf b) {
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

/* Two pixels of 16 channels, rounded. */
ALWAYS_INLINE vf couple(vf even, vf odd) {
    static const uint16_t turns[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                     8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even);
    return (vf)_mm512_permutexvar_epi16(_mm512_loadu_si512(turns), both);
}

/* Sixteen channels, rounded to their half of a pixel of pairs. */
ALWAYS_INLINE void store_half(float *half, vf value) {
    _mm256_storeu_si256((__m256i *)half, (__m256i)_mm512_cvtneps_pbh((__m512)value));
}

#endif
