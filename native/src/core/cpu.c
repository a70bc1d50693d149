/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[PM_CPU_LEVELS] = {"scalar", "avx2", "avx512", "vnni", "amx", "neon"};

const char *pm_cpu_name(enum pm_cpu_level level) { return names[level]; }

/* The compiler's own check reads CPUID and whether the operating system saves the registers (XGETBV). AMX also needs a
 * permission of the kernel, which is asked for by the code that uses it. */
enum pm_cpu_level pm_cpu_detected(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return PM_CPU_SCALAR;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return PM_CPU_AVX2;
    return __builtin_cpu_supports("avx512vnni") ? PM_CPU_VNNI : PM_CPU_AVX512;
#elif defined(__aarch64__)
    return PM_CPU_NEON;
#else
    return PM_CPU_SCALAR;
#endif
}

static enum pm_cpu_level allowed;

static void decide(void) {
    const char *wanted = getenv("POMONA_CPU");
    allowed = pm_cpu_detected();
    for (int level = 0; wanted && level < PM_CPU_LEVELS; level++)
        if (!strcmp(wanted, names[level]) && level < (int)allowed) allowed = (enum pm_cpu_level)level;
}

enum pm_cpu_level pm_cpu_allowed(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, decide);
    return allowed;
}

int pm_cpu_allows_bf16(void) {
#if defined(__x86_64__)
    return pm_cpu_allowed() >= PM_CPU_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
    return 0;
#endif
}
