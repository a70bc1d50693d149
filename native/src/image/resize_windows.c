/* SPDX-License-Identifier: Apache-2.0 */

/* Pillow's filters as tables of integer weights. The order of the floating-point operations, the single-precision
 * constants of hamming and both ways of rounding are part of the result; nothing here may be contracted to FMA. */
#include "image/resize.h"

#include <math.h>
#include <string.h>

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

/* Its two halves; the low one is signed. */
static void store_weight(int16_t *weights, uint32_t t, int32_t weight) {
    int16_t *low = weights + pm_weight_place(t);
    *low = (int16_t)(uint16_t)weight;
    low[PM_WEIGHT_GROUP] = (int16_t)((weight - *low) / 65536);
}

/* Places of all windows and the widest of them. */
static void place(struct pm_windows *windows, const struct pm_side *side, double scale, double support) {
    for (uint32_t i = 0; i < side->count; i++) {
        double center = ((double)(side->offset + i) + 0.5) * scale;
        double low = center - support + 0.5, high = center + support + 0.5;
        uint32_t end = high > side->source ? side->source : (uint32_t)high;
        windows->first[i] = low < 0.0 ? 0 : (uint32_t)low;
        windows->taps[i] = end - windows->first[i];
        if (windows->taps[i] > windows->widest) windows->widest = windows->taps[i];
    }
    windows->widest = (windows->widest + PM_WIDEST_STEP - 1) / PM_WIDEST_STEP * PM_WIDEST_STEP;
    windows->groups = (windows->widest + PM_WEIGHT_GROUP - 1) / PM_WEIGHT_GROUP;
}

/* Weights of window i, around `center`; their sum becomes 1. Then the window grows to the left, by zeros, where the
 * widest one would not end within the source. */
static void weigh(struct pm_windows *windows, uint32_t i, const struct filter *filter, double center, double shrink,
                  uint32_t source, double *scratch) {
    uint32_t first = windows->first[i], taps = windows->taps[i];
    double sum = 0.0, step = 1.0 / shrink;
    for (uint32_t t = 0; t < taps; t++) {
        scratch[t] = filter->weight(((double)t + first - center + 0.5) * step);
        sum += scratch[t];
    }
    uint32_t latest = source > windows->widest ? source - windows->widest : 0;
    uint32_t shift = first > latest ? first - latest : 0;
    windows->first[i] -= shift;
    windows->taps[i] += shift;
    int16_t *weights = pm_window_weights(windows, i);
    for (uint32_t t = 0; t < taps; t++)
        store_weight(weights, shift + t, to_fixed(sum != 0.0 ? scratch[t] / sum : scratch[t]));
}

void pm_windows_compute(struct pm_windows *windows, struct pm_pool *pool, const struct pm_side *side,
                        pomona_resample filter) {
    const struct filter *chosen = &filters[filter];
    double scale = (double)side->source / (double)side->scaled;
    double shrink = scale < 1.0 ? 1.0 : scale; /* windows widen only when the image shrinks */
    *windows = (struct pm_windows){.count = side->count};
    windows->first = pool->take(pool, side->count, sizeof *windows->first);
    windows->taps = pool->take(pool, side->count, sizeof *windows->taps);
    place(windows, side, scale, chosen->support * shrink);
    uint64_t numbers = (uint64_t)side->count * windows->groups * 2 * PM_WEIGHT_GROUP;
    windows->weights = pool->take(pool, numbers, sizeof *windows->weights);
    memset(windows->weights, 0, numbers * sizeof *windows->weights);
    double *scratch = pool->take(pool, windows->widest, sizeof *scratch);
    for (uint32_t i = 0; i < side->count; i++) {
        double center = ((double)(side->offset + i) + 0.5) * scale;
        weigh(windows, i, chosen, center, shrink, side->source, scratch);
    }
}
