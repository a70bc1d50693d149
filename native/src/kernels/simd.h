/* SPDX-License-Identifier: Apache-2.0 */

/* One vector of PM_VL floats, by GCC's vector extensions; the including file sets PM_VL and is compiled with the
 * instructions of its level. Contraction to FMA is on in kernel files (see native/CMakeLists.txt). */
#ifndef POMONA_KERNELS_SIMD_H
#define POMONA_KERNELS_SIMD_H

#if defined(__aarch64__)
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif
#include <math.h>

#include "kernels/kernels.h"

typedef float vf __attribute__((vector_size(PM_VL * 4), aligned(4), may_alias));

/* The bits of its numbers, and the same where sums wrap round. */
typedef int32_t vbits __attribute__((vector_size(PM_VL * 4), may_alias));
typedef uint32_t vwords __attribute__((vector_size(PM_VL * 4), may_alias));

/* The bits of one. */
typedef int32_t vlane __attribute__((may_alias));

/* As many doubles as fit a vector: half as many lanes. Converted by intrinsics: GCC 12 takes __builtin_convertvector
 * apart. */
typedef double vd __attribute__((vector_size(PM_VL * 4), may_alias));

#if PM_VL == 16
#define VMAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define VMIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define VFMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define VSCALE(v, power) ((vf)_mm512_scalef_ps((__m512)(v), (__m512)(power)))
#define VSCALE_SOME VSCALE
#define VPICK(table, which) ((vbits)_mm512_permutexvar_epi32((__m512i)(which), (__m512i)(table)))
#define VDROP(v, x, least)                                                                                             \
    ((vf)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)(x), (__m512)(least), _CMP_NLT_UQ), (__m512)(v)))
#define VREPEAT(p) ((vf)_mm512_set1_epi32(*(const vlane *)(p)))
#define VJOIN(p, q) ((vf)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(q), 1))
#define DCHOOSE(a, b, which) ((vd)_mm512_##which##_pd((__m512d)(a), (__m512d)(b)))
#define DLOAD(p) ((vd)_mm512_cvtps_pd(_mm256_loadu_ps(p)))
#define DSTORE(p, v) _mm256_storeu_ps(p, _mm512_cvtpd_ps((__m512d)(v)))
#elif PM_VL == 8
#define VMAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define VMIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define VFMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define VREPEAT(p) ((vf)_mm256_set1_epi32(*(const vlane *)(p)))
#define VWHOLE(v) ((vbits)_mm256_cvtps_epi32((__m256)(v)))
#define VPICK(table, which) ((vbits)_mm256_permutevar8x32_epi32((__m256i)(table), (__m256i)(which)))
#define DCHOOSE(a, b, which) ((vd)_mm256_##which##_pd((__m256d)(a), (__m256d)(b)))
#define DLOAD(p) ((vd)_mm256_cvtps_pd(_mm_loadu_ps(p)))
#define DSTORE(p, v) _mm_storeu_ps(p, _mm256_cvtpd_ps((__m256d)(v)))
#elif PM_VL == 4
#define VMAX(a, b) ((vf)vmaxq_f32((float32x4_t)(a), (float32x4_t)(b)))
#define VMIN(a, b) ((vf)vminq_f32((float32x4_t)(a), (float32x4_t)(b)))
#define VFMA(a, b, c) ((vf)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define VWHOLE(v) ((vbits)vcvtnq_s32_f32((float32x4_t)(v)))
#define DCHOOSE(a, b, which) ((vd)v##which##q_f64((float64x2_t)(a), (float64x2_t)(b)))
#define DLOAD(p) ((vd)vcvt_f64_f32(vld1_f32(p)))
#define DSTORE(p, v) vst1_f32(p, vcvt_f32_f64((float64x2_t)(v)))
#endif

#define DSET(x) ((double)(x) - (vd){0})
#define DMAX(a, b) DCHOOSE(a, b, max)
#define DMIN(a, b) DCHOOSE(a, b, min)
#define DCLAMP(v, low, high) DMIN(high, DMAX(low, v))

/* VREPEAT: the bits at p, of a float or of a pair in its room, in every lane.
 * VJOIN: the 8 numbers at p, then those at q.
 * VPICK: of the numbers of a table, as many as a vector has, each lane takes that of its lowest bits. */
#define VLOAD(p) (*(const vf *)(p))
#define VSTORE(p, v) (*(vf *)(p) = (v))
#define VSET(x) ((x) - (vf){0})
/* On x86 the second operand is the result when one is NaN, on ARM the NaN: it stays. */
#define VCLAMP(v, low, high) VMIN(high, VMAX(low, v))

#define PM_PRAGMA(text) _Pragma(#text)
#define UNROLL PM_PRAGMA(GCC unroll 32)
#define ROWS_UNROLLED PM_PRAGMA(GCC unroll 5) /* of windows up to 5x5 whole */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* A vector register, for asm. */
#if defined(__aarch64__)
#define IN_REGISTER "w"
#else
#define IN_REGISTER "v"
#endif

#if PM_VL < 16
/* 0 where x < least */
#define VDROP(v, x, least) ((vf)((vbits)(v) & ~(vbits)((x) < (least))))
#define VSCALE(v, power) pm_scale(v, power)
#define VSCALE_SOME(v, power) pm_scale_some(v, power)

/* v x 2^power, -126 <= power <= 127 */
ALWAYS_INLINE vf pm_scale_some(vf v, vf power) { return v * (vf)(VWHOLE(power + 127.0f) << 23); }

/* v x 2^power in two steps, since 2^power alone may be out of range; -252 <= power <= 252. */
ALWAYS_INLINE vf pm_scale(vf v, vf power) {
    vbits whole = VWHOLE(power), half = whole >> 1;
    return v * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
}
#endif

/* Vectors in one 16-channel block. */
#define PM_VB (PM_BLOCK / PM_VL)

/* Lanes of a vector of doubles, and such vectors in one block. */
#define PM_DL (PM_VL / 2)
#define PM_DB (PM_BLOCK / PM_DL)

#endif
