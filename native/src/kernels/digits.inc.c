/* SPDX-License-Identifier: Apache-2.0 */

/* Tiles of digits (digits.h). The including file sets PM_VL, and DIGITS_MULTIPLY_ADD where one instruction does it. */
#include <immintrin.h>

#include "kernels/digits.h"
#include "kernels/simd.h"

#if PM_VL == 16
#define DIGITS(name) _mm512_##name
typedef __m512i digits_vector;
#else
#define DIGITS(name) _mm256_##name
typedef __m256i digits_vector;
#endif

#ifndef DIGITS_MULTIPLY_ADD
#define DIGITS_MULTIPLY_ADD(sum, x, weight) DIGITS(add_epi32)(sum, DIGITS(madd_epi16)(x, weight))
#endif

#define DIGITS_KEPT 12 /* bits of a sum of high digits; the others, at most 17, are a float */

/* high x 2^PM_DIGIT_BITS + low, rounded once: the lower bits of `high` join `low`, still in whole numbers. */
static inline vf digits_join(digits_vector low, digits_vector high) {
    const digits_vector half = DIGITS(set1_epi32)(1 << (DIGITS_KEPT - 1));
    digits_vector upper = DIGITS(srai_epi32)(DIGITS(add_epi32)(high, half), DIGITS_KEPT);
    digits_vector kept = DIGITS(sub_epi32)(high, DIGITS(slli_epi32)(upper, DIGITS_KEPT));
    digits_vector lower = DIGITS(add_epi32)(low, DIGITS(slli_epi32)(kept, PM_DIGIT_BITS));
    const vf unit = VSET((float)(1u << (DIGITS_KEPT + PM_DIGIT_BITS)));
    return VFMA((vf)DIGITS(cvtepi32_ps)(upper), unit, (vf)DIGITS(cvtepi32_ps)(lower));
}

#define CONV_BROADCAST VREPEAT
#define CONV_MULTIPLY_ADD(sum, x, weight)                                                                              \
    ((vf)DIGITS_MULTIPLY_ADD((digits_vector)(sum), (digits_vector)(x), (digits_vector)(weight)))
#define CONV_PART(sum) (sum)
#define CONV_JOIN(total, sum) digits_join((digits_vector)(total), (digits_vector)(sum))
#define CONV_ALONE(sum) ((vf)DIGITS(cvtepi32_ps)((digits_vector)(sum)))
#define CONV_HAS_BLOCKS 0
#include "kernels/conv_tile.inc.c"
