/* SPDX-License-Identifier: Apache-2.0 */

/* The two ends of Winograd convolutions, from one description of their points each (winograd.h). Points that are
 * each other's inverses keep all coefficients near one, and so the rounding errors small; three and
 * four pairs were searched for the least error of F(4, 4) and F(4, 7). */
#include "kernels/winograd.h"
#include "kernels/simd.h"

#define PRODUCT_1(a)                                                                                                   \
    { -(a), 1 }
#define PRODUCT_2(a, b)                                                                                                \
    { (a) * (b), -((a) + (b)), 1 }
#define PRODUCT_3(a, b, c)                                                                                             \
    { -(a) * (b) * (c), (a) * (b) + (a) * (c) + (b) * (c), -((a) + (b) + (c)), 1 }
#define PRODUCT_4(a, b, c, d)                                                                                          \
    {                                                                                                                  \
        (a) * (b) * (c) * (d), -((a) * (b) * ((c) + (d)) + ((a) + (b)) * (c) * (d)),                                   \
            (a) * (b) + (c) * (d) + ((a) + (b)) * ((c) + (d)), -((a) + (b) + (c) + (d)), 1                             \
    }

#define SQUARE(x) ((x) * (x))
#define POINTS_1(a)                                                                                                    \
    { 1, 4, {a}, {{1}}, PRODUCT_1(SQUARE(a)) }
#define POINTS_2(a, b)                                                                                                 \
    { 2, 6, {a, b}, {PRODUCT_1(SQUARE(b)), PRODUCT_1(SQUARE(a))}, PRODUCT_2(SQUARE(a), SQUARE(b)) }
#define POINTS_3(a, b, c)                                                                                              \
    {                                                                                                                  \
        3, 7, {a, b, c},                                                                                               \
            {PRODUCT_2(SQUARE(b), SQUARE(c)), PRODUCT_2(SQUARE(a), SQUARE(c)), PRODUCT_2(SQUARE(a), SQUARE(b))},       \
            PRODUCT_3(SQUARE(a), SQUARE(b), SQUARE(c))                                                                 \
    }
#define POINTS_4(a, b, c, d)                                                                                           \
    {                                                                                                                  \
        4, 10, {a, b, c, d},                                                                                           \
            {PRODUCT_3(SQUARE(b), SQUARE(c), SQUARE(d)), PRODUCT_3(SQUARE(a), SQUARE(c), SQUARE(d)),                   \
             PRODUCT_3(SQUARE(a), SQUARE(b), SQUARE(d)), PRODUCT_3(SQUARE(a), SQUARE(b), SQUARE(c))},                  \
            PRODUCT_4(SQUARE(a), SQUARE(b), SQUARE(c), SQUARE(d))                                                      \
    }

static const struct pm_winograd_points winograd_points_4 = POINTS_1(1.0);
static const struct pm_winograd_points winograd_points_6 = POINTS_2(0.70710678118654752440, 1.41421356237309504880);
static const struct pm_winograd_points winograd_points_7 = POINTS_3(0.5625, 1.1824, 3.5283);
static const struct pm_winograd_points winograd_points_10 = POINTS_4(0.4175, 0.8043, 1.2433, 2.3957);

/* One dimension, patch to values: numbers `step` apart become those `to_step` apart. (x^2 + p x) times the others'
 * product is M(x) / (x - p): its odd part changes sign with p. */
