/* SPDX-License-Identifier: Apache-2.0 */

/* Which level is used under the environment's POMONA_CPU. CTest runs this once for each value of interest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "pomona.h"

/* "At most this level": a higher or unknown word, or another architecture's, leaves what the CPU has. */
static enum pm_cpu_level expected(void) {
    const char *wanted = getenv("POMONA_CPU");
    enum pm_cpu_level level = pm_cpu_detected();
    const int lower = level == PM_CPU_NEON ? 1 : (int)level; /* NEON contains scalar alone */
    for (int i = 0; wanted && i < lower; i++)
        if (!strcmp(wanted, pm_cpu_name((enum pm_cpu_level)i))) return (enum pm_cpu_level)i;
    return level;
}

static void test_allowed(void **state) {
    (void)state;
    assert_int_equal(pm_cpu_allowed(), expected());
    assert_int_equal(pm_cpu_allowed(), expected()); /* asked once, kept */
    print_message("           POMONA_CPU=%s: %s, kernels %s\n", getenv("POMONA_CPU") ? getenv("POMONA_CPU") : "",
                  pm_cpu_name(pm_cpu_allowed()), pomona_cpu_level());
}

/* The best table that was compiled and is allowed. */
static void test_level(void **state) {
    (void)state;
    const char *best = "scalar";
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    for (int i = 0; i < count; i++)
        if (tables[i]->level <= expected()) best = tables[i]->name;
    assert_string_equal(pomona_cpu_level(), best);
}

/* Tiles are asked for at level amx alone, and stand aside where the system or POMONA_CPU refuses them. */
static void test_bf16(void **state) {
    (void)state;
    int tiles = pm_cpu_allows_amx();
    if (pm_cpu_allowed() != PM_CPU_AMX) assert_false(tiles);
    assert_int_equal(pm_cpu_allows_amx(), tiles); /* asked once, kept */
    const char *found = pomona_cpu_bf16(), *wanted = tiles ? "amx" : "avx512";
    if (strcmp(pomona_cpu_level(), "avx512") || !pm_cpu_allows_bf16()) assert_null(found);
    else assert_string_equal(found, wanted);
    print_message("           bf16 by %s\n", found ? found : "none");
}

/* Inner products are for AMD alone, and not at a level that says AVX-512 or less. */
static void test_inner(void **state) {
    (void)state;
#if defined(__x86_64__)
    const int wanted = !strcmp(pomona_cpu_level(), "avx512") && expected() >= PM_CPU_VNNI && __builtin_cpu_is("amd");
#else
    const int wanted = 0;
#endif
    assert_int_equal(pomona_cpu_inner(), wanted);
}

static void test_names(void **state) {
    (void)state;
    static const char *const names[PM_CPU_LEVELS] = {"scalar", "avx2", "avx512", "vnni", "amx", "neon"};
    for (int i = 0; i < PM_CPU_LEVELS; i++) assert_string_equal(pm_cpu_name((enum pm_cpu_level)i), names[i]);
}

static void test_peak(void **state) {
    (void)state;
    double peak = pomona_cpu_peak();
    assert_true(peak > 1e7 && peak < 1e13); /* multiply-accumulates a second of one thread */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allowed), cmocka_unit_test(test_level),
                                       cmocka_unit_test(test_bf16),    cmocka_unit_test(test_inner),
                                       cmocka_unit_test(test_names),   cmocka_unit_test(test_peak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
