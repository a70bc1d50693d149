/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/preprocess.h"

#include <math.h>
#include <string.h>

#include "core/json.h"

static pomona_status read_triple(const cJSON *preprocess, const char *key, float *values, pomona_error *error) {
    const cJSON *array, *item;
    int i = 0;
    POMONA_TRY(pm_json_array(preprocess, key, "graph: preprocess", &array, error));
    cJSON_ArrayForEach(item, array) {
        POMONA_RETURN_IF(i == PM_INPUT_CHANNELS || !cJSON_IsNumber(item) || !isfinite(item->valuedouble), error,
                         POMONA_BAD_MODEL, "graph: preprocess: `%s` must be three finite numbers", key);
        values[i++] = (float)item->valuedouble;
    }
    POMONA_RETURN_IF(i != PM_INPUT_CHANNELS, error, POMONA_BAD_MODEL,
                     "graph: preprocess: `%s` must be three finite numbers", key);
    return POMONA_OK;
}

/* The reference's own fp32 operations, so that every x is its bit for bit. */
static void tabulate(struct pm_preprocess *p, int c) {
    for (int byte = 0; byte < 256; byte++) {
        float scaled = (float)byte / p->divide[c];
        float centred = scaled - p->subtract[c];
        p->table[c][byte] = centred / p->std[c];
    }
}

pomona_status pm_preprocess_read(const cJSON *graph, struct pm_preprocess *preprocess, pomona_error *error) {
    const cJSON *json;
    const char *channels;
    POMONA_TRY(pm_json_object(graph, "preprocess", "graph", &json, error));
    POMONA_TRY(pm_json_string(json, "channels", "graph: preprocess", &channels, error));
    preprocess->reverse = !strcmp(channels, "bgr");
    preprocess->step = 0;
    POMONA_RETURN_IF(!preprocess->reverse && strcmp(channels, "rgb") != 0, error, POMONA_BAD_MODEL,
                     "graph: preprocess: `channels` must be rgb or bgr");
    POMONA_TRY(read_triple(json, "divide", preprocess->divide, error));
    POMONA_TRY(read_triple(json, "subtract", preprocess->subtract, error));
    POMONA_TRY(read_triple(json, "std", preprocess->std, error));
    for (int c = 0; c < PM_INPUT_CHANNELS; c++) {
        POMONA_RETURN_IF(preprocess->divide[c] == 0 || preprocess->std[c] == 0, error, POMONA_BAD_MODEL,
                         "graph: preprocess: `divide` and `std` must not be zero");
        tabulate(preprocess, c);
    }
    return POMONA_OK;
}

void pm_preprocess_affine(struct pm_preprocess *p, const double *scale, const double *shift) {
    for (int c = 0; c < PM_INPUT_CHANNELS; c++)
        for (int byte = 0; byte < 256; byte++) p->table[c][byte] = (float)(p->table[c][byte] * scale[c] + shift[c]);
    p->altered = 1;
}

/* x = (2 byte - 2 zero) / (2 divide std), where `zero` is the byte of x = 0: whole if that is so by halves. */
int pm_preprocess_make_whole(struct pm_preprocess *p, double unit[PM_INPUT_CHANNELS]) {
    double zero = (double)p->divide[0] * p->subtract[0];
    if (p->altered) return 0;
    for (int c = 0; c < PM_INPUT_CHANNELS; c++)
        if ((double)p->divide[c] * p->subtract[c] != zero) return 0;
    float step = zero == rint(zero) ? 1 : 2;
    double largest = fmax(fabs(zero), fabs(UINT8_MAX - zero)) * step;
    if (largest > 1 << PM_WHOLE_BITS || zero * step != rint(zero * step)) return 0;
    p->step = step;
    p->offset = (float)(-zero * p->step);
    for (int c = 0; c < PM_INPUT_CHANNELS; c++) {
        unit[c] = 1 / ((double)p->step * p->divide[c] * p->std[c]);
        for (int byte = 0; byte < 256; byte++) p->table[c][byte] = (float)byte * p->step + p->offset;
    }
    return 1;
}

void pm_preprocess_row(const struct pm_preprocess *p, const uint8_t *rgb, uint32_t width, float *to, size_t pixel) {
    if (p->step != 0 && !p->reverse && pixel == PM_INPUT_CHANNELS) { /* a loop that compilers turn into vectors */
        const float step = p->step, offset = p->offset;
        for (uint32_t i = 0; i < width * PM_INPUT_CHANNELS; i++) to[i] = (float)rgb[i] * step + offset;
        return;
    }
    const int first = p->reverse ? 2 : 0;
    for (uint32_t x = 0; x < width; x++, rgb += PM_INPUT_CHANNELS, to += pixel) {
        to[0] = p->table[0][rgb[first]];
        to[1] = p->table[1][rgb[1]];
        to[2] = p->table[2][rgb[2 - first]];
    }
}

void pm_preprocess_whole_row(const struct pm_preprocess *p, const uint8_t *rgb, uint32_t width, int16_t *to) {
    const int16_t step = (int16_t)p->step, offset = (int16_t)p->offset;
    for (uint32_t i = 0; i < width * PM_INPUT_CHANNELS; i++) to[i] = (int16_t)(rgb[i] * step + offset);
    for (uint32_t i = 0; p->reverse && i < width * PM_INPUT_CHANNELS; i += PM_INPUT_CHANNELS) {
        int16_t red = to[i];
        to[i] = to[i + 2];
        to[i + 2] = red;
    }
}