ALWAYS_INLINE void winograd_analyse(const struct pm_winograd_points *points, const vf *from, const int step, vf *to,
                                    const int to_step) {
    const int pairs = points->pairs, last = 2 * pairs + 1;
    vf zero = (float)points->all[0] * from[0];
    UNROLL for (int k = 1; k <= pairs; k++) zero += (float)points->all[k] * from[2 * k * step];
    if (points->values > last) {
        vf infinity = (float)points->all[0] * from[step];
        UNROLL for (int k = 1; k <= pairs; k++) infinity += (float)points->all[k] * from[(2 * k + 1) * step];
        to[last * to_step] = infinity;
    }
    UNROLL for (int i = 0; i < pairs; i++) {
        const double p = points->at[i], *others = points->others[i];
        vf even = (float)others[0] * from[2 * step], odd = (float)(p * others[0]) * from[step];
        UNROLL for (int k = 1; k < pairs; k++) {
            even += (float)others[k] * from[(2 * k + 2) * step];
            odd += (float)(p * others[k]) * from[(2 * k + 1) * step];
        }
        to[(2 * i + 1) * to_step] = even + odd;
        to[(2 * i + 2) * to_step] = even - odd;
    }
    to[0] = zero;
}

ALWAYS_INLINE float winograd_power(const double x, const int exponent) {
    double power = 1;
    UNROLL for (int i = 0; i < exponent; i++) power *= x;
    return (float)power;
}

/* One dimension back: `tile` outputs. */
ALWAYS_INLINE void winograd_combine(const struct pm_winograd_points *points, const int tile, const vf *from,
                                    const int step, vf *to, const int to_step) {
    const int pairs = points->pairs;
    vf parts[2][PM_WINOGRAD_PAIRS_MAX]; /* of even outputs, and of odd ones over p */
    UNROLL for (int i = 0; i < pairs; i++) {
        parts[0][i] = from[(2 * i + 1) * step] + from[(2 * i + 2) * step];
        parts[1][i] = from[(2 * i + 1) * step] - from[(2 * i + 2) * step];
    }
    UNROLL for (int y = 0; y < tile; y++) {
        vf sum = winograd_power(points->at[0], y) * parts[y % 2][0];
        if (y == 0) sum += from[0];
        UNROLL for (int i = 1; i < pairs; i++) sum += winograd_power(points->at[i], y) * parts[y % 2][i];
        if (y == tile - 1 && points->values > 2 * pairs + 1) sum += from[(2 * pairs + 1) * step];
        to[y * to_step] = sum;
    }
}

ALWAYS_INLINE void winograd_line_input(const struct pm_winograd_points *points, const float *input, ptrdiff_t row,
                                       float *values, ptrdiff_t stride) {
    const int patch = points->values;
    for (int lane = 0; lane < PM_BLOCK; lane += PM_VL) {
        vf all[PM_WINOGRAD_PATCH_MAX], made[PM_WINOGRAD_PATCH_MAX];
        UNROLL for (int y = 0; y < patch; y++) all[y] = VLOAD(input + y * row + lane);
        winograd_analyse(points, all, 1, made, 1);
        UNROLL for (int y = 0; y < patch; y++) VSTORE(values + y * stride + lane, made[y]);
    }
}

ALWAYS_INLINE vf winograd_pixel(const float *input, ptrdiff_t row, const int phases, const int y, const int x,
                                const int lane) {
    if (!phases) return VLOAD(input + y * row + x * PM_BLOCK + lane);
    const float *upper = input + PM_PHASES * y * row + x * PM_PHASE_ROW;
#if PM_VL > PM_PHASE_SLOTS
    return VJOIN(upper, upper + row);
#else
    return VLOAD(upper + lane / PM_PHASE_SLOTS * row + lane % PM_PHASE_SLOTS);
#endif
}

ALWAYS_INLINE void winograd_plane_input(const struct pm_winograd_points *vertical,
                                        const struct pm_winograd_points *horizontal, const int phases,
                                        const float *input, ptrdiff_t row, float *values, ptrdiff_t stride) {
    const int height = vertical->values, width = horizontal->values;
    for (int lane = 0; lane < PM_BLOCK; lane += PM_VL) {
        vf half[PM_WINOGRAD_PLANE_MAX * PM_WINOGRAD_PLANE_MAX], all[PM_WINOGRAD_PLANE_MAX];
        UNROLL for (int y = 0; y < height; y++) {
            UNROLL for (int x = 0; x < width; x++) all[x] = winograd_pixel(input, row, phases, y, x, lane);
            winograd_analyse(horizontal, all, 1, half + y * width, 1);
        }
        UNROLL for (int x = 0; x < width; x++) {
            winograd_analyse(vertical, half + x, width, all, 1);
            UNROLL for (int y = 0; y < height; y++) VSTORE(values + (y * width + x) * stride + lane, all[y]);
        }
    }
}

