/* SPDX-License-Identifier: Apache-2.0 */

/* The portable inner loops of the resize: the oracle of every other level. */
#include "kernels/windows.h"

#define ONE_HALF (1 << (PM_WEIGHT_BITS - 1))

/* Bytes that the vertical pass sums at a time: the sums stay in the first-level cache. */
#define BLOCK 512

/* A negative sum shifts arithmetically, as in Pillow. */
static uint8_t clip(int32_t sum) {
    int32_t value = sum >> PM_WEIGHT_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void horizontal(const uint8_t *rgb, const struct pm_windows *windows, uint8_t *out) {
    for (uint32_t i = 0; i < windows->count; i++, out += 3) {
        const uint8_t *pixel = rgb + 3 * (size_t)windows->first[i], *end = pixel + 3 * (size_t)windows->taps[i];
        int32_t red = ONE_HALF, green = ONE_HALF, blue = ONE_HALF;
        for (const int16_t *low = pm_window_weights(windows, i); pixel != end; low += PM_WEIGHT_GROUP)
            for (int t = 0; t < PM_WEIGHT_GROUP && pixel != end; t++, low++, pixel += 3) {
                int32_t weight = pm_whole_weight(low);
                red += pixel[0] * weight;
                green += pixel[1] * weight;
                blue += pixel[2] * weight;
            }
        out[0] = clip(red);
        out[1] = clip(green);
        out[2] = clip(blue);
    }
}

static void sum_block(const uint8_t *const *rows, const int16_t *weights, uint32_t taps, size_t from, size_t length,
                      uint8_t *restrict out) {
    int32_t sums[BLOCK];
    for (size_t i = 0; i < length; i++) sums[i] = ONE_HALF;
    for (uint32_t t = 0; t < taps; t++) {
        const uint8_t *row = rows[t] + from;
        int32_t weight = pm_whole_weight(weights + pm_weight_place(t));
        for (size_t i = 0; i < length; i++) sums[i] += row[i] * weight;
    }
    for (size_t i = 0; i < length; i++) out[from + i] = clip(sums[i]);
}

static void vertical(const uint8_t *const *rows, const int16_t *weights, uint32_t taps, size_t length, uint8_t *out) {
    for (size_t from = 0; from < length; from += BLOCK)
        sum_block(rows, weights, taps, from, length - from < BLOCK ? length - from : BLOCK, out);
}

const struct pm_resize_kernels pm_resize_kernels_scalar = {.horizontal = horizontal, .vertical = vertical};
