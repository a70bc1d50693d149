/* SPDX-License-Identifier: Apache-2.0 */

/* The resize on vectors of PM_VL 32-bit sums. vpmaddwd multiplies 16-bit numbers and adds neighbours, so pixels are
 * widened to pairs (tap t, tap t + 1), and the low and high halves of the weights are summed apart: they recombine
 * modulo 2^32 to exactly the sum of the portable kernel. */
#include <string.h>

#include "kernels/simd.h"
#include "kernels/windows.h"

#define ONE_HALF (1 << (PM_WEIGHT_BITS - 1))

/* Pixels that fill a vector: two a 128-bit lane, as r0 r1 g0 g1 b0 b1 0 0. */
#define PIXELS (PM_VL / 2)

#if PM_VL == 16
typedef __m512i vi;
typedef __m512i_u vi_unaligned;
#define VI(operation) _mm512_##operation
#define VI_ZERO _mm512_setzero_si512()
/* Doubleword k of the low ones to the whole lane k. */
#define SPREAD(weights)                                                                                                \
    _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3),                        \
                             _mm512_castsi128_si512(weights))
#define LOAD_WEIGHTS(pointer) _mm_loadu_si128((const void *)(pointer))
#else
typedef __m256i vi;
typedef __m256i_u vi_unaligned;
#define VI(operation) _mm256_##operation
#define VI_ZERO _mm256_setzero_si256()
#define SPREAD(weights)                                                                                                \
    _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(weights), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1))
#define LOAD_WEIGHTS(pointer) _mm_loadu_si64(pointer)
#endif

#define VI_LOAD(pointer) (*(const vi_unaligned *)(pointer))
#define VI_STORE(pointer, value) (*(vi_unaligned *)(pointer) = (value))

/* ---- across: one output pixel a vector of sums, four at a time to the end ---- */

/* Where the 6 bytes of a lane's two pixels begin in it, they are spread to r0 r1 g0 g1 b0 b1 0 0. */
#define TWO_PIXELS(at) at, -1, at + 3, -1, at + 1, -1, at + 4, -1, at + 2, -1, at + 5, -1, -1, -1, -1, -1

#if PM_VL == 16
/* Lane k takes bytes 6k to 6k + 5: from doubleword 0, 1 (its upper half), 3, 4 (upper half) on. */
ALWAYS_INLINE vi load_pixels(const uint8_t *rgb) {
    const vi doublewords = _mm512_setr_epi32(0, 1, 1, 1, 1, 2, 2, 2, 3, 4, 4, 4, 4, 5, 5, 5);
    static const int8_t places[64] = {TWO_PIXELS(0), TWO_PIXELS(2), TWO_PIXELS(0), TWO_PIXELS(2)};
    const vi bytes = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)rgb));
    return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(doublewords, bytes), VI_LOAD(places));
}

/* The lanes of two windows added up to two each. */
ALWAYS_INLINE vi fold(vi a, vi b) {
    return _mm512_add_epi32(_mm512_shuffle_i64x2(a, b, 0x44), _mm512_shuffle_i64x2(a, b, 0xEE));
}

/* Four folded windows added up, shifted and clipped: 4 x 3 bytes and 4 of no meaning. */
ALWAYS_INLINE __m128i narrow(vi ab, vi cd) {
    const vi sum = _mm512_add_epi32(_mm512_shuffle_i64x2(ab, cd, 0x88), _mm512_shuffle_i64x2(ab, cd, 0xDD));
    const vi whole = _mm512_srai_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(ONE_HALF)), PM_WEIGHT_BITS);
    const __m128i rgbx = _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, VI_ZERO));
    return _mm_shuffle_epi8(rgbx, _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
}

/* Halves of the weights of two windows of four taps, as SPREAD does for one of eight. */
ALWAYS_INLINE vi spread_two(const int16_t *a, const int16_t *b) {
    const __m128i both = _mm_unpacklo_epi64(_mm_loadu_si64(a), _mm_loadu_si64(b));
    return SPREAD(both);
}

/* Windows of four taps, as of bicubic where an image grows, two a vector: folded as they are. */
ALWAYS_INLINE vi two_short_windows(const uint8_t *rgb, const struct pm_windows *windows, uint32_t a, uint32_t b) {
    static const int8_t places[64] = {TWO_PIXELS(0), TWO_PIXELS(6), TWO_PIXELS(0), TWO_PIXELS(6)};
    const void *from_a = rgb + 3 * (size_t)windows->first[a], *from_b = rgb + 3 * (size_t)windows->first[b];
    const vi lower = _mm512_castsi256_si512(_mm256_broadcastsi128_si256(_mm_loadu_si128(from_a)));
    const vi bytes = _mm512_inserti64x4(lower, _mm256_broadcastsi128_si256(_mm_loadu_si128(from_b)), 1);
    const vi pairs = _mm512_shuffle_epi8(bytes, VI_LOAD(places));
    const int16_t *of_a = pm_window_weights(windows, a), *of_b = pm_window_weights(windows, b);
    const vi high = _mm512_madd_epi16(pairs, spread_two(of_a + PM_WEIGHT_GROUP, of_b + PM_WEIGHT_GROUP));
    return _mm512_add_epi32(_mm512_madd_epi16(pairs, spread_two(of_a, of_b)), _mm512_slli_epi32(high, 16));
}

