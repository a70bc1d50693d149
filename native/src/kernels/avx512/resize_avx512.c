/* SPDX-License-Identifier: Apache-2.0 */
#define PM_VL 16
#include "kernels/resize.inc.c"

const struct pm_resize_kernels pm_resize_kernels_avx512 = {.horizontal = horizontal, .vertical = vertical};
