/* SPDX-License-Identifier: Apache-2.0 */
#define PM_VL 4
#include "kernels/moments.inc.c"

MOMENT_KERNELS(neon)
