/* SPDX-License-Identifier: Apache-2.0 */

/* The routines that do the arithmetic, one table a CPU level. Raw pointers, strides in floats, no checks, no memory:
 * everything is checked and planned before a kernel sees it.
 *
 * Maps are blocked by 16 channels (PM_BLOCK): [channels / 16][height + halo][width + halo][16]. One pixel of a block is
 * a cache line, neighbours in a row lie 16 floats apart, and slots past the last channel may hold anything finite. */
#ifndef POMONA_KERNELS_KERNELS_H
#define POMONA_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"
#include "kernels/activations.h"
#include "kernels/winograd.h"

#define PM_BLOCK 16

/* A run of `length` consecutive input floats that meets `length` consecutive rows of the packed weights: one 16-channel
 * block under one tap, or one kernel row of an unblocked RGB map. `offset` is relative to the window's origin. */
struct pm_segment {
    ptrdiff_t offset;
    ptrdiff_t length;
};

/* Numbers that are addressed as outputs are, by a block stride of their own; rows lie as those of the output. */
struct pm_conv_begin {
    const float *numbers;
    ptrdiff_t block;
};

/* Up to `pixels` outputs in a row by `blocks` output blocks of a convolution:
 * output = clamp(sum over segments(input x weights) x scale + shift + residual, low, high). A batch norm lives in scale
 * and shift: multiplied into the weights it would round each of them once more, which alone costs 2e-5 of the features'
 * rms on MobileNetV2. */
struct pm_conv_tile {
    const float *input;         /* origin of the first output pixel's window */
    const float *weights;       /* [sum of segment lengths][outputs]: pm_tiling_outputs */
    const float *scale, *shift; /* [outputs] each; NULL, which sums in fp32 alone take: store them bare */
    const float *residual;      /* NULL, or addressed as `output` is, by its own block stride */
    float *output;
    const float *own;    /* of tilings of inner products, see inner.h: of the line at `input` and those behind */
    const float *starts; /* of fixed-point numbers, see fixed.h: [outputs] whole numbers */
    ptrdiff_t units;     /* of them: floats from a pixel's own products to its unit */
    const struct pm_conv_begin *begins; /* what the sum begins with, `begin_count` of them; in fp32 alone */
    int begin_count;
    ptrdiff_t begin_at; /* floats to the tile's first pixel in each of them */
    const struct pm_segment *segments;
    ptrdiff_t segment_count;
    ptrdiff_t partial_segments; /* after so many, the sum joins the total: long chains of fp32 additions lose bits */
    ptrdiff_t odd_segments;   /* 0, or after so many for the first time where odd vectors join at times of their own */
    ptrdiff_t ahead;          /* floats from these weights to those that are wanted next; they are prefetched */
    ptrdiff_t input_pixel;    /* floats between the windows of two neighbouring outputs */
    ptrdiff_t output_block;   /* floats between output blocks */
    ptrdiff_t residual_block; /* the same of `residual` */
    float low, high;          /* -INFINITY and INFINITY for no clamp */
    int couples;              /* in bf16: without a residual, the output becomes couples of pixels, see bf16.h */
    /* Where the tile goes on in the next row, for turning kernels: from pixel `turn` on, so many more floats. */
    int turn;
    ptrdiff_t input_turn, output_turn, residual_turn;
};

typedef void pm_conv_kernel(const struct pm_conv_tile *tile);

/* How sums are formed: in fp32; in fp32 but so short, before they join others, that rounding takes about as little as
 * from sums in fp64; in fp64. */
enum pm_sums { PM_SUMS_FP32, PM_SUMS_PRECISE, PM_SUMS_FP64 };
static inline int pm_sums_are_precise(enum pm_sums sums) { return sums != PM_SUMS_FP32; }

/* One tile shape. kernels[p - 1] does p pixels, p <= pixels; each sums in the same order, so that a pixel's bits do not
 * depend on the tile it falls into. */
#define PM_CONV_PIXELS_MAX 32
#define PM_CONV_BLOCKS_MAX 2
struct pm_conv_tiling {
    const char *name;
    enum pm_sums sums;
    int pixels, blocks;
    ptrdiff_t input_pixel; /* the distance it is made for, 0: any */
    pm_conv_kernel *kernels[PM_CONV_PIXELS_MAX];
    pm_conv_kernel *const *turning; /* NULL, or the same for tiles of parts of two rows, windows at any distance */
    int inner;                      /* by inner products, see inner.h and fixed.h */
    int half;                       /* makes the first 8 channels of its last block, and zeros of the others */
};

/* Channels whose sums it makes. */
static inline ptrdiff_t pm_tiling_outputs(const struct pm_conv_tiling *tiling) {
    return tiling->blocks * PM_BLOCK - (tiling->half ? PM_BLOCK / 2 : 0);
}

/* `pixels` outputs in a row of one 16-channel block of a depthwise convolution. */
struct pm_depthwise_row {
    const float *input;         /* origin of the first output pixel's window */
    const float *weights;       /* [kernel height][kernel width][16] */
    const float *total;         /* [16] sums of the taps */
    const float *scale, *shift; /* [16] each, applied to the sum as in pm_conv_tile */
    float *output;
    ptrdiff_t pixels;
    ptrdiff_t input_row;   /* floats between rows of the window, dilation included */
    ptrdiff_t input_tap;   /* floats between columns of the window, dilation included */
    ptrdiff_t input_pixel; /* floats between the windows of two neighbouring outputs */
    int kernel_height, kernel_width;
    float low, high;
};

