/* SPDX-License-Identifier: Apache-2.0 */

/* The resize on whole weights: NEON multiplies and adds four 32-bit numbers at a time but no pairs of 16-bit ones. */
#define PM_VL 4
#include "kernels/simd.h"
#include "kernels/windows.h"

#define ONE_HALF (1 << (PM_WEIGHT_BITS - 1))

/* Shifted and clipped. */
ALWAYS_INLINE uint16x4_t clip(int32x4_t sum) { return vqmovun_s32(vshrq_n_s32(sum, PM_WEIGHT_BITS)); }

/* ---- across: the colours of one output pixel a vector of sums, four at a time to the end ---- */

ALWAYS_INLINE int32x4_t four_weights(const int16_t *low) {
    return vaddw_s16(vshll_n_s16(vld1_s16(low + PM_WEIGHT_GROUP), 16), vld1_s16(low));
}

/* Byte `at` of a pixel's colours to the lowest byte of each lane; 255 lies outside of the table, which gives 0. */
#define ONE_PIXEL(at) at, 255, 255, 255, at + 1, 255, 255, 255, at + 2, 255, 255, 255, 255, 255, 255, 255

/* sums += the four pixels from `rgb` on x their weights. */
ALWAYS_INLINE int32x4_t add_four(int32x4_t sums, const uint8_t *rgb, int32x4_t weights) {
    static const uint8_t places[4][16] = {{ONE_PIXEL(0)}, {ONE_PIXEL(3)}, {ONE_PIXEL(6)}, {ONE_PIXEL(9)}};
    const uint8x16_t bytes = vld1q_u8(rgb);
#define PIXEL(k) vreinterpretq_s32_u8(vqtbl1q_u8(bytes, vld1q_u8(places[k])))
    sums = vmlaq_laneq_s32(sums, PIXEL(0), weights, 0);
    sums = vmlaq_laneq_s32(sums, PIXEL(1), weights, 1);
    sums = vmlaq_laneq_s32(sums, PIXEL(2), weights, 2);
    return vmlaq_laneq_s32(sums, PIXEL(3), weights, 3);
#undef PIXEL
}

/* Four pixels of sums to 4 x 3 bytes and 4 of no meaning. */
ALWAYS_INLINE uint8x16_t narrow(const int32x4_t *sums) {
    static const uint8_t places[16] = {0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15};
    const uint16x8_t ab = vcombine_u16(clip(sums[0]), clip(sums[1])), cd = vcombine_u16(clip(sums[2]), clip(sums[3]));
    return vqtbl1q_u8(vcombine_u8(vqmovn_u16(ab), vqmovn_u16(cd)), vld1q_u8(places));
}

/* Every window takes as many steps as the widest, with zero weights: a number of steps that varies would be guessed
 * wrong by the CPU at most windows. */
static void horizontal(const uint8_t *rgb, const struct pm_windows *windows, uint8_t *out) {
    const uint32_t last = windows->count - 1;
    for (uint32_t i = 0; i <= last; i += 4) {
        const uint8_t *from[4];
        const int16_t *weights[4];
        int32x4_t sums[4];
        UNROLL for (uint32_t k = 0; k < 4; k++) {
            const uint32_t which = i + k < last ? i + k : last;
            from[k] = rgb + 3 * (size_t)windows->first[which];
            weights[k] = pm_window_weights(windows, which);
            sums[k] = vdupq_n_s32(ONE_HALF);
        }
        for (uint32_t t = 0; t < windows->widest; t += PM_WIDEST_STEP)
            UNROLL for (int k = 0; k < 4; k++) sums[k] =
                add_four(sums[k], from[k] + 3 * (size_t)t, four_weights(weights[k] + pm_weight_place(t)));
        vst1q_u8(out + 3 * (size_t)i, narrow(sums));
    }
}

/* ---- down: 16 bytes of the rows at a time ---- */

static void vertical(const uint8_t *const *rows, const int16_t *weights, uint32_t taps, size_t length, uint8_t *out) {
    for (size_t at = 0; at < length; at += sizeof(uint8x16_t)) {
        int32x4_t sums[4];
        UNROLL for (int k = 0; k < 4; k++) sums[k] = vdupq_n_s32(ONE_HALF);
        for (uint32_t t = 0; t < taps; t++) {
            const int32_t weight = pm_whole_weight(weights + pm_weight_place(t));
            const uint8x16_t bytes = vld1q_u8(rows[t] + at);
            const uint16x8_t half[2] = {vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)};
            UNROLL for (int k = 0; k < 4; k++) {
                const uint32x4_t pixels = k % 2 ? vmovl_high_u16(half[k / 2]) : vmovl_u16(vget_low_u16(half[k / 2]));
                sums[k] = vmlaq_n_s32(sums[k], vreinterpretq_s32_u32(pixels), weight);
            }
        }
        const uint16x8_t low = vcombine_u16(clip(sums[0]), clip(sums[1]));
        vst1q_u8(out + at, vqmovn_high_u16(vqmovn_u16(low), vcombine_u16(clip(sums[2]), clip(sums[3]))));
    }
}

const struct pm_resize_kernels pm_resize_kernels_neon = {.horizontal = horizontal, .vertical = vertical};
