/* SPDX-License-Identifier: Apache-2.0 */

/* Parts of networks of numbers that bf16 holds, in which nothing is rounded but sums: pixels of whole numbers up to
 * 255, weights of 6 bits. So bf16 must agree with plain fp64 loops as fp32 does. */
#ifndef POMONA_TESTS_WHOLE_NETS_H
#define POMONA_TESTS_WHOLE_NETS_H

#include "model_maker.h"

/* With a message. */
int bf16_missing(void);

/* Either number of a pair, or couple, of bf16. */
float half_of(float pair, int odd);

/* maker_begin with pixels as they are. */
void begin_whole(struct model_maker *maker, uint32_t height, uint32_t width, uint32_t seed);

/* A 1x1 convolution `colours` of the input whose channel c shows colour c % 3. */
void spread_colours(struct model_maker *maker, uint32_t channels);

/* A tensor's numbers to multiples of 1/64 of at most 1. */
void shorten(struct model_maker *maker, const char *name, uint32_t count);

/* A depthwise kernel's numbers: one tap of a window alone, of a power of two, so that what it gives is a number that
 * bf16 holds. */
void pick_taps(struct model_maker *maker, const char *name, uint32_t taps, uint32_t channels);

/* A 3x3 depthwise convolution with such a kernel. */
void picking_depthwise(struct model_maker *maker, const char *name, const char *input, uint32_t channels,
                       const char *attributes);

/* `gated`: the colours' product with a gate, as squeeze-and-excite has it, of powers of two. */
void gate_colours(struct model_maker *maker, uint32_t channels);

/* A 1x1 convolution of weights that `shorten` leaves, without a bias. */
void short_conv(struct model_maker *maker, const char *name, const char *input, uint32_t in, uint32_t out,
                const char *attributes);

#endif