/* Tiles from one that is stored to the one in its row whose pixels are fetched: a large map comes from memory. */
#define WINOGRAD_AHEAD 4

/* Pixels of a tile in rows of `width`: unrolled, so that they stay in registers. */
ALWAYS_INLINE void winograd_store(const struct pm_winograd_output *output, const vf *pixels, const int height,
                                  const int width, const int lane) {
    const struct pm_winograd_output o = *output; /* a store might change what is behind a pointer */
    const vf scale = VLOAD(o.scale + lane), shift = VLOAD(o.shift + lane);
    const vf low = VSET(o.low), high = VSET(o.high);
    UNROLL for (int y = 0; y < height; y++) {
        if (y == o.rows) return;
        UNROLL for (int x = 0; x < width; x++) {
            const ptrdiff_t slot = x * PM_BLOCK + lane;
            if (width > 1 && x >= o.columns) continue;
            vf value = pixels[y * width + x] * scale + shift;
            if (o.residual) value += VLOAD(o.residual + y * o.residual_row + slot);
            VSTORE(o.output + y * o.output_row + slot, VCLAMP(value, low, high));
            if (lane == 0) __builtin_prefetch(o.output + y * o.output_row + (x + WINOGRAD_AHEAD * width) * PM_BLOCK, 1);
        }
    }
}

ALWAYS_INLINE void winograd_line_output(const struct pm_winograd_points *points, const int tile,
                                        const struct pm_winograd_output *o) {
    const int patch = points->values;
    for (int lane = 0; lane < PM_BLOCK; lane += PM_VL) {
        vf all[PM_WINOGRAD_PATCH_MAX], pixels[PM_WINOGRAD_PATCH_MAX];
        UNROLL for (int y = 0; y < patch; y++) all[y] = VLOAD(o->values + y * o->stride + lane);
        winograd_combine(points, tile, all, 1, pixels, 1);
        winograd_store(o, pixels, tile, 1, lane);
    }
}

ALWAYS_INLINE void winograd_plane_output(const struct pm_winograd_points *vertical,
                                         const struct pm_winograd_points *horizontal, const int tile_height,
                                         const int tile_width, const struct pm_winograd_output *o) {
    const int height = vertical->values, width = horizontal->values;
    for (int lane = 0; lane < PM_BLOCK; lane += PM_VL) {
        vf half[PM_WINOGRAD_PLANE_MAX * PM_WINOGRAD_PLANE_MAX], pixels[PM_WINOGRAD_PLANE_MAX * PM_WINOGRAD_PLANE_MAX];
        vf all[PM_WINOGRAD_PLANE_MAX];
        UNROLL for (int y = 0; y < height; y++) {
            UNROLL for (int x = 0; x < width; x++) all[x] = VLOAD(o->values + (y * width + x) * o->stride + lane);
            winograd_combine(horizontal, tile_width, all, 1, half + y * tile_width, 1);
        }
        UNROLL for (int x = 0; x < tile_width; x++)
            winograd_combine(vertical, tile_height, half + x, tile_width, pixels + x, tile_width);
        winograd_store(o, pixels, tile_height, tile_width, lane);
    }
}

#define LINE_INPUT(patch)                                                                                              \
    static void winograd_line_##patch(const float *input, ptrdiff_t row, float *values, ptrdiff_t stride) {            \
        winograd_line_input(&winograd_points_##patch, input, row, values, stride);                                     \
    }

