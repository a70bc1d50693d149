/* SPDX-License-Identifier: Apache-2.0 */

/* What tests of convolution tiles of every kind ask, whatever their numbers are. Included after cmocka.h. */
#ifndef POMONA_TESTS_TILE_CHECKS_H
#define POMONA_TESTS_TILE_CHECKS_H

#include "kernels/kernels.h"

#define GAP 16 /* floats between output blocks, which nobody may write to */
#define UNTOUCHED (-12345.0f)

/* The gaps before the blocks of an output that was UNTOUCHED are so still. */
static inline void check_gaps(const struct pm_conv_tiling *tiling, const struct pm_conv_tile *tile) {
    for (int block = 1; block < tiling->blocks; block++)
        for (int i = 1; i <= GAP; i++) assert_true(tile->output[block * tile->output_block - i] == UNTOUCHED);
}

/* The tile's pixels, which lie `distance` numbers apart in the input, one by one: the same bits. */
static inline void check_alone(const struct pm_conv_tiling *tiling, const struct pm_conv_tile *all, int pixels,
                               ptrdiff_t distance) {
    float alone[PM_CONV_BLOCKS_MAX * PM_BLOCK];
    assert_in_range(tiling->blocks, 1, PM_CONV_BLOCKS_MAX);
    for (int pixel = 0; pixel < pixels; pixel++) {
        struct pm_conv_tile tile = *all;
        tile.input += pixel * distance;
        if (tile.residual) tile.residual += pixel * PM_BLOCK;
        if (tile.own) tile.own += pixel * distance / PM_BLOCK;
        tile.begin_at += pixel * PM_BLOCK;
        tile.output = alone;
        tile.output_block = PM_BLOCK;
        tiling->kernels[0](&tile);
        for (int block = 0; block < tiling->blocks; block++)
            assert_memory_equal(alone + block * PM_BLOCK, all->output + block * all->output_block + pixel * PM_BLOCK,
                                PM_BLOCK * sizeof(float));
    }
}

#endif
