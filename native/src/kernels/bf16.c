/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/bf16.h"

#include <string.h>

#include "pomona.h"

#ifdef POMONA_LEVEL_avx512
extern const struct pm_bf16_kernels pm_bf16_kernels_avx512, pm_bf16_kernels_amx;
#endif

const struct pm_bf16_kernels *pm_bf16_kernels(void) {
#ifdef POMONA_LEVEL_avx512
    if (pm_cpu_allows_bf16()) return pm_cpu_allows_amx() ? &pm_bf16_kernels_amx : &pm_bf16_kernels_avx512;
#endif
    return NULL;
}

const char *pomona_cpu_bf16(void) { return pm_bf16_kernels() ? pm_bf16_kernels()->name : NULL; }

/* The upper half of a float's bits, after adding just under a half of its last place, or a half where that is odd. */
static uint32_t rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

float pm_bf16_rest(float value, int slices) {
    for (; slices > 0; slices--) {
        uint32_t bits = rounded(value) << 16;
        float slice;
        memcpy(&slice, &bits, sizeof slice);
        value -= slice;
    }
    return value;
}

float pm_bf16_pair(float even, float odd) {
    float pair;
    uint32_t bits = rounded(odd) << 16 | rounded(even);
    memcpy(&pair, &bits, sizeof pair);
    return pair;
}
