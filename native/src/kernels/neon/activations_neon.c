/* SPDX-License-Identifier: Apache-2.0 */
#define PM_VL 4
#include "kernels/activations.inc.c"

pm_activation_kernel *const pm_activations_neon[PM_FUNCTIONS] = {
#include "kernels/activations.def"
};
