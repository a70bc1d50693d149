/* SPDX-License-Identifier: Apache-2.0 */

/* The kinds of `activation`, by their formulas. */
#ifndef POMONA_TESTS_NAIVE_ACTIVATIONS_H
#define POMONA_TESTS_NAIVE_ACTIVATIONS_H

#include <cjson/cJSON.h>

/* Of a finite number. */
double naive_activation(const cJSON *attributes, double x);

#endif
