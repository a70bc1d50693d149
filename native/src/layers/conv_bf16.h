/* SPDX-License-Identifier: Apache-2.0 */

/* A direct convolution in bf16: its kernels read pairs of channels (kernels/bf16.h), to which a sweep's input is
 * rounded before all output channels are made from it. */
#ifndef POMONA_LAYERS_CONV_BF16_H
#define POMONA_LAYERS_CONV_BF16_H

#include "layers/layer.h"

/* The plan is in bf16 and every run of input channels that the node's outputs see is one of whole pairs, or gathered.
 */
int pm_conv_bf16_suits(const struct pm_node *node, const struct pm_plan *plan);

/* The input is RGB, where a row of a window is one run of floats: for each output column and input row that run becomes
 * one pixel of pairs, and the window one column of them. */
int pm_conv_bf16_gathers(const struct pm_node *node, const struct pm_plan *plan);

/* The node's window over pairs. */
struct pm_window pm_conv_bf16_window(const struct pm_node *node, const struct pm_plan *plan);

/* The node's input as a map of pairs, with its distances between pixels and rows unless it is gathered, or unless 1x1
 * windows with a stride leave pixels out: what they see lies without gaps then. Its blocks hold `floats` pairs, the
 * first of them its origin; but where it is one already it is that of the plan. */
struct pm_map pm_conv_bf16_map(const struct pm_node *node, const struct pm_plan *plan, uint64_t floats);

/* Rounds blocks of floats two by two, of `channels` channels in all, as `first` says of the first two; blocks of pairs
 * lie `pairs` apart. They may take the place of blocks that have been read. */
void pm_conv_bf16_narrow_blocks(const struct pm_plan *plan, const struct pm_bf16_pixels *first, uint32_t channels,
                                ptrdiff_t pairs);

/* The node's value has no other half for that block's pairs. */
int pm_conv_bf16_is_alone(const struct pm_node *node, ptrdiff_t block);

/* Rounds `pixels` pixels of one block of the node's value to their halves of a map of pairs, from `to` on. */
void pm_conv_bf16_narrow_row(const struct pm_node *node, const struct pm_plan *plan, ptrdiff_t block, const float *from,
                             ptrdiff_t pixels, float *to);

/* `before` does nothing but scale, shift and clamp channels, which `conv`, in bf16, can do while it rounds its input:
 * then it is the node's prologue. */
int pm_conv_bf16_takes(const struct pm_node *conv, const struct pm_node *before);

/* `conv`, in bf16, reads a map of pairs that `before` can write. */
int pm_conv_bf16_reads_pairs(const struct pm_node *conv, const struct pm_node *before);

/* Scales and shifts of the node's prologue, 0 floats where it has none. */
uint64_t pm_conv_bf16_change_floats(const struct pm_node *node, const struct pm_plan *plan);
void pm_conv_bf16_change_pack(const struct pm_node *node, const struct pm_plan *plan, float *packed);

/* What becomes of the input before it is rounded: an image's gate, or the prologue that was `packed`. */
struct pm_bf16_change pm_conv_bf16_change(const struct pm_node *node, const struct pm_run *run, uint32_t image,
                                          const float *packed);

/* Rounds the input, from `from` on in the first block, to `floats` pairs of each block of a map of pairs; as many maps,
 * one after the other, as the plan has slices. */
void pm_conv_bf16_narrow(const struct pm_node *node, const struct pm_plan *plan, const float *from, uint64_t floats,
                         const struct pm_bf16_change *change, const struct pm_map *pairs, float *to);

#endif
