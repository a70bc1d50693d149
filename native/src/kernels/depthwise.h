/* SPDX-License-Identifier: Apache-2.0 */

/* The depthwise routines of a level, in fp32 and in fp64, and their rows of the table. The includer sets PM_VL; and
 * DEPTHWISE_STORE where results in fp32, which are then all, become something else as they are stored. */
#ifndef POMONA_KERNELS_DEPTHWISE_H
#define POMONA_KERNELS_DEPTHWISE_H

#include "kernels/simd.h"

/* Sum and middle of 7 pixels fill 14 of 16 or 32 registers, and the maps of the common networks are 7 x 2^n wide. */
#define DEPTHWISE_PIXELS 7

#define DEPTHWISE_WIDTH_MAX 7 /* of windows with a routine of their own */

/* Whether there is a routine in fp32 for sums that are to be precise, of 3x3 windows side by side: rows of the window
 * by themselves lose about as little as fp64 does, in half the time. They take 32 registers. */
#if PM_VL == 16 && !defined(DEPTHWISE_STORE)
#define DEPTHWISE_APART 1
#define DEPTHWISE_APART_VARIANTS(level)                                                                                \
    {"depthwise_f32rows_3x3_s1_" level, PM_SUMS_PRECISE, 3, PM_BLOCK, depthwise_3x3_s1_apart},
#else
#define DEPTHWISE_APART 0
#define DEPTHWISE_APART_VARIANTS(level)
#endif

#define REAL(name) name##_f32
#define RV vf
#define RV_LANES PM_VL
#define RV_LOAD VLOAD
#define RV_WEIGHT float
#define RV_WEIGHTS(weights, taps, room) ((void)(room), (weights))
#ifdef DEPTHWISE_STORE
#define RV_STORE DEPTHWISE_STORE
#else
#define RV_STORE VSTORE
#endif
#define RV_SET VSET
#define RV_CLAMP VCLAMP
#define RV_CENTRED 1
#define RV_PIXELS DEPTHWISE_PIXELS
#define RV_BY_TAPS (PM_VL == 8)
#include "kernels/depthwise.inc.c"

#ifndef DEPTHWISE_STORE
static const double *depthwise_widen(const float *weights, int taps, double *to) {
    for (int i = 0; i < taps * PM_BLOCK; i += PM_DL) *(vd *)(to + i) = DLOAD(weights + i);
    return to;
}

#define REAL(name) name##_f64
#define RV vd
#define RV_LANES PM_DL
#define RV_LOAD DLOAD
#define RV_WEIGHT double
#define RV_WEIGHTS(weights, taps, room) depthwise_widen(weights, taps, room)
#define RV_STORE DSTORE
#define RV_SET DSET
#define RV_CLAMP DCLAMP
#define RV_CENTRED 0
#define RV_PIXELS DEPTHWISE_PIXELS
#define RV_BY_TAPS 0
#include "kernels/depthwise.inc.c"
#endif

#define DEPTHWISE_VARIANTS(level, sums, real, label)                                                                   \
    {"depthwise_" label "_3x3_s1_" level, sums, 3, PM_BLOCK, depthwise_3x3_s1_##real},                                 \
        {"depthwise_" label "_3x3_s2_" level, sums, 3, 2 * PM_BLOCK, depthwise_3x3_s2_##real},                         \
        {"depthwise_" label "_5x5_s1_" level, sums, 5, PM_BLOCK, depthwise_5x5_s1_##real},                             \
        {"depthwise_" label "_5x5_s2_" level, sums, 5, 2 * PM_BLOCK, depthwise_5x5_s2_##real}, {                       \
        "depthwise_" label "_" level, sums, 0, 0, depthwise_any_##real                                                 \
    }

/* In fp32 alone: sums in fp64 are of at most PM_PRECISE_DEPTH products. */
#define DEPTHWISE_7X7(level, label)                                                                                    \
    {"depthwise_" label "_7x7_s1_" level, PM_SUMS_FP32, 7, PM_BLOCK, depthwise_7x7_s1_f32}, {                          \
        "depthwise_" label "_7x7_s2_" level, PM_SUMS_FP32, 7, 2 * PM_BLOCK, depthwise_7x7_s2_f32                       \
    }

#endif
