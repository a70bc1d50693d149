/* SPDX-License-Identifier: Apache-2.0 */

/* The routines of a vector level; the including file sets PM_VL, chooses the shapes of its tiles and lists all in its
 * table. */
#include "kernels/conv_tile.inc.c"
#include "kernels/conv_wide.inc.c"
#include "kernels/depthwise.h"
#include "kernels/elementwise.inc.c"
#include "kernels/layer_norm.inc.c"
#include "kernels/moments.h"
#include "kernels/pool.inc.c"
#include "kernels/routines.h"
#include "kernels/windows.h"
#include "kernels/winograd.inc.c"

#define VECTOR_ROUTINES(level)                                                                                         \
    PM_ROUTINES(level),                                                                                                \
        .subtract = subtract,                                                                                          \
        .depthwise = {DEPTHWISE_7X7(#level, "f32"), DEPTHWISE_VARIANTS(#level, PM_SUMS_FP32, f32, "f32"),              \
                      DEPTHWISE_APART_VARIANTS(#level) DEPTHWISE_VARIANTS(#level, PM_SUMS_FP64, f64, "f64acc")},       \
        .winograd = WINOGRAD_FORMS(#level)
