/* SPDX-License-Identifier: Apache-2.0 */

/* What the tables of all levels name alike: the routines of the including file, which bear the names of pm_kernels'
 * fields, and the tables of the level's other files. */
#ifndef POMONA_KERNELS_ROUTINES_H
#define POMONA_KERNELS_ROUTINES_H

#include "kernels/kernels.h"

#define PM_ROUTINES(level)                                                                                             \
    .name = #level, .add = add, .multiply = multiply, .affine = affine, .scale_rows = scale_rows, .sum = sum,          \
    .maximum = maximum, .max_pool = max_pool, .avg_pool = avg_pool, .layer_norm = layer_norm,                          \
    .activations = pm_activations_##level, .peak = peak, .moments = &pm_moment_kernels_##level,                        \
    .resize = &pm_resize_kernels_##level

#endif
