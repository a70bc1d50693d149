/* SPDX-License-Identifier: Apache-2.0 */

/* What a convolution does, spelled out when the model is opened: panels of output blocks, each with the segments that
 * it sums (kernels.h) and weights in their order. One kernel then serves every window, 1x1 included, and the RGB input.
 * Groups are panels with segments of their own: over the channels that their outputs see, with zeros for weights
 * between two groups of one panel. */
#ifndef POMONA_LAYERS_CONV_PANELS_H
#define POMONA_LAYERS_CONV_PANELS_H

#include "layers/layer.h"

/* Input channels that one output sees, whatever slots they have. */
uint32_t pm_panels_channels(const struct pm_node *node);

struct pm_tilings {
    /* Input and window as the kernels see them, in floats or in pairs (kernels/bf16.h, kernels/digits.h). */
    const struct pm_map *in;
    struct pm_window window;
    ptrdiff_t input_pixel;                          /* between the windows of neighbouring outputs */
    int slices;                                     /* the kernels read pairs of so many slices; 0: floats */
    int digits;                                     /* the kernels read int16 (kernels/digits.h) */
    int fixed;                                      /* the kernels read fixed-point numbers (kernels/fixed.h) */
    int whole_blocks;                               /* the kernels take no others */
    const struct pm_conv_tiling *broad, *narrow;    /* for as many output blocks as fit, and for one */
    const struct pm_conv_tiling *half, *broad_half; /* NULL, or for the last block, or two, where half of it suffices */
    int passes;                                     /* over the segments, pm_panels_passes */
};

/* Output blocks that one call of a kernel makes. */
struct pm_panel {
    const struct pm_conv_tiling *tiling;
    uint32_t block;    /* the first one */
    uint32_t from, to; /* input channels that they see */
    const struct pm_segment *segments;
    ptrdiff_t segment_count, partial_segments, odd_segments;
    uint64_t depth;  /* sum of segment lengths */
    uint64_t packed; /* where its weights begin, in floats */
    int starts;      /* rows behind its weights: 1 of fixed-point numbers, pm_conv_tile.starts */
};

struct pm_panels {
    uint32_t count;
    struct pm_panel *list;
    struct pm_segment *segments; /* of all panels; one list for all where there is one group */
};

/* 2 where the input is of whole numbers and the sum `precise`, more where both are split; see conv_panels.c. */
int pm_panels_passes(const struct pm_map *in, int slices, int precise);

/* Bytes of list and segments, whatever the strides of the input. */
size_t pm_panels_size(const struct pm_node *node, const struct pm_plan *plan, const struct pm_tilings *tilings);

/* Makes both in `memory` of that size. */
struct pm_panels pm_panels_make(const struct pm_node *node, const struct pm_plan *plan,
                                const struct pm_tilings *tilings, void *memory);

/* Floats, or pairs, of the packed weights. */
uint64_t pm_panels_floats(const struct pm_panels *panels);

/* Each panel: [scale][shift][depth x outputs], in the order of the output channels; [starts] are left as they are. */
void pm_panels_pack(const struct pm_node *node, const struct pm_tilings *tilings, const struct pm_panels *panels,
                    float *packed);

#endif
