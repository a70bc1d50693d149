/* SPDX-License-Identifier: Apache-2.0 */
#include "naive_activations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static double parameter(const cJSON *attributes, const char *key, double otherwise) {
    const cJSON *item = cJSON_GetObjectItem(attributes, key);
    return item ? item->valuedouble : otherwise;
}

static double clip(double x, double low, double high) { return fmin(fmax(x, low), high); }

static double gelu(double x, int approximate) {
    const double pi = 3.14159265358979323846;
    if (!approximate) return x / 2 * erfc(-x / sqrt(2));
    return x / (1 + exp(-2 * sqrt(2 / pi) * (x + 0.044715 * x * x * x))); /* (1 + tanh(u)) / 2 = 1 / (1 + e^-2u) */
}

double naive_activation(const cJSON *a, double x) {
    const char *kind = cJSON_GetObjectItem(a, "kind")->valuestring;
    if (!strcmp(kind, "relu")) return clip(x, 0, INFINITY);
    if (!strcmp(kind, "relu6")) return clip(x, 0, 6);
    if (!strcmp(kind, "clip")) return clip(x, parameter(a, "low", NAN), parameter(a, "high", NAN));
    if (!strcmp(kind, "leaky_relu")) return x < 0 ? x * parameter(a, "alpha", NAN) : x;
    if (!strcmp(kind, "sigmoid")) return 1 / (1 + exp(-x));
    if (!strcmp(kind, "swish")) return x / (1 + exp(-x));
    if (!strcmp(kind, "hard_sigmoid"))
        return clip(parameter(a, "alpha", 1 / 6.0) * x + parameter(a, "beta", 0.5), 0, 1);
    if (!strcmp(kind, "hard_swish")) return x * clip(x + 3, 0, 6) / 6;
    if (!strcmp(kind, "gelu")) return gelu(x, cJSON_IsTrue(cJSON_GetObjectItem(a, "approximate")));
    if (!strcmp(kind, "tanh")) return tanh(x);
    fail_msg("no activation %s", kind);
    return 0;
}
