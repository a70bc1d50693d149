/* SPDX-License-Identifier: Apache-2.0 */

/* What max_pool and avg_pool share: windows that leave out the padding. */
#ifndef POMONA_LAYERS_POOLING_H
#define POMONA_LAYERS_POOLING_H

#include "layers/layer.h"

/* The functions of struct pm_layer; node->state holds the layer's own padding. BAD_MODEL for a window that may lie in
 * the padding as a whole, UNSUPPORTED for dilations. */
pomona_status pm_pooling_read(struct pm_node *node, const cJSON *attributes, pomona_error *error);
pomona_status pm_pooling_infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error);

/* Computes the value by `kernel`, one call for as many pixels in a row as have all their columns. */
void pm_pooling_run(const struct pm_node *node, const struct pm_run *run, pm_pool_kernel *kernel);

#endif
