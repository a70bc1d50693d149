/* SPDX-License-Identifier: Apache-2.0 */

/* The operators of docs/model-format.md as plain loops in fp64: what the engine must agree with. */
#ifndef POMONA_TESTS_NAIVE_NET_H
#define POMONA_TESTS_NAIVE_NET_H

#include "model_maker.h"

/* height x width x channels numbers, in that order, of malloc. */
struct naive_map {
    int height, width, channels;
    double *values;
};

/* The feature map of one image. */
struct naive_map naive_run(const struct model_maker *model, const uint8_t *rgb);

#endif
