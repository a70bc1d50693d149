/* SPDX-License-Identifier: Apache-2.0
 *
 * One vector of PM_VL floats, by GCC's vector extensions; the including file sets PM_VL and is compiled with the
 * instructions of its level. Contraction to FMA is on in kernel files (see native/CMakeLists.txt). */
#ifndef POMONA_KERNELS_SIMD_H
#define POMONA_KERNELS_SIMD_H

#include <math.h>

#include "kernels/kernels.h"

typedef float vf __attribute__((vector_size(PM_VL * 4), aligned(4), may_alias));

#if PM_VL == 16
#include <immintrin.h>
#define VMAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define VMIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#elif PM_VL == 8
#include <immintrin.h>
#define VMAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define VMIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#endif

#define VLOAD(p) (*(const vf *)(p))
#define VSTORE(p, v) (*(vf *)(p) = (v))
#define VSET(x) ((x) - (vf){0})
#define VCLAMP(v, low, high) VMIN(VMAX(v, low), high)

#define PM_PRAGMA(text) _Pragma(#text)
#define UNROLL PM_PRAGMA(GCC unroll 32)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Vectors in one 16-channel block. */
#define PM_VB (PM_BLOCK / PM_VL)

#endif
