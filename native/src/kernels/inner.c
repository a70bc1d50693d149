/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/inner.h"

#include "pomona.h"

int pomona_cpu_inner(void) { return pm_conv_inner(pm_kernels_at_most(pm_cpu_allowed())) != NULL; }

const struct pm_conv_inner *pm_conv_inner(const struct pm_kernels *kernels) {
    return pm_cpu_adds_beside() ? kernels->inner : NULL;
}
