/* SPDX-License-Identifier: Apache-2.0 */

/* Strassen's method in Winograd's form for 1x1 convolutions: of the product C = A B of pixels by channels and weights,
 * each cut into quarters, seven products of quarters instead of eight, and of these again where they are large. Sums of
 * B's quarters are made when the model is opened; those of A's are passes over a band of rows in cache, and those of
 * C's are what tiles begin with. With
 *     P1 = A11 B11   P2 = A12 B21   P3 = (A12 - S) B22   P4 = A22 (B21 - T)   P5 = (A21 + A22) (B12 - B11)
 *     P6 = S T   P7 = (A11 - A21) (B22 - B12)   where S = A21 + A22 - A11, T = B22 - B12 + B11,
 *     C11 = P1 + P2   C12 = P1 + P6 + P5 + P3   C21 = P1 + P6 + P7 + P4   C22 = P1 + P6 + P7 + P5
 * the odd block or row of a side makes the first half the larger one; what it lacks in the second counts as zeros, and
 * products that see only the second half are smaller. */
#ifndef POMONA_LAYERS_CONV_STRASSEN_H
#define POMONA_LAYERS_CONV_STRASSEN_H

#include "layers/conv_method.h"

/* In the order in which they run and their weights lie. The last one multiplies nothing: it ends what was summed. */
enum {
    STRASSEN_P7,
    STRASSEN_P5,
    STRASSEN_P1,
    STRASSEN_P2,
    STRASSEN_P6,
    STRASSEN_P4,
    STRASSEN_P3,
    STRASSEN_NONE,
    STRASSEN_PRODUCTS
};
struct pm_strassen_product {
    int sum;              /* its input is the sum of the map's quarters, not the map */
    int in, out;          /* halves of the blocks: of the input that has weights, and of the output */
    double factors[2][2]; /* of the kernel's quarters, [input][output] */
};
extern const struct pm_strassen_product pm_strassen_products[STRASSEN_PRODUCTS];

#define STRASSEN_LEVELS 2 /* at most; level 0 is a product of tiles, level n is seven of level n - 1 */
#define STRASSEN_PARTS 3  /* of the output, that others begin with */

/* Of a product: channels of its input and blocks of its output. */
struct pm_strassen_size {
    uint32_t channels, blocks;
};

/* Where a level has its sums: floats into scratch, and between blocks. Rows lie as those of input and output. */
struct pm_strassen_scratch {
    ptrdiff_t sum, parts[STRASSEN_PARTS], part_block;
};

struct pm_strassen {
    const struct pm_conv_tiling *broad, *narrow;
    struct pm_strassen_size size;
    uint32_t levels, bands;
    int gathers;                                /* a band of what windows with a stride see, to scratch */
    int dense, turning;                         /* as in conv_direct.c */
    ptrdiff_t input_row, residual_row;          /* floats between rows */
    ptrdiff_t input_block[STRASSEN_LEVELS + 1]; /* between blocks, of the map or what was gathered and of sums */
    struct pm_strassen_scratch scratch[STRASSEN_LEVELS + 1]; /* none of level 0 */
    uint32_t segment_count;
    struct pm_segment segments[]; /* of each kind of input, whole blocks, then once more as those that end it */
};

static inline const struct pm_map *pm_strassen_input(const struct pm_node *node, const struct pm_plan *plan) {
    return &plan->maps[node->inputs[0]];
}

static inline uint32_t pm_strassen_blocks(uint32_t channels) { return (channels + PM_BLOCK - 1) / PM_BLOCK; }

/* The first half of so many blocks or rows at a level: halves of it have no odd one. */
static inline uint32_t pm_strassen_half(uint32_t count, uint32_t level) {
    return (count + (1u << level) - 1) >> level << (level - 1);
}

/* The size of a product that is a part of one at a level. */
struct pm_strassen_size pm_strassen_part(const struct pm_strassen_size *of, const struct pm_strassen_product *p,
                                         uint32_t level);

/* The tiling of a panel of a product at level 0 of which so many blocks are left. */
const struct pm_conv_tiling *pm_strassen_panel(const struct pm_strassen *s, uint32_t blocks);

/* Segments of an input of so many channels, of the kind of input_block[kind]. */
const struct pm_segment *pm_strassen_segments(const struct pm_strassen *s, uint32_t kind, uint32_t channels);

void pm_strassen_run(const struct pm_node *node, const struct pm_run *run);

#endif