#define LINE_OUTPUT(patch, tile)                                                                                       \
    static void winograd_line_##patch##_to_##tile(const struct pm_winograd_output *output) {                           \
        winograd_line_output(&winograd_points_##patch, tile, output);                                                  \
    }

/* Of blocks, and of phases. */
#define PLANE_INPUT(height, width)                                                                                     \
    static void winograd_plane_##height##x##width(const float *input, ptrdiff_t row, float *values,                    \
                                                  ptrdiff_t stride) {                                                  \
        winograd_plane_input(&winograd_points_##height, &winograd_points_##width, 0, input, row, values, stride);      \
    }                                                                                                                  \
    static void winograd_phases_##height##x##width(const float *input, ptrdiff_t row, float *values,                   \
                                                   ptrdiff_t stride) {                                                 \
        winograd_plane_input(&winograd_points_##height, &winograd_points_##width, 1, input, row, values, stride);      \
    }

#define PLANE_OUTPUT(height, width, rows, columns)                                                                     \
    static void winograd_plane_##height##x##width##_to_##rows##x##columns(const struct pm_winograd_output *output) {   \
        winograd_plane_output(&winograd_points_##height, &winograd_points_##width, rows, columns, output);             \
    }

PLANE_INPUT(6, 4)
PLANE_INPUT(6, 6)
PLANE_INPUT(7, 7)
LINE_INPUT(6)
LINE_INPUT(10)
PLANE_OUTPUT(6, 4, 4, 2)
PLANE_OUTPUT(6, 6, 2, 2)
PLANE_OUTPUT(6, 6, 4, 4)
PLANE_OUTPUT(7, 7, 4, 4)
LINE_OUTPUT(6, 4)
LINE_OUTPUT(10, 4)

/* PLANE is for kernels of both dimensions, LINE for those of one; then the limits as in pm_winograd_form. */
#define PLANE(level, label, height, width, kernel, rows, columns, ...)                                                 \
    {                                                                                                                  \
        "conv_winograd_" label "_" level, "conv_winograd_" label "_bf16_" level, 1, kernel, {rows, columns},           \
            __VA_ARGS__, {&winograd_points_##height, &winograd_points_##width}, winograd_plane_##height##x##width,     \
            winograd_phases_##height##x##width, winograd_plane_##height##x##width##_to_##rows##x##columns              \
    }
#define LINE(level, label, patch, kernel, tile, ...)                                                                   \
    {                                                                                                                  \
        "conv_winograd_line_" label "_" level, "conv_winograd_line_" label "_bf16_" level, 0, kernel, {tile, tile},    \
            __VA_ARGS__, {&winograd_points_##patch, &winograd_points_##patch}, winograd_line_##patch, NULL,            \
            winograd_line_##patch##_to_##tile                                                                          \
    }

/* The first that takes a layer runs it. Limits are measured: an image's few tiles of a small map wait for 36 values of
 * weights where these come from beyond the L2 cache. There F(4x2, 3x3) takes one image's 8 tiles of a 7x7 map as fast
 * as F(2x2, 3x3) its 16, and the batch's faster. */
#define WINOGRAD_FORMS(level)                                                                                          \
    {                                                                                                                  \
        PLANE(level, "f43", 6, 6, 3, 4, 4, 10, INT64_MAX, 1), PLANE(level, "f43", 6, 6, 3, 4, 4, 7, 8192, 1),          \
            PLANE(level, "f42_3", 6, 4, 3, 4, 2, 7, INT64_MAX, 1),                                                     \
            PLANE(level, "f44", 7, 7, 4, 4, 4, 7, INT64_MAX, 0), PLANE(level, "f25", 6, 6, 5, 2, 2, 7, INT64_MAX, 1),  \
            LINE(level, "f47", 10, 7, 4, 7, INT64_MAX, 0), LINE(level, "f43", 6, 3, 4, 7, INT64_MAX, 1),               \
    }
