/* SPDX-License-Identifier: Apache-2.0 */

/* Bytes to the numbers that a network reads: x = (byte / divide - subtract) / std, by channel of the network. */
#ifndef POMONA_GRAPH_PREPROCESS_H
#define POMONA_GRAPH_PREPROCESS_H

#include <cjson/cJSON.h>

#include "core/status.h"

#define PM_INPUT_CHANNELS 3
#define PM_WHOLE_BITS 8 /* whole numbers of a map: magnitude <= 2^PM_WHOLE_BITS */

struct pm_preprocess {
    int reverse; /* the network's first channel is blue */
    float divide[PM_INPUT_CHANNELS], subtract[PM_INPUT_CHANNELS], std[PM_INPUT_CHANNELS];
    float table[PM_INPUT_CHANNELS][256]; /* what a byte becomes */
    int altered;                         /* the table holds more than divide, subtract and std say */
    float step, offset;                  /* step not 0: the table is byte x step + offset in all channels */
};

/* Reads the object `preprocess` of the graph. The table holds x, computed in fp32 in the order of the formula. */
pomona_status pm_preprocess_read(const cJSON *graph, struct pm_preprocess *preprocess, pomona_error *error);

/* x becomes x scale + shift, by channel. */
void pm_preprocess_affine(struct pm_preprocess *preprocess, const double *scale, const double *shift);

/* Makes the table hold whole numbers, of which x is unit[c] times as much and zero means zero, and returns 1; or leaves
 * all as it is and returns 0, where there are none such up to 2^PM_WHOLE_BITS. */
int pm_preprocess_make_whole(struct pm_preprocess *preprocess, double unit[PM_INPUT_CHANNELS]);

/* One row of `width` RGB pixels to floats in the order of the network's channels, `pixel` floats from one to the next.
 */
void pm_preprocess_row(const struct pm_preprocess *preprocess, const uint8_t *rgb, uint32_t width, float *to,
                       size_t pixel);

/* The same of a table that holds whole numbers, to int16 side by side. */
void pm_preprocess_whole_row(const struct pm_preprocess *preprocess, const uint8_t *rgb, uint32_t width, int16_t *to);

#endif
