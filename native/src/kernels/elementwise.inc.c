/* SPDX-License-Identifier: Apache-2.0 */

/* Loops over whole blocks, left to the compiler's vectoriser at the level of the including file. The includer sets
 * PM_VL. */
#include "kernels/simd.h"

static void add(float *out, const float *a, const float *b, ptrdiff_t count, float low, float high) {
    const vf lowest = VSET(low), highest = VSET(high);
    for (ptrdiff_t i = 0; i < count; i += PM_VL) VSTORE(out + i, VCLAMP(VLOAD(a + i) + VLOAD(b + i), lowest, highest));
}

static void subtract(float *out, const float *a, const float *b, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i += PM_VL) VSTORE(out + i, VLOAD(a + i) - VLOAD(b + i));
}

static void multiply(float *out, const float *a, const float *b, ptrdiff_t count, float low, float high) {
    const vf lowest = VSET(low), highest = VSET(high);
    for (ptrdiff_t i = 0; i < count; i += PM_VL) VSTORE(out + i, VCLAMP(VLOAD(a + i) * VLOAD(b + i), lowest, highest));
}

static void affine(float *out, const float *in, const float *scale, const float *shift, ptrdiff_t pixels, float low,
                   float high) {
    const vf lowest = VSET(low), highest = VSET(high);
    for (ptrdiff_t i = 0; i < pixels * PM_BLOCK; i += PM_VL) {
        const ptrdiff_t c = i % PM_BLOCK;
        VSTORE(out + i, VCLAMP(VLOAD(in + i) * VLOAD(scale + c) + VLOAD(shift + c), lowest, highest));
    }
}

/* A row may be half of a vector of the widest level. */
typedef float narrow_vector __attribute__((vector_size(32), aligned(4), may_alias));

static void scale_rows(float *out, const float *in, const float *factors, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t i = r * width; i < (r + 1) * width; i += 8)
            *(narrow_vector *)(out + i) = *(const narrow_vector *)(in + i) * factors[r];
}

/* Four sums, since each addition would wait for the one before. */
static void sum(float *total, const float *in, ptrdiff_t pixels) {
    for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
        const float *from = in + c, *end = from + pixels * PM_BLOCK;
        vf sums[4] = {VLOAD(total + c)};
        for (; end - from >= 4 * PM_BLOCK; from += 4 * PM_BLOCK)
            UNROLL for (int i = 0; i < 4; i++) sums[i] += VLOAD(from + i * PM_BLOCK);
        for (; end - from > 0; from += PM_BLOCK) sums[0] += VLOAD(from);
        VSTORE(total + c, (sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
}

static void maximum(float *greatest, const float *in, ptrdiff_t pixels) {
    for (ptrdiff_t c = 0; c < PM_BLOCK; c += PM_VL) {
        vf value = VLOAD(greatest + c);
        for (ptrdiff_t p = 0; p < pixels; p++) value = VMAX(value, VLOAD(in + p * PM_BLOCK + c));
        VSTORE(greatest + c, value);
    }
}

/* Independent chains that hide an FMA's latency of 4-5 cycles at two a cycle, or of 4 at four of NEON's. */
#define PEAK_CHAINS (PM_VL == 4 ? 16 : 12)

static double peak(uint64_t rounds) {
    vf chain[PEAK_CHAINS];
    vf factor = VSET(0.999f), term = VSET(1e-3f);
    UNROLL for (int i = 0; i < PEAK_CHAINS; i++) chain[i] = VSET((float)i);
    for (uint64_t r = 0; r < rounds; r++) {
        UNROLL for (int i = 0; i < PEAK_CHAINS; i++) chain[i] = chain[i] * factor + term;
        __asm__ volatile("" : "+" IN_REGISTER(factor));
    }
    UNROLL for (int i = 0; i < PEAK_CHAINS; i++) __asm__ volatile("" : : IN_REGISTER(chain[i]));
    return (double)rounds * PEAK_CHAINS * PM_VL;
}
