/* SPDX-License-Identifier: Apache-2.0 */

/* Inner products of fixed-point numbers by AVX-512 VNNI (fixed.h). AMD's Zen 4 multiplies 16 pairs of them a cycle and
 * adds 32 meanwhile: a line's 16 products take 11.7 cycles of both units. */
#define PM_VL 16
#include "kernels/couples.h"
#include "kernels/fixed.h"

#define CONV_PAIRS PM_FIXED_PAIRS
#define CONV_ADD_INSTRUCTION "vpaddd"
#define CONV_MULTIPLY_INSTRUCTION "vpdpwssd"
#include "kernels/avx512/pair_vectors.h"

ALWAYS_INLINE vf begin_with(const float *starts, const float *own) {
    return (vf)((vwords)VREPEAT(own) + *(const vwords *)starts);
}

ALWAYS_INLINE vf times_unit(vf sum, const float *unit) { return (vf)_mm512_cvtepi32_ps((__m512i)sum) * *unit; }

#define CONV_BROADCAST VREPEAT
#define CONV_MULTIPLY_ADD(sum, x, weight) ((vf)_mm512_dpwssd_epi32((__m512i)(sum), (__m512i)(x), (__m512i)(weight)))
#define CONV_INNERS_SHORT 1
#define CONV_ADD_OWN(sum, from) ((void)(from), (sum))
#define CONV_BEGIN begin_with
#define CONV_END times_unit
#define CONV_COUPLE couple
#include "kernels/conv_tile.inc.c"

UP_TO_14(CONV_INNER_KERNEL, 2)
UP_TO_14(CONV_INNER_KERNEL, 1)

/* Pixels whose numbers across lanes are reduced together. */
#define TOGETHER 16

/* Lane p of the result is what `join` makes of all lanes of vector p. */
#define JOIN_ACROSS(name, join)                                                                                        \
    ALWAYS_INLINE __m512i name(__m512i *v) {                                                                           \
        UNROLL for (int i = 0; i < 8; i++) v[i] =                                                                      \
            join(_mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]));        \
        UNROLL for (int i = 0; i < 4; i++) v[i] =                                                                      \
            join(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]), _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));        \
        UNROLL for (int of = 2; of > 0; of /= 2) UNROLL for (int i = 0; i < of; i++) v[i] = join(                      \
            _mm512_shuffle_i32x4(v[2 * i], v[2 * i + 1], 0x88), _mm512_shuffle_i32x4(v[2 * i], v[2 * i + 1], 0xdd));   \
        return v[0];                                                                                                   \
    }
JOIN_ACROSS(greatest_across, _mm512_max_epu16)
JOIN_ACROSS(sum_across, _mm512_add_epi32)

/* Of two numbers of 16 bits the magnitudes, the upper and the lower one. */
#define MAGNITUDES 0x7fff7fff
#define UPPER ((int)0xffff0000)
#define LOWER 0xffff

/* Of the channels in a line. */
ALWAYS_INLINE __m512i load_line(const float *line, __mmask16 lanes) { return _mm512_maskz_loadu_epi32(lanes, line); }

/* For each of the first `pixels` of TOGETHER, whose number may be a constant. */
#define EACH_PIXEL UNROLL for (ptrdiff_t p = 0; p < TOGETHER; p++) if (p < pixels)

/* Of so many pixels; 0 in the lanes behind them. */
ALWAYS_INLINE __m512 greatest_of(const struct pm_fixed_lines *l, const float *line, const ptrdiff_t pixels) {
    __m512i most[TOGETHER];
    UNROLL for (ptrdiff_t p = 0; p < TOGETHER; p++) most[p] = _mm512_setzero_si512();
    for (ptrdiff_t b = 0; b < l->blocks; b++, line += l->block) {
        const __m512i magnitudes = _mm512_set1_epi32(MAGNITUDES);
        EACH_PIXEL most[p] =
            _mm512_max_epu16(most[p], _mm512_and_si512(load_line(line + p * PM_BLOCK, l->lanes[b]), magnitudes));
    }
    const __m512i pairs = greatest_across(most);
    return (__m512)_mm512_slli_epi32(_mm512_max_epu16(pairs, _mm512_srli_epi32(pairs, 16)), 16);
}

