/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution tile: `pixels` x `vectors` partial sums stay in registers over partial_segments segments, then join
 * their totals in memory. Weights of a whole network come from the L3 cache or beyond: a tile brings those of the next
 * panel to the L2 cache, a line or two a step, since in bursts they would wait for each other. Registers: the sums +
 * `vectors` of weights; the input is broadcast from memory, one cache line a pixel and block. The shift comes last: a
 * large one at the start would cost every partial sum its low bits.
 *
 * Contract: 1 <= pixels <= PM_CONV_PIXELS_MAX, vectors a multiple of PM_VB, or half of it, and where `halved` the last
 * one counts for its lower half; these and a non-zero distance are constants after inlining. */
#include "kernels/conv_tilings.h"
#include "kernels/inner.h"
#include "kernels/simd.h"

/* What a product is. The including file may set them: a number of the input and of the weights has the size of a float.
 */
#ifndef CONV_MULTIPLY_ADD
#define CONV_BROADCAST(from) VSET(*(from))
#define CONV_MULTIPLY_ADD(sum, x, weight) ((sum) + (x) * (weight))
#endif

/* Whether whole blocks have code of their own; then sums of 16 registers go through memory between segments. */
#ifndef CONV_HAS_BLOCKS
#define CONV_HAS_BLOCKS 1
#endif

/* What a partial sum is to the total, what becomes of the total with the last one, and what of a single one. */
#ifndef CONV_PART
#define CONV_PART(sum) (sum)
#define CONV_JOIN(total, sum) ((sum) + (total))
#define CONV_ALONE(sum) (sum)
#endif

/* Of tiles whose last vector is half full: its numbers, zeros behind them, and its multiplication by the number at
 * `from`. */
#ifndef CONV_HALF_LOAD
#define CONV_HALF_LOAD VLOAD
#define CONV_HALF_MULTIPLY_ADD(sum, from, weight) CONV_MULTIPLY_ADD(sum, CONV_BROADCAST(from), weight)
#endif

/* What the sum of a pixel and vector begins with, and what becomes of it with the pixel's unit (fixed.h). */
#ifndef CONV_BEGIN
#define CONV_BEGIN(starts, own) ((void)(starts), (vf){0})
#define CONV_END(sum, unit) (sum)
#endif

/* Tiles of inner products (inner.h), where the including file sets
 *   CONV_PAIRS                                      of a line: number k < CONV_PAIRS goes with number k + CONV_PAIRS
 *   CONV_ADD_OWN(sum, from)                         sum + the own products of the pixel and block at `from`
 *   CONV_MULTIPLY_ADD_FROM(sum, from, weight)       sum + that x weight
 *   CONV_MULTIPLY_PAIR(sum, from, weight, partner)  sum + (that + partner) x (the number of its partner + weight) */
#ifdef CONV_MULTIPLY_PAIR
#define CONV_INNERS 1
#else
#define CONV_INNERS 0
#define CONV_PAIRS 0
#define conv_inner_line(a, distance, own, ...) ((void)(own))
#endif

/* Whether lines of all pairs that are not full go by inner products, too. */
#ifndef CONV_INNERS_SHORT
#define CONV_INNERS_SHORT 0
#endif

/* Two pixels of a vector of channels as one vector, where tiles can store couples. */
#ifdef CONV_COUPLE
#define CONV_COUPLES 1
#else
#define CONV_COUPLES 0
#define CONV_COUPLE(even, odd) (even)
#endif

#define CONV_VECTORS_MAX 4
#define CONV_LINE 16 /* floats of a cache line */
#define CONV_TO_L2 2 /* localities of a prefetch */
#define CONV_TO_L1 3

/* Maps beyond the L2 cache: broad tiles bring their residual before they multiply, and the pixels of the next one
 * meanwhile, a line a step; which gains nothing where tiles are narrow. */
#define CONV_FETCHES_MAPS (PM_VL == 16)

/* Odd vectors join their totals at other times than even ones: for 28 stores at once multiplications would wait. */
#define CONV_JOINS_APART (PM_VL == 16)

typedef vf conv_sums[PM_CONV_PIXELS_MAX][CONV_VECTORS_MAX];
typedef vf conv_totals[CONV_VECTORS_MAX][PM_CONV_PIXELS_MAX] __attribute__((aligned(PM_VL * sizeof(float))));

#define EACH_SUM UNROLL for (int i = 0; i < pixels; i++) UNROLL for (int j = 0; j < vectors; j++)
#define EACH_SUM_OF(odd) UNROLL for (int j = odd; j < vectors; j += 2) UNROLL for (int i = 0; i < pixels; i++)

