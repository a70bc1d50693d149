/* SPDX-License-Identifier: Apache-2.0 */

/* The oracle's tools, and its layers beside convolutions, norms and activations. */
#ifndef POMONA_TESTS_NAIVE_LAYERS_H
#define POMONA_TESTS_NAIVE_LAYERS_H

#include "naive_net.h"

/* All zero. */
struct naive_map new_map(int height, int width, int channels);

/* Zero outside of the map: padding. */
double at(const struct naive_map *map, int y, int x, int c);
double *slot(const struct naive_map *map, int y, int x, int c);

/* A weight by its role, NULL when it was left out; number `index` of an attribute. */
const float *weight(const struct model_maker *model, const cJSON *node, const char *role);
int number(const cJSON *attributes, const char *key, int index, int otherwise);

/* The value of a node, or one without `values` when its operator is not of this file. */
struct naive_map naive_layer(const struct model_maker *model, const cJSON *node, const struct naive_map *const *inputs,
                             int count);

#endif
