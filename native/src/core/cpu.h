/* SPDX-License-Identifier: Apache-2.0 */

/* Which instructions may be used. */
#ifndef POMONA_CORE_CPU_H
#define POMONA_CORE_CPU_H

/* In ascending order: a level contains those before it on the same architecture. */
enum pm_cpu_level {
    PM_CPU_SCALAR, /* portable C */
    PM_CPU_AVX2,   /* AVX2 and FMA */
    PM_CPU_AVX512, /* AVX-512 F, BW, DQ, VL: Skylake-X */
    PM_CPU_VNNI,   /* and VNNI */
    PM_CPU_AMX,    /* and AMX tiles */
    PM_CPU_NEON,   /* aarch64's baseline */
    PM_CPU_LEVELS
};

/* The best level that CPU, operating system and POMONA_CPU allow; read once per process. Any thread. */
enum pm_cpu_level pm_cpu_allowed(void);

/* The best level that CPU and operating system allow, whatever POMONA_CPU says. */
enum pm_cpu_level pm_cpu_detected(void);

/* AVX512_BF16, where the allowed level contains AVX-512. Any thread. */
int pm_cpu_allows_bf16(void);

/* The allowed level contains VNNI, and additions run beside fused multiplications, as on AMD's cores. Any thread. */
int pm_cpu_adds_beside(void);

/* AMX tiles of bf16, where the allowed level contains them and the system agrees to save their registers: that is asked
 * for on the first call, and holds for all threads of the process. Any thread. */
int pm_cpu_allows_amx(void);

const char *pm_cpu_name(enum pm_cpu_level level);

#endif
