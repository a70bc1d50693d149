/* SPDX-License-Identifier: Apache-2.0 */

/* Ways to compute a conv2d, chosen by shape and CPU level when a model is opened, and what they share. */
#ifndef POMONA_LAYERS_CONV_METHOD_H
#define POMONA_LAYERS_CONV_METHOD_H

#include "layers/layer.h"

/* As in pm_layer. */
struct pm_conv_method {
    pomona_status (*prepare)(struct pm_node *node, const struct pm_plan *plan, pomona_error *error);
    void (*pack)(const struct pm_node *node, const struct pm_plan *plan, float *packed);
    void (*run)(const struct pm_node *node, const struct pm_run *run);
};

/* Any convolution, in fp32, in fp64 or in bf16. */
extern const struct pm_conv_method pm_conv_direct;

/* The node, whose input has that shape, is a 1x1 convolution that the direct method would run on a map in parts. */
int pm_conv_takes_parts(const struct pm_node *node, const struct pm_plan *plan, const struct pm_shape *in);

/* A part of a direct convolution whose node is banded: rows of its value by one panel of its output channels. */
struct pm_panel;
struct pm_conv_part {
    uint32_t image, first, rows;
    const struct pm_panel *panel;
    float *output;                      /* of row `first` of the panel's first block */
    ptrdiff_t output_row, output_block; /* floats between rows and blocks */
    int couples;                        /* the output is rounded to couples of pixels */
};

/* To be called for an image before its parts: rounds its input to bf16 where that is wanted, to run->scratch. */
void pm_conv_direct_enter(const struct pm_node *node, const struct pm_run *run, uint32_t image);
void pm_conv_direct_part(const struct pm_node *node, const struct pm_run *run, const struct pm_conv_part *part);

/* To be called after the last part of all images: gives up what kernels hold of the thread's registers. */
void pm_conv_direct_leave(const struct pm_node *node, const struct pm_run *run);

/* The parts of a node that was prepared can be couples (kernels/bf16.h). */
int pm_conv_direct_couples(const struct pm_node *node);

/* NULL past the last; and the most output blocks that a panel has. */
const struct pm_panel *pm_conv_direct_panel(const struct pm_node *node, uint32_t index);
ptrdiff_t pm_conv_direct_blocks(const struct pm_node *node);

/* Winograd, for the windows with stride 1, or 2 over RGB, that kernels/winograd.inc.c lists: a fifth to a half of the
 * products, more memory for weights (1.3 to 4 times) and scratch, errors up to 5 times those of direct sums. */
extern const struct pm_conv_method pm_conv_winograd;
int pm_conv_winograd_suits(const struct pm_node *node, const struct pm_plan *plan);

/* Strassen's method, for wide 1x1 convolutions in fp32: 7/8 of the products, 7/4 of the weights' memory; the widest
 * have it twice, 49/64 and 49/16. */
extern const struct pm_conv_method pm_conv_strassen;
int pm_conv_strassen_suits(const struct pm_node *node, const struct pm_plan *plan, const struct pm_shape *in);

/* The first of PM_CONV_TILINGS_MAX tilings that has at most `blocks` output blocks and takes windows this far apart,
 * its sums precise or plain ones in fp32, or NULL. */
const struct pm_conv_tiling *pm_conv_tiling(const struct pm_conv_tiling *list, int precise, uint32_t blocks,
                                            ptrdiff_t input_pixel);

/* Whether tiles that end with the row would leave much of the registers empty. */
int pm_conv_turns(const struct pm_conv_tiling *tiling, uint32_t width);

/* One run of output pixels by one panel of weights, in tiles as even as the tiling allows. */
void pm_conv_run_tiles(const struct pm_conv_tiling *tiling, struct pm_conv_tile tile, uint32_t pixels);

/* Rows of so many pixels as one, by turning kernels; a row is as long as a tile at least. */
struct pm_conv_rows {
    uint32_t rows, pixels;
    ptrdiff_t input, output, residual; /* floats between rows */
};
void pm_conv_run_rows(const struct pm_conv_tiling *tiling, const struct pm_conv_tile *first,
                      const struct pm_conv_rows *rows);

#endif
