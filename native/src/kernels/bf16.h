/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution in bf16, where the CPU multiplies it: products of bf16, sums in fp32.
 *
 * Two neighbouring channels are one number of 32 bits, the even one in its lower half: a pair. Maps and weights of
 * pairs have half the channels, and kernels.h holds for them as it stands, with pairs for floats: a block is 16 pairs,
 * a cache line of two blocks of a map of floats. */
#ifndef POMONA_KERNELS_BF16_H
#define POMONA_KERNELS_BF16_H

#include "kernels/kernels.h"

/* Slices of bf16 whose sum is a number of fp32: it rounded, what that left rounded, and the last rest. */
#define PM_BF16_SLICES 3

/* What becomes of the numbers of a channel before they are rounded: clamp(x * scale + shift, low, high). */
struct pm_bf16_change {
    const float *scale; /* by channel; NULL: nothing at all becomes of them */
    const float *shift; /* the same, NULL: 0 */
    ptrdiff_t block;    /* floats from one block's to the next one's, of both */
    float low, high;
};

/* `pixels` pixels of two blocks of floats, `step` floats apart, to be rounded to one of pairs, to nearest and ties to
 * even. */
struct pm_bf16_pixels {
    const float *from;
    float *pairs;
    ptrdiff_t pixels, step;
    ptrdiff_t block;   /* floats between the two blocks */
    uint32_t channels; /* of both, 1 to 2 x PM_BLOCK; those past them become 0 and are not read */
    int slices;        /* 1 to PM_BF16_SLICES */
    ptrdiff_t slice;   /* pairs between slices */
    struct pm_bf16_change change;
};

typedef void pm_bf16_narrow(const struct pm_bf16_pixels *pixels);
pm_bf16_narrow pm_bf16_narrow_avx512;

/* `pixels` pixels of one block, rounded to its half of each pixel of pairs, from the first one's half on. */
typedef void pm_bf16_narrow_half(float *half, const float *from, ptrdiff_t pixels);
pm_bf16_narrow_half pm_bf16_narrow_half_avx512;
extern const struct pm_depthwise_variant pm_bf16_depthwise_avx512[];

/* Two neighbouring pixels of one channel in one number, the left one in its lower half: a couple. A map of couples has
 * the room of one float for either; a row of one block is [couples][16]. */
#define PM_BF16_WINDOW_MAX 7

/* A depthwise routine that reads couples; in `row` a number of the input or of the weights is one, but `pixels` counts
 * pixels. The input begins with the couple that holds the first window's corner. Weights: [height][couples][16], zero
 * beside the taps, where windows are two pixels apart; [height][2][couples][16] where they are one, for windows of the
 * first, third ... pixel and for those of the others. */
typedef void pm_bf16_depthwise_kernel(const struct pm_depthwise_row *row, int halves);
struct pm_bf16_depthwise {
    const char *name;
    int side;   /* of the window, at most PM_BF16_WINDOW_MAX; odd */
    int stride; /* horizontal */
    int phase;  /* 1: the first window begins with the right pixel of a couple, 0: with the left one; -1: any */
    pm_bf16_depthwise_kernel *run; /* `halves`: outputs become their halves of pairs */
};

/* Lists of weights for one row of a window: windows side by side begin with either pixel of a couple. */
static inline int pm_bf16_weight_lists(int stride) { return stride == 1 ? 2 : 1; }

/* `pixels` pixels of one block, clamped and rounded to couples; the last one of an odd number has a zero. */
typedef void pm_bf16_couple_row(float *couples, const float *from, ptrdiff_t pixels, float low, float high);
pm_bf16_couple_row pm_bf16_couple_row_avx512;
extern const struct pm_bf16_depthwise pm_bf16_couples_avx512[];

struct pm_fixed_kernels;

struct pm_bf16_kernels {
    const char *name;
    struct pm_conv_tiling conv[PM_CONV_TILINGS_MAX]; /* each takes all segments as one partial sum */
    const struct pm_conv_tiling *half, *broad_half;  /* as in pm_kernels; no couples */
    const struct pm_fixed_kernels *fixed;            /* NULL, or kernels/fixed.h */
    pm_bf16_narrow *narrow;
    pm_bf16_narrow_half *narrow_half;
    const struct pm_depthwise_variant *depthwise; /* in fp32, of one block; outputs become their halves of pairs */
    pm_bf16_couple_row *couple_row;
    const struct pm_bf16_depthwise *couples; /* reads couples, which `conv` can store; the last has no name */
    void (*release)(void); /* NULL, or gives up what kernels hold of the thread's registers; after each layer */
    int whole_blocks;      /* every segment is one: a tap's 16 pairs, with zeros for weights that are not there */
    int beats_winograd;    /* multiplies more than as many times faster than fp32 as Winograd saves products */
    int splits;            /* so fast that fp32-split gains: six products of slices for one of fp32 */
};

/* The fastest, or NULL where CPU, POMONA_CPU or compiler refuses all. Asks the system for AMX, once a process. Any
 * thread. */
const struct pm_bf16_kernels *pm_bf16_kernels(void);

/* As `narrow` does with two floats. Finite ones alone. */
float pm_bf16_pair(float even, float odd);

/* What so many slices leave of a number; exact. */
float pm_bf16_rest(float value, int slices);

#endif
