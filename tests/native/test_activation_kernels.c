/* SPDX-License-Identifier: Apache-2.0 */

/* The functions of every table that this CPU runs, over floats of every size, against their formulas in long double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "kernels/kernels.h"

/* All floats in steps of a prime number of bit patterns: 2 million of them. */
#define STEP 2003

/* Parameters: of leaky_relu and hard_sigmoid. */
#define ALPHA 0.3f
#define BETA 0.45f

/* Below this the results of swish and its kin are 0 in fp32, and their formulas infinity times 0. */
#define LEAST (-1000)

static long double sigmoid(long double x) { return 1 / (1 + expl(-x)); }

static long double clip(long double x, long double low, long double high) { return fminl(fmaxl(x, low), high); }

static long double exact(enum pm_function function, long double x) {
    const long double pi = 3.14159265358979323846264338328L;
    switch (function) {
    case PM_FUNCTION_leaky_relu: return x < 0 ? ALPHA * x : x;
    case PM_FUNCTION_sigmoid: return sigmoid(x);
    case PM_FUNCTION_swish: return x < LEAST ? 0 : x * sigmoid(x);
    case PM_FUNCTION_hard_sigmoid: return clip(ALPHA * x + BETA, 0, 1);
    case PM_FUNCTION_hard_swish: return x < LEAST ? 0 : x * (clip(x + 3, 0, 6) / 6);
    case PM_FUNCTION_gelu: return x < LEAST ? 0 : x / 2 * erfcl(-x / sqrtl(2));
    case PM_FUNCTION_gelu_tanh: return x < LEAST ? 0 : x * sigmoid(2 * sqrtl(2 / pi) * (x + 0.044715L * x * x * x));
    default: return tanhl(x);
    }
}

/* From here on down the vector levels' sigmoid and swish are 0: 1e-38, and 1e-36, off. */
#define LOWEST (-87)

static int is_dropped(const struct pm_kernels *kernels, enum pm_function function, float x) {
    int drops = function == PM_FUNCTION_sigmoid || function == PM_FUNCTION_swish;
    return kernels->level != PM_CPU_SCALAR && drops && x < LOWEST;
}

/* Allowed errors of the vector levels in units of the last place; portable functions are rounded once. hard_sigmoid may
 * cancel: its unit is that of the larger operand. */
static double allowed(const struct pm_kernels *kernels, enum pm_function function, float x) {
    if (kernels->level == PM_CPU_SCALAR) return 0.51;
    if ((function == PM_FUNCTION_sigmoid || function == PM_FUNCTION_swish) && x < -20) return 6;
    static const double ulps[PM_FUNCTIONS] = {
        [PM_FUNCTION_leaky_relu] = 0.5, [PM_FUNCTION_sigmoid] = 4,      [PM_FUNCTION_swish] = 4,
        [PM_FUNCTION_hard_sigmoid] = 1, [PM_FUNCTION_hard_swish] = 2.5, [PM_FUNCTION_gelu] = 4,
        [PM_FUNCTION_gelu_tanh] = 2.5,  [PM_FUNCTION_tanh] = 3,
    };
    return ulps[function];
}

/* The distance of floats at `value`. */
static long double ulp(long double value) {
    int exponent;
    frexpl(value, &exponent);
    return ldexpl(1, (exponent < -125 ? -125 : exponent) - 24);
}

struct worst {
    double error; /* a share of what is allowed */
    float x, found;
};

static void compare(const struct pm_kernels *kernels, enum pm_function function, float x, float found,
                    struct worst *worst) {
    long double wanted = is_dropped(kernels, function, x) ? 0 : exact(function, x);
    if (isnan(x) || isinf((float)wanted) || isinf(found)) {
        if (isnan(x) ? !isnan(found) : found != (float)wanted)
            fail_msg("function %d of %.9g: %.9g", (int)function, x, found);
        return;
    }
    long double unit = ulp(function == PM_FUNCTION_hard_sigmoid && fabsl(wanted) < BETA ? BETA : wanted);
    double error = (double)(fabsl(found - wanted) / unit) / allowed(kernels, function, x);
    if (!(error <= worst->error)) *worst = (struct worst){error, x, found}; /* NaN too */
}

