/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "kernels/kernels.h"
#include "pomona.h"

#define ROUNDS 200000
#define TRIES 25

const char *pomona_cpu_level(void) { return pm_kernels_at_most(pm_cpu_allowed())->name; }

static double seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double pomona_cpu_peak(void) {
    const struct pm_kernels *kernels = pm_kernels_at_most(pm_cpu_allowed());
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        double begin = seconds(), done = kernels->peak(ROUNDS), rate = done / (seconds() - begin);
        if (rate > best) best = rate;
    }
    return best;
}
