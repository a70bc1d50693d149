/* SPDX-License-Identifier: Apache-2.0 */

/* Activations that are more than a clamp, one table of functions a CPU level. */
#ifndef POMONA_KERNELS_ACTIVATIONS_H
#define POMONA_KERNELS_ACTIVATIONS_H

#include <stddef.h>

enum pm_function {
    PM_IDENTITY,
#define PM_ACTIVATION(name) PM_FUNCTION_##name,
#include "kernels/activations.def"
#undef PM_ACTIVATION
    PM_FUNCTIONS
};

struct pm_activation {
    enum pm_function function;
    float alpha, beta; /* for those that have parameters */
};

/* values[i] = f(values[i]). count: a multiple of 16. Right for every float: NaN stays NaN, an infinity becomes the
 * limit. What underflows does so by steps, but sigmoid and swish are 0 below -87 (portable ones aside). */
typedef void pm_activation_kernel(float *values, ptrdiff_t count, float alpha, float beta);

/* By function; NULL for the identity. */
#define PM_KERNELS(level) extern pm_activation_kernel *const pm_activations_##level[PM_FUNCTIONS];
#include "kernels/kernels.def"
#undef PM_KERNELS

#endif