ALWAYS_INLINE __m128i four_short_windows(const uint8_t *rgb, const struct pm_windows *windows, const uint32_t *which) {
    return narrow(two_short_windows(rgb, windows, which[0], which[1]),
                  two_short_windows(rgb, windows, which[2], which[3]));
}
#else
ALWAYS_INLINE vi load_pixels(const uint8_t *rgb) {
    static const int8_t places[32] = {TWO_PIXELS(0), TWO_PIXELS(6)};
    const vi bytes = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)rgb));
    return _mm256_shuffle_epi8(bytes, VI_LOAD(places));
}

ALWAYS_INLINE vi fold(vi a, vi b) {
    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

ALWAYS_INLINE vi whole_pixels(vi sum) {
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(ONE_HALF)), PM_WEIGHT_BITS);
}

ALWAYS_INLINE __m128i narrow(vi ab, vi cd) {
    const vi words = _mm256_packs_epi32(whole_pixels(ab), whole_pixels(cd)); /* a c, b d */
    const __m128i rgbx = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return _mm_shuffle_epi8(rgbx, _mm_setr_epi8(0, 1, 2, 8, 9, 10, 4, 5, 6, 12, 13, 14, -1, -1, -1, -1));
}

#define four_short_windows four_windows /* a vector is four taps long */
#endif

/* Every window takes as many steps as the widest, with zero weights: a number of steps that varies would be guessed
 * wrong by the CPU at most windows. */
ALWAYS_INLINE __m128i four_windows(const uint8_t *rgb, const struct pm_windows *windows, const uint32_t *which) {
    vi low[4], high[4];
    UNROLL for (int k = 0; k < 4; k++) low[k] = high[k] = VI_ZERO;
    for (uint32_t t = 0; t < windows->widest; t += PIXELS) {
        UNROLL for (int k = 0; k < 4; k++) {
            const vi pairs = load_pixels(rgb + 3 * ((size_t)windows->first[which[k]] + t));
            const int16_t *half = pm_window_weights(windows, which[k]) + pm_weight_place(t);
            low[k] = VI(add_epi32)(low[k], VI(madd_epi16)(pairs, SPREAD(LOAD_WEIGHTS(half))));
            high[k] = VI(add_epi32)(high[k], VI(madd_epi16)(pairs, SPREAD(LOAD_WEIGHTS(half + PM_WEIGHT_GROUP))));
        }
    }
    UNROLL for (int k = 0; k < 4; k++) low[k] = VI(add_epi32)(low[k], VI(slli_epi32)(high[k], 16));
    return narrow(fold(low[0], low[1]), fold(low[2], low[3]));
}

static void horizontal(const uint8_t *rgb, const struct pm_windows *windows, uint8_t *out) {
    const uint32_t last = windows->count - 1;
    for (uint32_t i = 0; i <= last; i += 4) {
        uint32_t which[4];
        UNROLL for (uint32_t k = 0; k < 4; k++) which[k] = i + k < last ? i + k : last;
        const __m128i pixels = windows->widest == PM_WIDEST_STEP ? four_short_windows(rgb, windows, which)
                                                                 : four_windows(rgb, windows, which);
        _mm_storeu_si128((void *)(out + 3 * (size_t)i), pixels);
    }
}

/* ---- down: a vector of columns at a time, its 8-bit pixels in four vectors of sums ---- */

struct columns {
    vi low[4], high[4];
};

/* Two rows under two taps. Unpacking takes each 128-bit lane apart; packing puts it together again. */
ALWAYS_INLINE void add_rows(struct columns *sums, vi first, vi second, vi low, vi high) {
    const vi bytes[2] = {VI(unpacklo_epi8)(first, second), VI(unpackhi_epi8)(first, second)};
    UNROLL for (int k = 0; k < 4; k++) {
        const vi pairs = k % 2 ? VI(unpackhi_epi8)(bytes[k / 2], VI_ZERO) : VI(unpacklo_epi8)(bytes[k / 2], VI_ZERO);
        sums->low[k] = VI(add_epi32)(sums->low[k], VI(madd_epi16)(pairs, low));
        sums->high[k] = VI(add_epi32)(sums->high[k], VI(madd_epi16)(pairs, high));
    }
}

ALWAYS_INLINE vi pack(const struct columns *sums) {
    vi whole[4];
    UNROLL for (int k = 0; k < 4; k++) {
        const vi sum = VI(add_epi32)(sums->low[k], VI(slli_epi32)(sums->high[k], 16));
        whole[k] = VI(srai_epi32)(sum, PM_WEIGHT_BITS);
    }
    return VI(packus_epi16)(VI(packs_epi32)(whole[0], whole[1]), VI(packs_epi32)(whole[2], whole[3]));
}

/* A pair of int16 in every 32-bit lane. */
ALWAYS_INLINE vi broadcast(const int16_t *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return VI(set1_epi32)(both);
}

static void vertical(const uint8_t *const *rows, const int16_t *weights, uint32_t taps, size_t length, uint8_t *out) {
    for (size_t at = 0; at < length; at += sizeof(vi)) {
        struct columns sums;
        UNROLL for (int k = 0; k < 4; k++) {
            sums.low[k] = VI(set1_epi32)(ONE_HALF);
            sums.high[k] = VI_ZERO;
        }
        for (uint32_t t = 0; t < taps; t += 2) {
            const int16_t *low = weights + pm_weight_place(t);
            const uint8_t *second = rows[t + 1 < taps ? t + 1 : t]; /* an odd one out has weight 0 */
            add_rows(&sums, VI_LOAD(rows[t] + at), VI_LOAD(second + at), broadcast(low),
                     broadcast(low + PM_WEIGHT_GROUP));
        }
        VI_STORE(out + at, pack(&sums));
    }
}
