/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/inner.h"

const struct pm_conv_inner *pm_conv_inner(const struct pm_kernels *kernels) {
    return pm_cpu_adds_beside() ? kernels->inner : NULL;
}
