/* SPDX-License-Identifier: Apache-2.0 */

/* Strassen's method in Winograd's form, one level of it, for 1x1 convolutions: of the product C = A B of pixels by
 * channels and weights, each cut into quarters, seven products of quarters instead of eight. Sums of B's quarters are
 * made when the model is opened; those of A's and C's are passes over a band of rows in cache. With
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

#define STRASSEN_PARTS 3 /* of the output, that wait for more products */

struct pm_strassen {
    const struct pm_conv_tiling *broad, *narrow;
    uint32_t in[2], out[2]; /* blocks of the halves */
    uint32_t bands;
    int dense, turning;              /* as in conv_direct.c */
    ptrdiff_t sum_block, part_block; /* floats between blocks; their rows lie as those of input and output */
    ptrdiff_t residual_row;
    /* Of the map's blocks, of the sum's, and of these once more as the second half has them. */
    struct pm_segment segments[];
};

static inline const struct pm_map *pm_strassen_input(const struct pm_node *node, const struct pm_plan *plan) {
    return &plan->maps[node->inputs[0]];
}

/* Numbers that a product sums, of so many channels. */
uint64_t pm_strassen_depth(const struct pm_strassen *s, const struct pm_strassen_product *p, uint32_t channels);

/* The tiling of a product's panel that begins at that block of outputs. */
const struct pm_conv_tiling *pm_strassen_panel(const struct pm_strassen *s, const struct pm_strassen_product *p,
                                               uint32_t block);

void pm_strassen_run(const struct pm_node *node, const struct pm_run *run);

#endif