/* The value is wanted once more: else GCC 12 gives its register to the sum, which then wanders, or others to memory. */
#define CONV_KEEP(value) __asm__("" : : IN_REGISTER(value))

/* Weights of a step, and the vector j of what lies as they do. */
#define ROW (vectors * PM_VL - halved * PM_VL / 2)
#define IS_HALF(j) (halved && (j) == vectors - 1)
#define LOAD_COLUMN(from, j) conv_load((from) + (j)*PM_VL, IS_HALF(j))

ALWAYS_INLINE vf conv_load(const float *from, const int half) {
    if (half) return CONV_HALF_LOAD(from);
    return VLOAD(from);
}

#define STEP(k)                                                                                                        \
    do {                                                                                                               \
        vf weight[CONV_VECTORS_MAX];                                                                                   \
        __asm__ volatile("" : "+r"(next));                                                                             \
        UNROLL for (int j = 0; j < vectors; j++) weight[j] = LOAD_COLUMN(w + (k)*ROW, j);                              \
        UNROLL for (int j = 0; j + CONV_LINE <= vectors * PM_VL; j += CONV_LINE)                                       \
            __builtin_prefetch(next + (k)*ROW + j, 0, CONV_TO_L2);                                                     \
        UNROLL for (int i = 0; i < pixels; i++) {                                                                      \
            vf x = CONV_BROADCAST(at[i] + (k));                                                                        \
            UNROLL for (int j = 0; j < vectors - halved; j++) sum[i][j] = CONV_MULTIPLY_ADD(sum[i][j], x, weight[j]);  \
            if (vectors - halved > 1) CONV_KEEP(x);                                                                    \
            UNROLL for (int j = vectors - halved; j < vectors; j++) sum[i][j] =                                        \
                CONV_HALF_MULTIPLY_ADD(sum[i][j], at[i] + (k), weight[j]);                                             \
        }                                                                                                              \
        UNROLL for (int j = 0; j < vectors; j++) CONV_KEEP(weight[j]);                                                 \
    } while (0)

#if CONV_INNERS
/* The first `length` numbers of a line by inner products (inner.h). What is multiplied as it is comes between pairs, so
 * that units for additions and for multiplications are busy all along. */
ALWAYS_INLINE void conv_inner_line(const float *a, const ptrdiff_t distance, const float *own, const float *w,
                                   const float *next, const int length, const int pixels, const int vectors,
                                   conv_sums sum) {
    const int pairs = CONV_PAIRS, rest = length - 2 * pairs;
    EACH_SUM sum[i][j] = CONV_ADD_OWN(sum[i][j], own + i * distance / PM_BLOCK);
    UNROLL for (int k = 0; k < pairs; k++) UNROLL for (int j = 0; j < vectors; j++) {
        const vf weight = VLOAD(w + (k * vectors + j) * PM_VL),
                 partner = VLOAD(w + ((k + pairs) * vectors + j) * PM_VL);
        __builtin_prefetch(next + (k * vectors + j) * PM_VL, 0, CONV_TO_L2);
        __builtin_prefetch(next + ((k + pairs) * vectors + j) * PM_VL, 0, CONV_TO_L2);
        UNROLL for (int i = 0; i < pixels; i++) sum[i][j] =
            CONV_MULTIPLY_PAIR(sum[i][j], a + i * distance + k, weight, partner);
        UNROLL for (int r = 2 * pairs + k * rest / pairs; r < 2 * pairs + (k + 1) * rest / pairs; r++) {
            const vf alone = VLOAD(w + (r * vectors + j) * PM_VL);
            __builtin_prefetch(next + (r * vectors + j) * PM_VL, 0, CONV_TO_L2);
            UNROLL for (int i = 0; i < pixels; i++) sum[i][j] =
                CONV_MULTIPLY_ADD_FROM(sum[i][j], a + i * distance + r, alone);
        }
    }
    UNROLL for (int i = 0; i < pixels; i++) __builtin_prefetch(a + (pixels + i) * distance, 0, CONV_TO_L1);
}
#endif

/* Vector by vector, so that scale, shift and bounds stay in the registers that weights and input held. */
ALWAYS_INLINE void conv_store(const struct pm_conv_tile *tile, const int pixels, const int vectors, const int halved,
                              conv_sums sum, const int turning, const int bare, const int added) {
    const struct pm_conv_tile t = *tile; /* a store might change what is behind a pointer */
    const vf low = VSET(t.low), high = VSET(t.high);
    UNROLL for (int j = 0; j < vectors; j++) {
        const ptrdiff_t lanes = j % PM_VB * PM_VL, block = j / PM_VB;
        float *output = t.output + block * t.output_block + lanes;
        const float *residual = added ? t.residual + block * t.residual_block + lanes : NULL;
        const vf scale = bare ? (vf){0} : LOAD_COLUMN(t.scale, j), shift = bare ? scale : LOAD_COLUMN(t.shift, j);
        UNROLL for (int i = 0; i < pixels; i++) {
            vf value = sum[i][j];
            if (turning && i == t.turn) output += t.output_turn, residual += added ? t.residual_turn : 0;
            if (!bare) value = value * scale + shift;
            if (added) value += conv_load(residual + i * PM_BLOCK, IS_HALF(j));
            VSTORE(output + i * PM_BLOCK, bare ? value : VCLAMP(value, low, high));
            if (vectors < PM_VB) VSTORE(output + i * PM_BLOCK + vectors * PM_VL, VSET(0.0f));
        }
    }
}

