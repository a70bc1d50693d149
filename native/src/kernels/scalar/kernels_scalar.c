/* SPDX-License-Identifier: Apache-2.0 */

/* Portable C, the oracle of the vector levels: one pixel at a time, every sum in fp64, no intrinsics. */
#include <math.h>

#include "kernels/digits.h"
#include "kernels/moments.h"
#include "kernels/routines.h"
#include "kernels/windows.h"

static float clamp(float value, float low, float high) {
    return value < low ? low : value > high ? high : value; /* a NaN stays */
}

static void conv_1(const struct pm_conv_tile *t) {
    double sum[PM_BLOCK] = {0};
    const float *w = t->weights;
    for (ptrdiff_t s = 0; s < t->segment_count; s++)
        for (ptrdiff_t k = 0; k < t->segments[s].length; k++, w += PM_BLOCK)
            for (int c = 0; c < PM_BLOCK; c++) sum[c] += (double)t->input[t->segments[s].offset + k] * w[c];
    for (int c = 0; c < PM_BLOCK; c++) {
        double value = sum[c] * t->scale[c] + t->shift[c];
        t->output[c] = clamp((float)(t->residual ? value + t->residual[c] : value), t->low, t->high);
    }
}

typedef int16_t digit __attribute__((may_alias));

/* High digits come after as many low ones, or alone. */
static void digits_1(const struct pm_conv_tile *t) {
    const digit *input = (const digit *)t->input, *w = (const digit *)t->weights;
    const ptrdiff_t low = t->partial_segments;
    int64_t digits[2][PM_BLOCK] = {{0}};
    for (ptrdiff_t s = 0; s < t->segment_count; s++)
        for (ptrdiff_t k = 0; k < t->segments[s].length; k++, w += 2 * PM_BLOCK)
            for (int i = 0; i < 2 * PM_BLOCK; i++)
                digits[s >= low][i / 2] += input[2 * (t->segments[s].offset + k) + i % 2] * w[i];
    for (int c = 0; c < PM_BLOCK; c++) {
        double sum = (double)(digits[1][c] * (1 << PM_DIGIT_BITS) + digits[0][c]);
        double value = sum * t->scale[c] + t->shift[c];
        t->output[c] = clamp((float)(t->residual ? value + t->residual[c] : value), t->low, t->high);
    }
}

static const struct pm_conv_tiling digits[] = {
    {"conv_i16_1x16_scalar", .pixels = 1, .blocks = 1, .input_pixel = PM_DIGITS_PIXEL, .kernels = {digits_1}},
    {.name = NULL}};

static void depthwise_any(const struct pm_depthwise_row *r) {
    for (ptrdiff_t pixel = 0; pixel < r->pixels; pixel++) {
        const float *origin = r->input + pixel * r->input_pixel, *w = r->weights;
        double sum[PM_BLOCK] = {0};
        for (int y = 0; y < r->kernel_height; y++)
            for (int x = 0; x < r->kernel_width; x++, w += PM_BLOCK)
                for (int c = 0; c < PM_BLOCK; c++)
                    sum[c] += (double)origin[y * r->input_row + x * r->input_tap + c] * w[c];
        for (int c = 0; c < PM_BLOCK; c++)
            r->output[pixel * PM_BLOCK + c] = clamp((float)(sum[c] * r->scale[c] + r->shift[c]), r->low, r->high);
    }
}

static void add(float *out, const float *a, const float *b, ptrdiff_t count, float low, float high) {
    for (ptrdiff_t i = 0; i < count; i++) out[i] = clamp(a[i] + b[i], low, high);
}

static void multiply(float *out, const float *a, const float *b, ptrdiff_t count, float low, float high) {
    for (ptrdiff_t i = 0; i < count; i++) out[i] = clamp(a[i] * b[i], low, high);
}

static void affine(float *out, const float *in, const float *scale, const float *shift, ptrdiff_t pixels, float low,
                   float high) {
    for (ptrdiff_t i = 0; i < pixels * PM_BLOCK; i++)
        out[i] = clamp(in[i] * scale[i % PM_BLOCK] + shift[i % PM_BLOCK], low, high);
}

static void sum(float *total, const float *in, ptrdiff_t pixels) {
    for (ptrdiff_t i = 0; i < pixels * PM_BLOCK; i++) total[i % PM_BLOCK] += in[i];
}

