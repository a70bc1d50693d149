/* SPDX-License-Identifier: Apache-2.0 */

/* AMX: one instruction adds the products of 16 pixels x 16 pairs by 16 pairs x 16 outputs to 16 x 16 sums. Even and odd
 * channels of its 16 pairs are summed apart, from zero and in order, and join the sum together; numbers below 2^-126
 * count as zero. No row of a tile sees another, so a pixel's bits do not depend on the tile it falls into.
 *
 * Eight tile registers: four of sums (two halves of the pixels x two output blocks), two of inputs, two of weights. By
 * Intel's tables a multiplication takes 16 cycles and its result 52: with four sums each is ready for its next one. */
#define PM_VL 16
#include "kernels/bf16.h"
#include "kernels/conv_tilings.h"
#include "kernels/couples.h"

#define ROWS 16 /* of a tile register: pixels of sums and inputs, pairs of weights */
#define ROW_BYTES 64

/* The intrinsics paste these into names of registers. The second digit is the output block. */
#define SUM_00 0
#define SUM_01 1
#define SUM_10 2
#define SUM_11 3
#define INPUT_0 4
#define INPUT_1 5
#define WEIGHTS_0 6
#define WEIGHTS_1 7

/* As LDTILECFG reads it; no number of a register that is in use may be zero. */
struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Pixels that this thread's tile registers are shaped for; 0: released. Loading shapes takes longer than a short sum,
 * and most runs of tiles need one. */
static _Thread_local int shaped_for;

/* Of two halves, the first of whole couples; there is no second up to one register of pixels, and its shape then does
 * not matter. */
static int first_half(int pixels) { return pixels > ROWS ? (pixels + 3) / 4 * 2 : pixels; }

static void shape_tiles(int pixels) {
    const int first = first_half(pixels), second = pixels > first ? pixels - first : first;
    struct tile_shapes shapes __attribute__((aligned(64))) = {
        .palette = 1,
        .row_bytes = {ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES},
        .rows = {(uint8_t)first, (uint8_t)first, (uint8_t)second, (uint8_t)second, (uint8_t)first, (uint8_t)second,
                 ROWS, ROWS},
    };
    __asm__ volatile("" : : "r"(&shapes) : "memory"); /* GCC 12's intrinsic says that it reads 8 bytes of it */
    _tile_loadconfig(&shapes);
    shaped_for = pixels;
}

static void release(void) {
    if (shaped_for) _tile_release();
    shaped_for = 0;
}

/* The same as `finish`, to couples. */
static void finish_couples(const struct pm_conv_tile *t, const float *sums, int block, int first, int pixels) {
    const vf scale = VLOAD(t->scale + block * PM_BLOCK), shift = VLOAD(t->shift + block * PM_BLOCK);
    const vf low = VSET(t->low), high = VSET(t->high);
    float *output = t->output + block * t->output_block + first / 2 * PM_BLOCK;
    for (int i = 0; i < pixels; i += 2, sums += 2 * PM_BLOCK, output += PM_BLOCK) {
        const vf even = VCLAMP(VLOAD(sums) * scale + shift, low, high);
        const vf odd = i + 1 < pixels ? VCLAMP(VLOAD(sums + PM_BLOCK) * scale + shift, low, high) : (vf){0};
        VSTORE(output, couple(even, odd));
    }
}

/* Scale, shift, residual and clamp of one register of sums: pixels of one output block. */
static void finish(const struct pm_conv_tile *t, const float *sums, int block, int first, int pixels) {
    const vf scale = VLOAD(t->scale + block * PM_BLOCK), shift = VLOAD(t->shift + block * PM_BLOCK);
    const vf low = VSET(t->low), high = VSET(t->high);
    float *output = t->output + block * t->output_block + first * PM_BLOCK;
    const float *residual = t->residual ? t->residual + block * t->residual_block + first * PM_BLOCK : NULL;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)pixels * PM_BLOCK; i += PM_BLOCK) {
        vf value = VLOAD(sums + i) * scale + shift;
        if (residual) value += VLOAD(residual + i);
        VSTORE(output + i, VCLAMP(value, low, high));
    }
}