static void check_function(const struct pm_kernels *kernels, enum pm_function function) {
    struct worst worst = {0};
    struct guarded values = guarded_floats(PM_BLOCK, 1);
    for (uint64_t bits = 0; bits <= UINT32_MAX;) {
        float x[PM_BLOCK];
        for (int i = 0; i < PM_BLOCK; i++, bits += STEP) memcpy(&x[i], &(uint32_t){(uint32_t)bits}, sizeof *x);
        memcpy(values.data, x, sizeof x);
        kernels->activations[function](values.data, PM_BLOCK, ALPHA, BETA);
        for (int i = 0; i < PM_BLOCK; i++) compare(kernels, function, x[i], values.data[i], &worst);
    }
    free_guarded(&values);
    double ulps = worst.error * allowed(kernels, function, worst.x);
    print_message("           %s %d: %.2f ulp, at %.9g\n", kernels->name, (int)function, ulps, worst.x);
    if (!(worst.error <= 1))
        fail_msg("%s, function %d of %.9g: %.9g, off by %g ulp", kernels->name, (int)function, worst.x, worst.found,
                 ulps);
}

static void each_function(void (*check)(const struct pm_kernels *kernels, enum pm_function function)) {
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    for (int i = 0; i < count; i++) {
        assert_null(tables[i]->activations[PM_IDENTITY]);
        for (enum pm_function f = PM_IDENTITY + 1; f < PM_FUNCTIONS; f++) check(tables[i], f);
    }
}

static void test_every_size(void **state) {
    (void)state;
    each_function(check_function);
}

static void check_special(const struct pm_kernels *kernels, enum pm_function function) {
    static const float special[] = {0.0f,   -0.0f,   1e-45f,   -1e-45f, 1e-38f, -1e-38f, INFINITY, -INFINITY,
                                    NAN,    3.4e38f, -3.4e38f, -87.4f,  -88.8f, -103.9f, -104.1f,  -12.9f,
                                    -13.1f, -14.4f,  -14.6f,   3,       -3,     2.5e-8f};
    struct worst worst = {0};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        float values[PM_BLOCK];
        for (int c = 0; c < PM_BLOCK; c++) values[c] = special[i];
        kernels->activations[function](values, PM_BLOCK, ALPHA, BETA);
        for (int c = 0; c < PM_BLOCK; c++) compare(kernels, function, special[i], values[c], &worst);
    }
    assert_true(worst.error <= 1);
}

static void test_special_values(void **state) {
    (void)state;
    each_function(check_special);
}

/* All of the row and nothing else, each value by itself. */
static void check_rows(const struct pm_kernels *kernels, enum pm_function function) {
    for (int pixels = 1; pixels <= 7; pixels++)
        for (int at_end = 0; at_end < 2; at_end++) {
            struct guarded row = guarded_floats((size_t)pixels * PM_BLOCK, at_end);
            for (int i = 0; i < pixels * PM_BLOCK; i++) row.data[i] = (float)(i % 29) / 3 - 5;
            kernels->activations[function](row.data, pixels * PM_BLOCK, ALPHA, BETA);
            for (int i = 0; i < pixels * PM_BLOCK; i++) {
                float alone[PM_BLOCK] = {0};
                alone[i % PM_BLOCK] = (float)(i % 29) / 3 - 5;
                kernels->activations[function](alone, PM_BLOCK, ALPHA, BETA);
                assert_memory_equal(&alone[i % PM_BLOCK], &row.data[i], sizeof *alone);
            }
            free_guarded(&row);
        }
}

static void test_rows(void **state) {
    (void)state;
    each_function(check_rows);
}

/* A clamp, which every kernel applies, keeps a NaN too. */
static void test_clamped_nan(void **state) {
    (void)state;
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    for (int i = 0; i < count; i++) {
        float ones[PM_BLOCK], values[PM_BLOCK], zeros[PM_BLOCK] = {0};
        for (int c = 0; c < PM_BLOCK; c++) ones[c] = 1, values[c] = c % 2 ? NAN : -(float)c;
        tables[i]->affine(values, values, ones, zeros, 1, 0, 6);
        for (int c = 0; c < PM_BLOCK; c++) assert_true(c % 2 ? isnan(values[c]) : values[c] == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_clamped_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