static void scale_rows(float *out, const float *in, const float *factors, ptrdiff_t rows, ptrdiff_t width) {
    for (ptrdiff_t i = 0; i < rows * width; i++) out[i] = in[i] * factors[i / width];
}

static void maximum(float *greatest, const float *in, ptrdiff_t pixels) {
    for (ptrdiff_t i = 0; i < pixels * PM_BLOCK; i++)
        if (in[i] > greatest[i % PM_BLOCK]) greatest[i % PM_BLOCK] = in[i];
}

static void max_pool(const struct pm_pool_row *r) {
    for (ptrdiff_t i = 0; i < r->pixels * PM_BLOCK; i++) {
        const float *window = r->input + i / PM_BLOCK * r->input_pixel + i % PM_BLOCK;
        float greatest = *window;
        for (int y = 0; y < r->height; y++)
            for (int x = 0; x < r->width; x++)
                if (window[y * r->input_row + x * PM_BLOCK] > greatest)
                    greatest = window[y * r->input_row + x * PM_BLOCK];
        r->output[i] = clamp(greatest + (r->residual ? r->residual[i] : 0), r->low, r->high);
    }
}

static void avg_pool(const struct pm_pool_row *r) {
    for (ptrdiff_t i = 0; i < r->pixels * PM_BLOCK; i++) {
        const float *window = r->input + i / PM_BLOCK * r->input_pixel + i % PM_BLOCK;
        double total = 0;
        for (int y = 0; y < r->height; y++)
            for (int x = 0; x < r->width; x++) total += window[y * r->input_row + x * PM_BLOCK];
        double mean = total / r->divisor;
        r->output[i] = clamp((float)(r->residual ? mean + r->residual[i] : mean), r->low, r->high);
    }
}

static void norm_pixel(const struct pm_norm_row *r, const float *in, float *out) {
    double sum = 0, squares = 0;
    for (ptrdiff_t c = 0; c < r->channels; c++) sum += in[c / PM_BLOCK * r->input_block + c % PM_BLOCK];
    double mean = sum / (double)r->channels;
    for (ptrdiff_t c = 0; c < r->channels; c++) {
        double x = in[c / PM_BLOCK * r->input_block + c % PM_BLOCK] - mean;
        squares += x * x;
    }
    double deviation = sqrt(squares / (double)r->channels + r->epsilon);
    for (ptrdiff_t c = 0; c < r->channels; c++) {
        const float *scale = r->affine + c / PM_BLOCK * 2 * PM_BLOCK + c % PM_BLOCK;
        double normal = (in[c / PM_BLOCK * r->input_block + c % PM_BLOCK] - mean) / deviation;
        out[c / PM_BLOCK * r->output_block + c % PM_BLOCK] =
            clamp((float)(normal * scale[0] + scale[PM_BLOCK]), r->low, r->high);
    }
}

static void layer_norm(const struct pm_norm_row *r) {
    for (ptrdiff_t p = 0; p < r->pixels; p++) norm_pixel(r, r->input + p * PM_BLOCK, r->output + p * PM_BLOCK);
}

/* Eight chains of one float each. */
static double peak(uint64_t rounds) {
    float chain[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    volatile float factor = 0.999f;
    for (uint64_t r = 0; r < rounds; r++) {
        float f = factor;
        for (int i = 0; i < 8; i++) chain[i] = chain[i] * f + 1e-3f;
    }
    for (int i = 0; i < 8; i++) factor = chain[i];
    return (double)rounds * 8;
}

const struct pm_kernels pm_kernels_scalar = {
    .level = PM_CPU_SCALAR,
    .conv = {{"conv_f64acc_1x16_scalar", PM_SUMS_FP32, 1, 1, 0, {conv_1}},
             {"conv_f64acc_1x16_scalar", PM_SUMS_FP64, 1, 1, 0, {conv_1}}},
    .digits = digits,
    .depthwise = {{"depthwise_f64acc_scalar", PM_SUMS_FP32, 0, 0, depthwise_any},
                  {"depthwise_f64acc_scalar", PM_SUMS_FP64, 0, 0, depthwise_any}},
    PM_ROUTINES(scalar),
};