#define FINISH(sum, block, first, pixels)                                                                              \
    do {                                                                                                               \
        float sums[ROWS * PM_BLOCK] __attribute__((aligned(64)));                                                      \
        _tile_stored(sum, sums, ROW_BYTES);                                                                            \
        if (t->couples) finish_couples(t, sums, block, first, pixels);                                                 \
        else finish(t, sums, block, first, pixels);                                                                    \
    } while (0)

/* `halves` and `blocks`, 1 or 2, are constants after inlining. */
ALWAYS_INLINE void multiply(const struct pm_conv_tile *t, const int pixels, const int halves, const int blocks) {
    const int first = first_half(pixels);
    const ptrdiff_t pixel_bytes = t->input_pixel * (ptrdiff_t)sizeof(float), weight_bytes = blocks * ROW_BYTES;
    const float *weights = t->weights;
    if (shaped_for != pixels) shape_tiles(pixels);
    _tile_zero(SUM_00);
    if (blocks > 1) _tile_zero(SUM_01);
    if (halves > 1) _tile_zero(SUM_10);
    if (halves > 1 && blocks > 1) _tile_zero(SUM_11);
    for (ptrdiff_t s = 0; s < t->segment_count; s++, weights += ROWS * blocks * PM_BLOCK) {
        const float *input = t->input + t->segments[s].offset;
        _tile_loadd(WEIGHTS_0, weights, weight_bytes);
        _tile_loadd(INPUT_0, input, pixel_bytes);
        _tile_dpbf16ps(SUM_00, INPUT_0, WEIGHTS_0);
        if (blocks > 1) _tile_loadd(WEIGHTS_1, weights + PM_BLOCK, weight_bytes);
        if (blocks > 1) _tile_dpbf16ps(SUM_01, INPUT_0, WEIGHTS_1);
        if (halves > 1) _tile_loadd(INPUT_1, input + first * t->input_pixel, pixel_bytes);
        if (halves > 1) _tile_dpbf16ps(SUM_10, INPUT_1, WEIGHTS_0);
        if (halves > 1 && blocks > 1) _tile_dpbf16ps(SUM_11, INPUT_1, WEIGHTS_1);
    }
    FINISH(SUM_00, 0, 0, first);
    if (blocks > 1) FINISH(SUM_01, 1, 0, first);
    if (halves > 1) FINISH(SUM_10, 0, first, pixels - first);
    if (halves > 1 && blocks > 1) FINISH(SUM_11, 1, first, pixels - first);
}

ALWAYS_INLINE void conv(const struct pm_conv_tile *t, const int pixels, const int blocks) {
    if (pixels > ROWS) multiply(t, pixels, 2, blocks);
    else multiply(t, pixels, 1, blocks);
}

static void conv_x1(const struct pm_conv_tile *t, int pixels) { conv(t, pixels, 1); }
static void conv_x2(const struct pm_conv_tile *t, int pixels) { conv(t, pixels, 2); }

#define KERNEL(pixels, blocks, distance)                                                                               \
    static void conv_##pixels##x##blocks##_##distance(const struct pm_conv_tile *t) { conv_x##blocks(t, pixels); }

UP_TO_32(KERNEL, 1, 0)
UP_TO_32(KERNEL, 2, 0)

const struct pm_bf16_kernels pm_bf16_kernels_amx = {
    .name = "amx",
    .conv = {CONV_TILING(32, 2, 0, "conv_bf16_32x32_amx"), CONV_TILING(32, 1, 0, "conv_bf16_32x16_amx")},
    .narrow = pm_bf16_narrow_avx512,
    .narrow_half = pm_bf16_narrow_half_avx512,
    .depthwise = pm_bf16_depthwise_avx512,
    .couple_row = pm_bf16_couple_row_avx512,
    .couples = pm_bf16_couples_avx512,
    .release = release,
    .whole_blocks = 1,
    .beats_winograd = 1,
    .splits = 1,
};
