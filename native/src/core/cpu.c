/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* syscall */
#include "core/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[PM_CPU_LEVELS] = {"scalar", "avx2", "avx512", "vnni", "amx", "neon"};

const char *pm_cpu_name(enum pm_cpu_level level) { return names[level]; }

/* The compiler's own check reads CPUID and whether the operating system saves the registers (XGETBV). AMX also needs a
 * permission of the kernel, see pm_cpu_allows_amx. */
enum pm_cpu_level pm_cpu_detected(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return PM_CPU_SCALAR;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return PM_CPU_AVX2;
    if (!__builtin_cpu_supports("avx512vnni")) return PM_CPU_AVX512;
    return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") ? PM_CPU_AMX : PM_CPU_VNNI;
#elif defined(__aarch64__)
    return PM_CPU_NEON;
#else
    return PM_CPU_SCALAR;
#endif
}

static enum pm_cpu_level allowed;

/* The name of another architecture's level is an unknown word here. */
static int is_of_this_cpu(int level) {
    return level == PM_CPU_SCALAR || (level == PM_CPU_NEON) == (pm_cpu_detected() == PM_CPU_NEON);
}

static void decide(void) {
    const char *wanted = getenv("POMONA_CPU");
    allowed = pm_cpu_detected();
    for (int level = 0; wanted && level < PM_CPU_LEVELS; level++)
        if (!strcmp(wanted, names[level]) && level < (int)allowed && is_of_this_cpu(level))
            allowed = (enum pm_cpu_level)level;
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

/* Every AMD CPU with AVX-512 has VNNI, too, and pipes for additions beside those for multiplications. */
int pm_cpu_adds_beside(void) {
#if defined(__x86_64__)
    return pm_cpu_allowed() >= PM_CPU_VNNI && __builtin_cpu_is("amd");
#else
    return 0;
#endif
}

#if defined(__x86_64__)
/* Of <asm/prctl.h> and the kernel's list of register states; older headers lack them. */
#define REQUEST_PERMISSION 0x1023
#define TILE_DATA 18

static int tiles_granted;

/* Refused by kernels before 5.16, by some sandboxes, and where a thread's signal stack is too small for the state. */
static void request_tiles(void) { tiles_granted = !syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA); }

int pm_cpu_allows_amx(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pm_cpu_allowed() < PM_CPU_AMX) return 0;
    pthread_once(&once, request_tiles);
    return tiles_granted;
}
#else
int pm_cpu_allows_amx(void) { return 0; }
#endif