/* The same in couples; the last one of an odd number of pixels has a zero. */
ALWAYS_INLINE void conv_store_couples(const struct pm_conv_tile *tile, const int pixels, const int vectors,
                                      conv_sums sum) {
    const struct pm_conv_tile t = *tile;
    const vf low = VSET(t.low), high = VSET(t.high);
    UNROLL for (int j = 0; j < vectors; j++) {
        float *output = t.output + j / PM_VB * t.output_block + j % PM_VB * PM_VL;
        const vf scale = VLOAD(t.scale + j * PM_VL), shift = VLOAD(t.shift + j * PM_VL);
        UNROLL for (int i = 0; i < pixels; i++) sum[i][j] = VCLAMP(sum[i][j] * scale + shift, low, high);
        UNROLL for (int i = 0; i < pixels; i += 2)
            VSTORE(output + i / 2 * PM_BLOCK, CONV_COUPLE(sum[i][j], i + 1 < pixels ? sum[i + 1][j] : (vf){0}));
    }
}

/* Adds what the sums begin with: last, so that it takes no registers and no low bits from partial sums. */
ALWAYS_INLINE void conv_add_begins(const struct pm_conv_tile *t, const int pixels, const int vectors, const int halved,
                                   const int turning, conv_sums sum) {
    PM_PRAGMA(GCC unroll 1) for (int b = 0; b < t->begin_count; b++) {
        const struct pm_conv_begin begin = t->begins[b];
        UNROLL for (int j = 0; j < vectors; j++) {
            const float *from = begin.numbers + t->begin_at + j / PM_VB * begin.block + j % PM_VB * PM_VL;
            __asm__("" : "+r"(from)); /* one address for all pixels */
            UNROLL for (int i = 0; i < pixels; i++) sum[i][j] +=
                conv_load(from + i * PM_BLOCK + (turning && i >= t->turn ? t->output_turn : 0), IS_HALF(j));
        }
    }
}

/* Partial sums of every other vector join their totals; totals live in memory, for the registers are full. */
ALWAYS_INLINE void conv_join(const int pixels, const int vectors, const int odd, conv_sums sum, conv_totals total,
                             int *joined) {
    if (*joined) EACH_SUM_OF(odd) total[j][i] += CONV_PART(sum[i][j]);
    else EACH_SUM_OF(odd) total[j][i] = CONV_PART(sum[i][j]);
    EACH_SUM_OF(odd) sum[i][j] = (vf){0};
    *joined = 1;
    __asm__ volatile("" : : "r"(total) : "memory");
}

/* What is wanted when all segments are done, in time. */
ALWAYS_INLINE void conv_fetch_residual(const struct pm_conv_tile *t, const int pixels, const int vectors,
                                       const int turning) {
    for (int j = 0; j < vectors; j += CONV_LINE / PM_VL)
        UNROLL for (int i = 0; i < pixels; i++)
            __builtin_prefetch(t->residual + j / PM_VB * t->residual_block + i * PM_BLOCK +
                                   (turning && i >= t->turn ? t->residual_turn : 0),
                               0, CONV_TO_L2);
}

