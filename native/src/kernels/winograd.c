/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/winograd.h"

/* Value 0 is at the point 0, then +p and -p of each pair follow, then infinity. */
static double point_of(const struct pm_winograd_points *points, int value) {
    if (value == 0) return 0;
    double p = points->at[(value - 1) / 2];
    return value % 2 ? p : -p;
}

/* Product of the distances of a value's point to the other finite ones. */
static double distances_of(const struct pm_winograd_points *points, int value) {
    double p = point_of(points, value), product = 1;
    for (int other = 0; other <= 2 * points->pairs; other++)
        if (other != value) product *= p - point_of(points, other);
    return product;
}

void pm_winograd_to_values(const struct pm_winograd_points *points, int taps,
                           double to_values[PM_WINOGRAD_PATCH_MAX][PM_WINOGRAD_KERNEL_MAX]) {
    int last = 2 * points->pairs + 1;
    for (int value = 0; value < last; value++) {
        double power = 1 / distances_of(points, value);
        for (int tap = 0; tap < taps; tap++, power *= point_of(points, value)) to_values[value][tap] = power;
    }
    for (int tap = 0; tap < taps && points->values > last; tap++) to_values[last][tap] = tap == taps - 1;
}
