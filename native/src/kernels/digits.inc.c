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

/* high x 2^PM_DIGIT_BITS + low, rounded once but for 2^-24 of `low`: what `high` as a float leaves of it joins `low`,
 * still in whole numbers. */
static inline vf digits_join(digits_vector low, digits_vector high) {
    const vf unit = VSET((float)(1 << PM_DIGIT_BITS)), upper = (vf)DIGITS(cvtepi32_ps)(high);
    digits_vector left = DIGITS(sub_epi32)(high, DIGITS(cvtps_epi32)(upper));
    digits_vector lower = DIGITS(add_epi32)(low, DIGITS(slli_epi32)(left, PM_DIGIT_BITS));
    return VFMA(upper, unit, (vf)DIGITS(cvtepi32_ps)(lower));
}

#define CONV_BROADCAST VREPEAT
#define CONV_MULTIPLY_ADD(sum, x, weight)                                                                              \
    ((vf)DIGITS_MULTIPLY_ADD((digits_vector)(sum), (digits_vector)(x), (digits_vector)(weight)))
#define CONV_PART(sum) (sum)
#define CONV_JOIN(total, sum) digits_join((digits_vector)(total), (digits_vector)(sum))
#define CONV_ALONE(sum) ((vf)DIGITS(cvtepi32_ps)((digits_vector)(sum)))
#define CONV_HAS_BLOCKS 0
#include "kernels/conv_tile.inc.c"
