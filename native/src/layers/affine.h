/* SPDX-License-Identifier: Apache-2.0 */

/* What layers share that are nothing but a scale and a shift by channel: both live in the node's epilogue and move into
 * that of the node before where it takes them. */
#ifndef POMONA_LAYERS_AFFINE_H
#define POMONA_LAYERS_AFFINE_H

#include "layers/layer.h"

/* Room for `channels` scales and shifts in the node's epilogue, 1 and 0; the node frees it. OUT_OF_MEMORY. */
pomona_status pm_affine_allocate(struct pm_node *node, uint64_t channels, pomona_error *error);

/* The shape of the input, and the epilogue from two weights that may be left out. */
pomona_status pm_affine_infer(struct pm_node *node, const struct pm_shape *inputs, const char *scale_role,
                              const char *shift_role, pomona_error *error);

/* The functions of struct pm_layer. pm_affine_pack gives each block of 16 channels as [scale][shift]. */
int pm_affine_fold(struct pm_node *node, struct pm_node *before);
pomona_status pm_affine_prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error);
void pm_affine_pack(const struct pm_node *node, const struct pm_plan *plan, float *packed);
void pm_affine_run(const struct pm_node *node, const struct pm_run *run);

#endif
