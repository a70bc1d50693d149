/* SPDX-License-Identifier: Apache-2.0 */

/* Which part of which scaled image is wanted.
 *
 * CROP is torchvision's Resize + CenterCrop, for targets that need not be square: the image is scaled by one factor,
 * the larger of width / source_width and height / source_height, so that it covers the target. The side that decides
 * becomes exactly the target's, the other one floor(target * other / deciding side), as torchvision's
 * int(size * long / short). Then the centre is cut out at round(surplus / 2), where Python's round takes a half to the
 * even neighbour. For a square target that is Resize(size), CenterCrop(size). */
#include "image/resize.h"

static uint64_t half_to_even(uint64_t surplus) { return surplus / 2 + (surplus % 4 == 3); }

static struct pm_side side(uint32_t source, uint64_t scaled, uint32_t count) {
    return (struct pm_side){.source = source, .count = count, .scaled = scaled, .offset = half_to_even(scaled - count)};
}

struct pm_geometry pm_fit_geometry(pomona_fit fit, uint32_t source_width, uint32_t source_height, uint32_t width,
                                   uint32_t height) {
    uint64_t scaled_width = width, scaled_height = height;
    if (fit == POMONA_FIT_CROP) {
        uint64_t across = (uint64_t)width * source_height, down = (uint64_t)height * source_width;
        if (across >= down) scaled_height = across / source_width;
        else scaled_width = down / source_height;
    }
    return (struct pm_geometry){.x = side(source_width, scaled_width, width),
                                .y = side(source_height, scaled_height, height)};
}
