/* SPDX-License-Identifier: Apache-2.0 */

/* Portable C, the oracle of the vector levels. */
#include <math.h>

#include "kernels/moments.h"

#define WIDTH 8

static void multiply(const double *a, const double *b, ptrdiff_t rows, int columns, double *tile) {
    for (int i = 0; i < WIDTH; i++) {
        double sum[WIDTH] = {0};
        for (ptrdiff_t row = 0; row < rows; row++)
            for (int j = 0; j < columns; j++) sum[j] += a[row * WIDTH + i] * b[row * WIDTH + j];
        for (int j = 0; j < WIDTH; j++) tile[i * WIDTH + j] += sum[j];
    }
}

static void summarize(const double *panel, ptrdiff_t rows, double *mean, double *largest) {
    for (int j = 0; j < WIDTH; j++) {
        double first = panel[j], sum = 0;
        largest[j] = 0;
        for (ptrdiff_t row = 1; row < rows; row++) {
            double distance = panel[row * WIDTH + j] - first;
            sum += distance;
            largest[j] = fmax(largest[j], fabs(distance));
        }
        mean[j] = sum / (double)rows;
    }
}

static void center(double *panel, ptrdiff_t rows, const double *mean, const double *scale) {
    for (ptrdiff_t row = 0; row < rows; row++)
        for (int j = 0; j < WIDTH; j++) panel[row * WIDTH + j] = (panel[row * WIDTH + j] - mean[j]) * scale[j];
}

const struct pm_moment_kernels pm_moment_kernels_scalar = {
    .name = "moments_f64_scalar", .width = WIDTH, .multiply = multiply, .summarize = summarize, .center = center};