/* Added to a float below 2^15, it leaves the nearest whole number in the lower bits. */
#define WHOLE 0x1.8p23f
#define LOWER_OR_OTHER 0xec /* (a & c) | b */

ALWAYS_INLINE __m512i fix_line(__m512i pairs, __m512 factor) {
    const __m512 even = (__m512)_mm512_slli_epi32(pairs, 16),
                 odd = (__m512)_mm512_and_si512(pairs, _mm512_set1_epi32(UPPER));
    const __m512i lower = (__m512i)_mm512_fmadd_ps(even, factor, _mm512_set1_ps(WHOLE + PM_FIXED_BIAS)),
                  upper = (__m512i)_mm512_fmadd_ps(odd, factor, _mm512_set1_ps(WHOLE));
    return _mm512_ternarylogic_epi32(lower, _mm512_slli_epi32(upper, 16), _mm512_set1_epi32(LOWER), LOWER_OR_OTHER);
}

/* The lines of so many pixels, multiplied by their factors. Returns the sums of their pairs. */
ALWAYS_INLINE __m512i fix_lines(const struct pm_fixed_lines *l, float *line, const float *factors,
                                const ptrdiff_t pixels) {
    const __mmask16 partnered = (1 << 2 * PM_FIXED_PAIRS) - 1, first = (1 << PM_FIXED_PAIRS) - 1;
    __m512i own[TOGETHER];
    UNROLL for (ptrdiff_t p = 0; p < TOGETHER; p++) own[p] = _mm512_setzero_si512();
    for (ptrdiff_t b = 0; b < l->blocks; b++, line += l->block) {
        const __mmask16 lanes = l->lanes[b], partners = (lanes & partnered) == partnered ? first : 0;
        EACH_PIXEL {
            const __m512i pairs = load_line(line + p * PM_BLOCK, lanes);
            const __m512i numbers = fix_line(pairs, _mm512_set1_ps(factors[p]));
            _mm512_storeu_si512(line + p * PM_BLOCK, numbers);
            _mm_prefetch(line + (p + TOGETHER) * PM_BLOCK, _MM_HINT_T0);
            own[p] = _mm512_dpwssd_epi32(own[p], numbers,
                                         _mm512_maskz_alignr_epi32(partners, numbers, numbers, PM_FIXED_PAIRS));
        }
    }
    return sum_across(own);
}

/* An exponent's field in a float. */
#define FIELD(x) _mm512_set1_epi32((int)((unsigned)(x) << 23))

ALWAYS_INLINE void enter_pixels(const struct pm_fixed_lines *lines, ptrdiff_t first, const ptrdiff_t pixels) {
    const struct pm_fixed_lines l = *lines; /* a store might change what is behind a pointer */
    float *line = l.pairs + first * PM_BLOCK, factors[TOGETHER];
    const __m512 greatest = greatest_of(&l, line, pixels);
    const __m512i least = FIELD(PM_FIXED_BITS); /* whose unit is a normal number */
    const __m512i exponents = _mm512_max_epi32(_mm512_and_si512((__m512i)greatest, FIELD(0xff)), least);
    const __m512 units = (__m512)_mm512_sub_epi32(exponents, FIELD(PM_FIXED_BITS - 1));
    const __mmask16 there = (__mmask16)((1u << pixels) - 1);
    _mm512_storeu_ps(factors, (__m512)_mm512_sub_epi32(FIELD(2 * 127 + PM_FIXED_BITS - 1), exponents));
    const __m512i own = fix_lines(&l, line, factors, pixels);
    _mm512_mask_storeu_epi32(l.own + first, there, _mm512_sub_epi32(_mm512_setzero_si512(), own));
    _mm512_mask_storeu_ps(l.units + first, there, units + (greatest - greatest));
}

static void enter_avx512(const struct pm_fixed_lines *lines) {
    ptrdiff_t first = 0;
    for (; first + TOGETHER <= lines->pixels; first += TOGETHER) enter_pixels(lines, first, TOGETHER);
    if (first < lines->pixels) enter_pixels(lines, first, lines->pixels - first);
}

const struct pm_fixed_kernels pm_fixed_kernels_avx512 = {
    .broad = CONV_INNER_TILING(14, 2, "conv_bf16_fixed_14x32_avx512"),
    .narrow = CONV_INNER_TILING(14, 1, "conv_bf16_fixed_14x16_avx512"),
    .enter = enter_avx512,
};
