/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"

static const struct pm_kernels *const tables[] = {
#define PM_KERNELS(level) &pm_kernels_##level,
#include "kernels/kernels.def"
#undef PM_KERNELS
};

static const int table_count = sizeof tables / sizeof *tables;

const struct pm_kernels *pm_kernels_at_most(enum pm_cpu_level level) {
    const struct pm_kernels *best = tables[0];
    for (int i = 0; i < table_count; i++)
        if (tables[i]->level <= level) best = tables[i];
    return best;
}

const struct pm_kernels *const *pm_kernels_available(int *count) {
    *count = 0;
    while (*count < table_count && tables[*count]->level <= pm_cpu_detected()) ++*count;
    return tables;
}
