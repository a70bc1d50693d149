/* SPDX-License-Identifier: Apache-2.0 */

/* Pillow's filters as tables of integer weights. The order of the floating-point operations, the single-precision
 * constants of hamming and both ways of rounding are part of the result; nothing here may be contracted to FMA. */
#include "image/resize.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double bilinear(double x) {
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x) {
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= pi;
    return sin(x) / x * (0.54f + 0.46f * cos(x));
}

/* Keys' cubic with a = -0.5. */
static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double sinc(double x) {
    if (x == 0.0) return 1.0;
    x *= pi;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

struct filter {
    double (*weight)(double x);
    double support; /* half the window in source pixels, when the image grows */
};

static const struct filter filters[] = {
    [POMONA_RESAMPLE_BOX] = {box, 0.5},         [POMONA_RESAMPLE_BILINEAR] = {bilinear, 1.0},
    [POMONA_RESAMPLE_HAMMING] = {hamming, 1.0}, [POMONA_RESAMPLE_BICUBIC] = {bicubic, 2.0},
    [POMONA_RESAMPLE_LANCZOS] = {lanczos, 3.0},
};

static int32_t to_fixed(double weight) {
    double scaled = weight * (1 << PM_WEIGHT_BITS);
    return (int32_t)(weight < 0 ? -0.5 + scaled : 0.5 + scaled);
}

/* Weights of the `taps` pixels from `first` on, for a window around `center`; their sum becomes 1. */
static void weigh(const struct filter *filter, double center, double shrink, uint32_t first, uint32_t taps,
                  double *scratch, int32_t *weights) {
    double sum = 0.0, step = 1.0 / shrink;
    for (uint32_t t = 0; t < taps; t++) {
        scratch[t] = filter->weight(((double)t + first - center + 0.5) * step);
        sum += scratch[t];
    }
    for (uint32_t t = 0; t < taps; t++) weights[t] = to_fixed(sum != 0.0 ? scratch[t] / sum : scratch[t]);
}

void pm_windows_compute(struct pm_windows *windows, struct pm_pool *pool, const struct pm_side *side,
                        pomona_resample filter) {
    const struct filter *chosen = &filters[filter];
    double scale = (double)side->source / (double)side->scaled;
    double shrink = scale < 1.0 ? 1.0 : scale; /* windows widen only when the image shrinks */
    double support = chosen->support * shrink;
    uint64_t widest = (uint64_t)ceil(support) * 2 + 1;
    windows->count = side->count;
    windows->stride = (uint32_t)(widest < side->source ? widest : side->source);
    windows->first = pool->take(pool, side->count, sizeof *windows->first);
    windows->taps = pool->take(pool, side->count, sizeof *windows->taps);
    windows->weights = pool->take(pool, (uint64_t)side->count * windows->stride, sizeof *windows->weights);
    double *scratch = pool->take(pool, windows->stride, sizeof *scratch);
    for (uint32_t i = 0; i < side->count; i++) {
        double center = ((double)(side->offset + i) + 0.5) * scale;
        double low = center - support + 0.5, high = center + support + 0.5;
        uint32_t first = low < 0.0 ? 0 : (uint32_t)low;
        uint32_t end = high > side->source ? side->source : (uint32_t)high;
        windows->first[i] = first;
        windows->taps[i] = end - first;
        weigh(chosen, center, shrink, first, end - first, scratch, windows->weights + (size_t)i * windows->stride);
    }
}
