/* SPDX-License-Identifier: Apache-2.0 */

/* A direct convolution and the node that alone reads its value, block by block of channels, as a depthwise convolution
 * does. The reader runs the convolution itself: a panel of its output channels and a band of its rows at a time, in
 * scratch memory that stays in the L2 cache. So an expansion to six times the channels is never written to the arena.
 * Every pixel is the same sum as without bands. */
#ifndef POMONA_LAYERS_CONV_BANDS_H
#define POMONA_LAYERS_CONV_BANDS_H

#include "layers/layer.h"

/* `conv`, which reads a value of shape `in`, is a convolution that no method but the direct one takes, and `reader`
 * keeps its channels. */
int pm_conv_bands_suit(const struct pm_node *conv, const struct pm_node *reader, const struct pm_plan *plan,
                       const struct pm_shape *in);

/* What a band is: rows as far apart as in the map of the producer's value, or rounded to couples of pixels, which a
 * producer in bf16 can write (layers/depthwise_bf16.h). */
int pm_conv_bands_couples(const struct pm_node *node, const struct pm_plan *plan);

/* Floats of scratch that a node with a producer needs for both, once the producer is prepared. */
uint64_t pm_conv_bands_scratch(const struct pm_node *node, const struct pm_plan *plan);

/* Some rows of one block of the producer's value, halo included, and what is made from them. */
struct pm_band {
    uint32_t image, first, rows; /* rows of the node's own value */
    ptrdiff_t block;
    const float *input; /* corner of the window of the first pixel of row `first`; halo or zeros included */
};
typedef void pm_band_reader(const struct pm_node *node, const struct pm_run *run, const struct pm_band *band);

/* Runs the producer of `node` and calls `read` until every row of every block was made. */
void pm_conv_bands_run(const struct pm_node *node, const struct pm_run *run, pm_band_reader *read);

#endif