typedef void pm_depthwise_kernel(const struct pm_depthwise_row *row);

/* A depthwise routine for one shape of window; zeros: any. */
struct pm_depthwise_variant {
    const char *name;
    enum pm_sums sums;
    int kernel;            /* height and width */
    ptrdiff_t input_pixel; /* 16 x stride, with undilated taps */
    pm_depthwise_kernel *run;
};

/* `pixels` outputs in a row of one 16-channel block, each from the same count of pixels under its window. */
struct pm_pool_row {
    const float *input;    /* origin of the first output pixel's window */
    const float *residual; /* NULL, or what is added to the mean or the greatest, as the output lies */
    float *output;
    ptrdiff_t pixels;
    ptrdiff_t input_row;   /* floats between rows of the window */
    ptrdiff_t input_pixel; /* floats between the windows of two neighbouring outputs */
    int height, width;     /* of the window */
    float divisor;         /* of the sum, for a mean */
    float low, high;
};

typedef void pm_pool_kernel(const struct pm_pool_row *row);

/* `pixels` pixels in a row, all their channels: (x - mean) / sqrt(variance + epsilon) x scale + shift, clamped. */
struct pm_norm_row {
    const float *input;
    const float *affine; /* each block of 16 channels: [scale][shift], 0 past the last */
    float *output;
    ptrdiff_t pixels, channels;
    ptrdiff_t input_block, output_block; /* floats between blocks */
    double epsilon;
    float low, high;
};

#define PM_CONV_TILINGS_MAX 8
#define PM_DEPTHWISE_VARIANTS_MAX 13
#define PM_WINOGRAD_FORMS_MAX 9

struct pm_conv_inner;     /* kernels/inner.h */
struct pm_moment_kernels; /* kernels/moments.h */
struct pm_resize_kernels; /* kernels/windows.h */

/* Everything that may differ between CPU levels. Lists go from the most special to the most general and, but
 * for Winograd's, end with an entry that takes everything. */
struct pm_kernels {
    enum pm_cpu_level level;
    const char *name;
    struct pm_conv_tiling conv[PM_CONV_TILINGS_MAX];
    const struct pm_conv_tiling *half, *broad_half; /* NULL, or of half a block and of one and a half, for windows side
                                                     * by side */
    const struct pm_conv_inner *inner;              /* NULL, or kernels/inner.h */
    const struct pm_conv_tiling *digits, *digits_vnni; /* NULL, or kernels/digits.h; the latter for CPUs with VNNI */
    struct pm_depthwise_variant depthwise[PM_DEPTHWISE_VARIANTS_MAX];
    struct pm_winograd_form winograd[PM_WINOGRAD_FORMS_MAX]; /* the last has no name; none at the scalar level */
    /* out[i] = clamp(a[i] + b[i]), and the same of a[i] x b[i]; `out` may be `a` or `b`. count: a multiple of 16, as
     * below */
    void (*add)(float *out, const float *a, const float *b, ptrdiff_t count, float low, float high);
    void (*multiply)(float *out, const float *a, const float *b, ptrdiff_t count, float low, float high);
    /* out[i] = a[i] - b[i]; NULL at the scalar level, where no layer wants it */
    void (*subtract)(float *out, const float *a, const float *b, ptrdiff_t count);
    /* out[p][c] = clamp(in[p][c] x scale[c] + shift[c]) over `pixels` pixels of one block */
    void (*affine)(float *out, const float *in, const float *scale, const float *shift, ptrdiff_t pixels, float low,
                   float high);
    /* out[r][i] = in[r][i] x factors[r]; width: a multiple of 8 */
    void (*scale_rows)(float *out, const float *in, const float *factors, ptrdiff_t rows, ptrdiff_t width);
    /* sum[c] += in[p][c], and maximum[c] = max(maximum[c], in[p][c]), over `pixels` pixels of one block */
    void (*sum)(float *sum, const float *in, ptrdiff_t pixels);
    void (*maximum)(float *maximum, const float *in, ptrdiff_t pixels);
    pm_pool_kernel *max_pool, *avg_pool;
    void (*layer_norm)(const struct pm_norm_row *row);
    pm_activation_kernel *const *activations; /* by pm_function */
    /* Repeats fused multiply-adds on registers `rounds` times; returns the multiply-accumulates done, for measuring the
     * peak rate. */
    double (*peak)(uint64_t rounds);
    const struct pm_moment_kernels *moments;
    const struct pm_resize_kernels *resize;
};

#define PM_KERNELS(level) extern const struct pm_kernels pm_kernels_##level;
#include "kernels/kernels.def"
#undef PM_KERNELS

/* The table of the best compiled level that is at most `level`. Never NULL. */
const struct pm_kernels *pm_kernels_at_most(enum pm_cpu_level level);

/* All compiled tables that this CPU can run, ascending; `count` of them. For tests and benchmarks. */
const struct pm_kernels *const *pm_kernels_available(int *count);

#endif
