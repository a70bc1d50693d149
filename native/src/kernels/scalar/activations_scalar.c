/* SPDX-License-Identifier: Apache-2.0 */

/* Activations in portable C, in fp64 by the C library: the oracle of the vector levels. */
#include <math.h>

#include "kernels/activations.h"

/* Far below 0 the results of swish and its kin underflow, also where the formula has an infinity times 0. */
#define LEAST (-200.0)

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

static double leaky_relu(double x, double alpha) { return x < 0 ? alpha * x : x; }

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static double swish(double x) { return x < LEAST ? -0.0 : x * sigmoid(x); }

static double hard_sigmoid(double x, double alpha, double beta) { return clamp(alpha * x + beta, 0, 1); }

static double hard_swish(double x) { return x < -3 ? -0.0 : x * (clamp(x + 3, 0, 6) / 6); }

static double gelu(double x) { return x < LEAST ? -0.0 : 0.5 * x * erfc(-x * sqrt(0.5)); }

static double gelu_tanh(double x) {
    const double scale = 1.5957691216057307; /* 2 sqrt(2 / pi); (1 + tanh(u)) / 2 = sigmoid(2 u) */
    return x < LEAST ? -0.0 : x * sigmoid(scale * (x + 0.044715 * x * x * x));
}

#define EACH(name, value)                                                                                              \
    static void activate_##name(float *values, ptrdiff_t count, float alpha, float beta) {                             \
        (void)alpha, (void)beta;                                                                                       \
        for (ptrdiff_t i = 0; i < count; i++) {                                                                        \
            double x = values[i];                                                                                      \
            values[i] = (float)(value);                                                                                \
        }                                                                                                              \
    }

EACH(leaky_relu, leaky_relu(x, alpha))
EACH(sigmoid, sigmoid(x))
EACH(swish, swish(x))
EACH(hard_sigmoid, hard_sigmoid(x, alpha, beta))
EACH(hard_swish, hard_swish(x))
EACH(gelu, gelu(x))
EACH(gelu_tanh, gelu_tanh(x))
EACH(tanh, tanh(x))

#define PM_ACTIVATION(name) [PM_FUNCTION_##name] = activate_##name,
pm_activation_kernel *const pm_activations_scalar[PM_FUNCTIONS] = {
#include "kernels/activations.def"
};
