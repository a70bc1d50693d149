/* SPDX-License-Identifier: Apache-2.0 */

/* Filter windows of a resize and the inner loops over them, one table a CPU level. The levels agree on every byte: sums
 * are integers modulo 2^32, as in Pillow. */
#ifndef POMONA_KERNELS_WINDOWS_H
#define POMONA_KERNELS_WINDOWS_H

#include <stddef.h>
#include <stdint.h>

/* Weights are integers of 22 fractional bits: 8 bits of pixel, 22 of weight and 2 spare ones, since filters with
 * negative lobes overshoot, fill an int32. */
#define PM_WEIGHT_BITS 22

/* A weight is low + high x 2^16, both int16, so that an instruction that multiplies and adds pairs of 16-bit numbers
 * takes two taps at a time. They lie in groups: eight low halves, then their eight high ones; zeros fill the last. */
#define PM_WEIGHT_GROUP 8

/* The filter windows of one side: pixel i is the sum of source[first[i] + t] x weight t of window i over all t <
 * taps[i]. first and first + taps never fall from one i to the next. `widest` is the largest of taps, or more, a
 * multiple of PM_WIDEST_STEP; where the source is that long, so many pixels from any `first` on lie within it. */
#define PM_WIDEST_STEP 4
struct pm_windows {
    uint32_t count, widest, groups;
    uint32_t *first, *taps;
    int16_t *weights; /* [count][groups][low, high][8] */
};

static inline int16_t *pm_window_weights(const struct pm_windows *windows, uint32_t i) {
    return windows->weights + (size_t)i * windows->groups * 2 * PM_WEIGHT_GROUP;
}

/* Where among them the low half of tap t is. */
static inline size_t pm_weight_place(uint32_t t) {
    return (size_t)t / PM_WEIGHT_GROUP * 2 * PM_WEIGHT_GROUP + t % PM_WEIGHT_GROUP;
}

static inline int32_t pm_whole_weight(const int16_t *low) { return low[0] + low[PM_WEIGHT_GROUP] * 65536; }

/* Bytes behind the last one of every row, read or written: kernels may touch them as whole vectors go. Their values
 * change no pixel. */
#define PM_ROW_SLACK 64

/* Sums start at one half, are shifted down and clipped to 0..255. */
struct pm_resize_kernels {
    /* One row of RGB pixels to windows->count pixels. */
    void (*horizontal)(const uint8_t *rgb, const struct pm_windows *windows, uint8_t *out);
    /* `taps` rows of `length` bytes to one. */
    void (*vertical)(const uint8_t *const *rows, const int16_t *weights, uint32_t taps, size_t length, uint8_t *out);
};

#define PM_KERNELS(level) extern const struct pm_resize_kernels pm_resize_kernels_##level;
#include "kernels/kernels.def"
#undef PM_KERNELS

#endif
