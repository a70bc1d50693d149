/* SPDX-License-Identifier: Apache-2.0 */

/* AVX512_BF16: one instruction multiplies 16 pairs and adds them to 16 sums. AMD's Zen 4 does as many of them a cycle
 * as of fp32; Intel's cores half as many, which gains nothing over fp32. */
#define PM_VL 16
#include "kernels/bf16.h"
#include "kernels/couples.h"
#include "kernels/fixed.h"

#define CONV_BROADCAST VREPEAT
#define CONV_MULTIPLY_ADD(sum, x, weight) multiply_add_pairs(sum, weight, x)
#define CONV_COUPLE couple
#define DEPTHWISE_STORE store_half
#define CONV_HALF_INSTRUCTION "vdpbf16ps"

#include "kernels/avx512/half_vectors.h"
#include "kernels/conv_tile.inc.c"

UP_TO_14(CONV_KERNEL, 2, 16)
UP_TO_14(CONV_KERNEL, 2, 32)
UP_TO_14(CONV_KERNEL, 2, 0)
UP_TO_14(CONV_KERNEL, 1, 16)
UP_TO_14(CONV_KERNEL, 1, 32)
UP_TO_14(CONV_KERNEL, 1, 0)

UP_TO_22(CONV_HALF_KERNEL, 0)
static const struct pm_conv_tiling half_tiling = CONV_HALF_TILING(22, "conv_bf16_22x8_s1_avx512");

UP_TO_14(CONV_BROAD_HALF_KERNEL, 0)
static const struct pm_conv_tiling broad_half_tiling = CONV_BROAD_HALF_TILING(14, "conv_bf16_14x24_s1_avx512");

/* Sixteen numbers of bf16 as floats. */
static __m512 widened(__m256i numbers) { return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(numbers), 16); }

/* One block of channels on its way: those of the mask are there. */
struct lane_change {
    __mmask16 read;
    __m512 scale, shift, low, high;
};

static struct lane_change change_of(const struct pm_bf16_pixels *p, int block) {
    const struct pm_bf16_change *c = &p->change;
    struct lane_change change = {.read = (__mmask16)(UINT32_MAX >> (2 * PM_BLOCK - p->channels) >> block * PM_BLOCK)};
    if (c->scale) change.scale = _mm512_maskz_loadu_ps(change.read, c->scale + block * c->block);
    if (c->shift) change.shift = _mm512_maskz_loadu_ps(change.read, c->shift + block * c->block);
    change.low = _mm512_set1_ps(c->low);
    change.high = _mm512_set1_ps(c->high);
    return change;
}

ALWAYS_INLINE __m512 changed(const struct lane_change *c, const float *from, const int changes) {
    __m512 value = _mm512_maskz_loadu_ps(c->read, from);
    if (!changes) return value;
    value = _mm512_max_ps(c->low, _mm512_fmadd_ps(value, c->scale, c->shift));
    return _mm512_maskz_min_ps(c->read, c->high, value);
}

/* `changes` and `slices`, 0 for any number, are constants after inlining. */
ALWAYS_INLINE void narrow(const struct pm_bf16_pixels *p, const int changes, const int slices) {
    const struct lane_change below = change_of(p, 0), above = change_of(p, 1);
    const float *from = p->from;
    for (ptrdiff_t i = 0; i < p->pixels * PM_BLOCK; i += PM_BLOCK, from += p->step) {
        __m512 lower = changed(&below, from, changes), upper = changed(&above, from + p->block, changes);
        for (int slice = 0; slice < (slices ? slices : p->slices); slice++) {
            __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(upper, lower);
            _mm512_storeu_si512(p->pairs + slice * p->slice + i, pairs);
            lower -= widened(_mm512_castsi512_si256(pairs));
            upper -= widened(_mm512_extracti64x4_epi64(pairs, 1));
        }
    }
}

void pm_bf16_narrow_avx512(const struct pm_bf16_pixels *p) {
    if (p->change.scale && p->slices == 1) narrow(p, 1, 1);
    else if (p->change.scale) narrow(p, 1, 0);
    else if (p->slices == 1) narrow(p, 0, 1);
    else narrow(p, 0, 0);
}

void pm_bf16_narrow_half_avx512(float *half, const float *from, ptrdiff_t pixels) {
    for (ptrdiff_t i = 0; i < pixels * PM_BLOCK; i += PM_BLOCK) store_half(half + i, VLOAD(from + i));
}

void pm_bf16_couple_row_avx512(float *couples, const float *from, ptrdiff_t pixels, float low, float high) {
    const vf lows = VSET(low), highs = VSET(high);
    ptrdiff_t i = 0;
    for (; i + 2 <= pixels; i += 2, couples += PM_BLOCK) {
        const vf even = VLOAD(from + i * PM_BLOCK), odd = VLOAD(from + (i + 1) * PM_BLOCK);
        VSTORE(couples, couple(VCLAMP(even, lows, highs), VCLAMP(odd, lows, highs)));
    }
    if (i < pixels) VSTORE(couples, couple(VCLAMP(VLOAD(from + i * PM_BLOCK), lows, highs), (vf){0}));
}

#include "kernels/depthwise.h"

const struct pm_depthwise_variant pm_bf16_depthwise_avx512[] = {
    DEPTHWISE_7X7("avx512", "pairs"), DEPTHWISE_VARIANTS("avx512", PM_SUMS_FP32, f32, "pairs")};

const struct pm_bf16_kernels pm_bf16_kernels_avx512 = {
    .name = "avx512",
    .conv = {CONV_TILING(14, 2, 16, "conv_bf16_14x32_s1_avx512"), CONV_TILING(14, 2, 32, "conv_bf16_14x32_s2_avx512"),
             CONV_TILING(14, 2, 0, "conv_bf16_14x32_avx512"), CONV_TILING(14, 1, 16, "conv_bf16_14x16_s1_avx512"),
             CONV_TILING(14, 1, 32, "conv_bf16_14x16_s2_avx512"), CONV_TILING(14, 1, 0, "conv_bf16_14x16_avx512")},
    .half = &half_tiling,
    .broad_half = &broad_half_tiling,
    .fixed = &pm_fixed_kernels_avx512,
    .narrow = pm_bf16_narrow_avx512,
    .narrow_half = pm_bf16_narrow_half_avx512,
    .depthwise = pm_bf16_depthwise_avx512,
    .couple_row = pm_bf16_couple_row_avx512,
    .couples = pm_bf16_couples_avx512,
};