ALWAYS_INLINE void conv_tile(const struct pm_conv_tile *t, const int pixels, const int vectors, const int halved,
                             const ptrdiff_t constant_distance, const int turning, const int inner) {
    const ptrdiff_t distance = constant_distance ? constant_distance : t->input_pixel;
    const float *w = t->weights;
    const float *next = w + t->ahead;
    const struct pm_segment *segment = t->segments, *end = segment + t->segment_count;
    const ptrdiff_t input_turn = t->input_turn;
    const int turn = t->turn;
    conv_sums sum;
    conv_totals total;
    const ptrdiff_t partial = t->partial_segments;
    ptrdiff_t left[2] = {partial, CONV_JOINS_APART && t->odd_segments ? t->odd_segments : partial};
    int joined[2] = {0, 0};
    if (CONV_FETCHES_MAPS && t->residual) conv_fetch_residual(t, pixels, vectors, turning);
    EACH_SUM sum[i][j] = CONV_BEGIN(t->starts + j * PM_VL, t->own + i * distance / PM_BLOCK);
    for (; segment < end; segment++) {
        UNROLL for (int odd = 0; odd < 2 && odd < vectors; odd++) {
            if (left[odd] == 0) {
                conv_join(pixels, vectors, odd, sum, total, &joined[odd]);
                left[odd] = partial;
            }
            left[odd]--;
        }
        const float *a = t->input + segment->offset, *at[PM_CONV_PIXELS_MAX];
        UNROLL for (int i = 0; i < pixels; i++) at[i] = a + i * distance + (turning && i >= turn ? input_turn : 0);
        const ptrdiff_t length = segment->length;
        if (CONV_INNERS && inner && length == PM_BLOCK) {
            const float *own = t->own + segment->offset / PM_BLOCK;
            conv_inner_line(a, distance, own, w, next, PM_BLOCK, pixels, vectors, sum);
        } else if (CONV_INNERS_SHORT && inner && length >= 2 * CONV_PAIRS) {
            conv_inner_line(a, distance, t->own, w, next, 2 * CONV_PAIRS, pixels, vectors, sum);
            PM_PRAGMA(GCC unroll 1) for (ptrdiff_t k = 2 * CONV_PAIRS; k < length; k++) STEP(k);
        } else if (CONV_HAS_BLOCKS && (constant_distance || turning) && length == PM_BLOCK) {
            UNROLL for (int k = 0; k < PM_BLOCK; k++) {
                if (CONV_FETCHES_MAPS && constant_distance && k < pixels)
                    __builtin_prefetch(a + (pixels + k) * distance, 0, CONV_TO_L1);
                STEP(k);
            }
        } else {
            PM_PRAGMA(GCC unroll 1) for (ptrdiff_t k = 0; k < length; k++) STEP(k);
        }
        w += length * ROW;
        next += length * ROW;
    }
    UNROLL for (int odd = 0; odd < 2 && odd < vectors; odd++) {
        if (joined[odd]) EACH_SUM_OF(odd) sum[i][j] = CONV_JOIN(total[j][i], sum[i][j]);
        else EACH_SUM_OF(odd) sum[i][j] = CONV_ALONE(sum[i][j]);
    }
    EACH_SUM sum[i][j] = CONV_END(sum[i][j], t->own + t->units + i * distance / PM_BLOCK);
    conv_add_begins(t, pixels, vectors, halved, turning, sum);
    if (CONV_COUPLES && !halved && t->couples) conv_store_couples(t, pixels, vectors, sum);
    else if (!t->scale) conv_store(t, pixels, vectors, halved, sum, turning, 1, 0);
    else if (t->residual) conv_store(t, pixels, vectors, halved, sum, turning, 0, 1);
    else conv_store(t, pixels, vectors, halved, sum, turning, 0, 0);
}

#undef STEP
#undef ROW
#undef IS_HALF
#undef LOAD_COLUMN
#undef EACH_SUM
#undef EACH_SUM_OF

/* One function for each number of pixels; `distance` 0 takes any. */
#define CONV_KERNEL(pixels, blocks, distance)                                                                          \
    static void conv_##pixels##x##blocks##_##distance(const struct pm_conv_tile *t) {                                  \
        conv_tile(t, pixels, blocks *PM_VB, 0, distance, 0, 0);                                                        \
    }

#define CONV_TURNING_KERNEL(pixels, blocks)                                                                            \
    static void conv_turning_##pixels##x##blocks(const struct pm_conv_tile *t) {                                       \
        conv_tile(t, pixels, blocks *PM_VB, 0, 0, 1, 0);                                                               \
    }

#define CONV_HALF_KERNEL(pixels, ...)                                                                                  \
    static void conv_half_##pixels(const struct pm_conv_tile *t) {                                                     \
        conv_tile(t, pixels, (PM_VB + 1) / 2, PM_VB == 1, PM_BLOCK, 0, 0);                                             \
    }

/* A block and a half. */
#define CONV_BROAD_HALF_KERNEL(pixels, ...)                                                                            \
    static void conv_broad_half_##pixels(const struct pm_conv_tile *t) {                                               \
        conv_tile(t, pixels, 2 * PM_VB, 1, PM_BLOCK, 0, 0);                                                            \
    }

#define CONV_TURNING_ENTRY(pixels, blocks) conv_turning_##pixels##x##blocks,

#define CONV_INNER_KERNEL(pixels, blocks)                                                                              \
    static void conv_inner_##pixels##x##blocks(const struct pm_conv_tile *t) {                                         \
        conv_tile(t, pixels, blocks *PM_VB, 0, PM_BLOCK, 0, 1);                                                        \
    }
