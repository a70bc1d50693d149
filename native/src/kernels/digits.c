/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/digits.h"

#include <string.h>

const struct pm_conv_tiling *pm_conv_digits(const struct pm_kernels *kernels) {
    return kernels->digits_vnni && pm_cpu_allowed() >= PM_CPU_VNNI ? kernels->digits_vnni : kernels->digits;
}

float pm_digit_pair(int even, int odd) {
    const int16_t numbers[] = {(int16_t)even, (int16_t)odd};
    float pair;
    memcpy(&pair, numbers, sizeof pair);
    return pair;
}
