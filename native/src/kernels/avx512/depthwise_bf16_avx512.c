/* SPDX-License-Identifier: Apache-2.0 */

/* Depthwise convolution in bf16: one instruction multiplies two neighbouring taps of 16 channels and adds them to 16
 * sums. Of an odd number of taps in a row, one stands alone beside a zero.
 *
 * Registers: a sum for each of up to 14 pixels, the weights of a row of the window, one input. */
#define PM_VL 16
#include "kernels/bf16.h"
#include "kernels/conv_tilings.h"
#include "kernels/couples.h"

#define PIXELS 14
#define COUPLES_MAX ((PM_BF16_WINDOW_MAX + 1) / 2) /* under one row of a window */

/* The couple, counted from the first window's, with which the window of pixel i begins. */
ALWAYS_INLINE int first_couple(const int i, const int stride, const int phase) {
    return stride == 1 ? (i + phase) / 2 : i;
}

/* Adds one row of the windows. All but the pointers is constant after inlining. */
ALWAYS_INLINE void add_row(const float *row, const float *weights, vf *sum, const int pixels, const int couples,
                           const int stride, const int phase) {
    const int columns = first_couple(pixels - 1, stride, phase) + couples, lists = pm_bf16_weight_lists(stride);
    vf weight[2 * COUPLES_MAX];
    UNROLL for (int x = 0; x < lists * couples; x++) weight[x] = VLOAD(weights + x * PM_BLOCK);
    UNROLL for (int column = 0; column < columns; column++) {
        const vf input = VLOAD(row + column * PM_BLOCK);
        UNROLL for (int i = 0; i < pixels; i++) {
            const int x = column - first_couple(i, stride, phase), list = i % lists;
            if (x >= 0 && x < couples) sum[i] = multiply_add_pairs(sum[i], input, weight[list * couples + x]);
        }
    }
}

ALWAYS_INLINE void depthwise_tile(const struct pm_depthwise_row *r, const float *input, float *output, int halves,
                                  const int pixels, const int side, const int stride, const int phase) {
    const int couples = (side + 1) / 2;
    const ptrdiff_t weights_row = pm_bf16_weight_lists(stride) * couples * PM_BLOCK, input_row = r->input_row;
    const float *weights = r->weights;
    const vf scale = VLOAD(r->scale), shift = VLOAD(r->shift), low = VSET(r->low), high = VSET(r->high);
    vf sum[PIXELS];
    UNROLL for (int i = 0; i < pixels; i++) sum[i] = (vf){0};
    ROWS_UNROLLED for (int y = 0; y < side; y++, weights += weights_row, input += input_row)
        add_row(input, weights, sum, pixels, couples, stride, phase);
    UNROLL for (int i = 0; i < pixels; i++) sum[i] = VCLAMP(sum[i] * scale + shift, low, high);
    if (halves) UNROLL for (int i = 0; i < pixels; i++) store_half(output + i * PM_BLOCK, sum[i]);
    else UNROLL for (int i = 0; i < pixels; i++) VSTORE(output + i * PM_BLOCK, sum[i]);
}

typedef void depthwise_tile_kernel(const struct pm_depthwise_row *row, const float *input, float *output, int halves);

/* One function for each number of pixels. */
#define TILE(pixels, side, stride, phase)                                                                              \
    static void depthwise_##side##_##stride##_##pixels(const struct pm_depthwise_row *r, const float *input,           \
                                                       float *output, int halves) {                                    \
        depthwise_tile(r, input, output, halves, pixels, side, stride, phase);                                         \
    }
#define ENTRY(pixels, side, stride, phase) depthwise_##side##_##stride##_##pixels,

/* Tiles of even numbers of pixels, as even as may be, but for the last: each begins as the first does. */
static void run_row(const struct pm_depthwise_row *r, int halves, depthwise_tile_kernel *const *kernels,
                    unsigned stride) {
    const unsigned pixels = (unsigned)r->pixels, tiles = (pixels + PIXELS - 1) / PIXELS, couples = (pixels + 1) / 2;
    const unsigned least = tiles > 1 ? couples / tiles : couples, longer = couples - least * tiles;
    const float *input = r->input;
    float *output = r->output;
    for (unsigned i = 0, left = pixels, now; i < tiles; i++, left -= now) {
        now = 2 * (least + (i < longer));
        if (now > left) now = left;
        kernels[now - 1](r, input, output, halves);
        input += now / 2 * stride * PM_BLOCK;
        output += now * PM_BLOCK;
    }
}

#define ROUTINE(side, stride, phase)                                                                                   \
    UP_TO_14(TILE, side, stride, phase)                                                                                \
    static void depthwise_##side##_##stride(const struct pm_depthwise_row *r, int halves) {                            \
        static depthwise_tile_kernel *const kernels[] = {UP_TO_14(ENTRY, side, stride, phase)};                        \
        run_row(r, halves, kernels, stride);                                                                           \
    }

/* Windows side by side begin as those of padding "same" do. */
ROUTINE(3, 1, 1)
ROUTINE(5, 1, 0)
ROUTINE(7, 1, 1)
ROUTINE(3, 2, 0)
ROUTINE(5, 2, 0)
ROUTINE(7, 2, 0)

const struct pm_bf16_depthwise pm_bf16_couples_avx512[] = {
    {"depthwise_bf16_3x3_s1_avx512", 3, 1, 1, depthwise_3_1},
    {"depthwise_bf16_3x3_s2_avx512", 3, 2, -1, depthwise_3_2},
    {"depthwise_bf16_5x5_s1_avx512", 5, 1, 0, depthwise_5_1},
    {"depthwise_bf16_5x5_s2_avx512", 5, 2, -1, depthwise_5_2},
    {"depthwise_bf16_7x7_s1_avx512", 7, 1, 1, depthwise_7_1},
    {"depthwise_bf16_7x7_s2_avx512", 7, 2, -1, depthwise_7_2},
    {NULL, 0, 0, 0, NULL},
};
