/* SPDX-License-Identifier: Apache-2.0 */

/* Rows of a depthwise convolution's input that wait in scratch until they are read: rounded to couples of pixels
 * (kernels/bf16.h), or clamped by the node's prologue, or both. Zeros beside the input are written there as well. */
#ifndef POMONA_LAYERS_DEPTHWISE_ROWS_H
#define POMONA_LAYERS_DEPTHWISE_ROWS_H

#include "layers/conv_bands.h"

/* A row under the node's windows; in floats. */
struct pm_waiting_row {
    ptrdiff_t length;
    ptrdiff_t left, right; /* from its begin to the input's first pixel, and from the input's last one to its end */
};
struct pm_waiting_row pm_waiting_row_of(const struct pm_node *node, const struct pm_plan *plan, int couples);

/* Rows of the node's value that are made from those that wait together, and floats of scratch for these. */
uint32_t pm_waiting_rows(const struct pm_node *node, const struct pm_waiting_row *row);
uint64_t pm_waiting_floats(const struct pm_node *node, const struct pm_waiting_row *row);

/* Writes the rows under `band`, of a map of floats, to `waiting`. */
void pm_waiting_enter(const struct pm_node *node, const struct pm_run *run, const struct pm_band *band, int couples,
                      float *waiting);

/* `before` does nothing but clamp, which `node`, a depthwise convolution, can do while its rows enter: then it is the
 * node's prologue. Free where they are rounded anyway; in fp32 a pass over all rows in cache costs what it saves. */
int pm_depthwise_takes(const struct pm_node *node, const struct pm_node *before);

#endif
