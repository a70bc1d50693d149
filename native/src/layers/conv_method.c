/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_method.h"

const struct pm_conv_tiling *pm_conv_tiling(const struct pm_conv_tiling *list, int wide, uint32_t blocks,
                                            ptrdiff_t input_pixel) {
    for (int i = 0; i < PM_CONV_TILINGS_MAX && list[i].name; i++)
        if (list[i].wide == wide && (uint32_t)list[i].blocks <= blocks &&
            (list[i].input_pixel == input_pixel || list[i].input_pixel == 0))
            return &list[i];
    return NULL;
}

void pm_conv_run_tiles(const struct pm_conv_tiling *tiling, struct pm_conv_tile tile, uint32_t pixels) {
    uint32_t tiles = (pixels + (uint32_t)tiling->pixels - 1) / (uint32_t)tiling->pixels;
    for (uint32_t i = 0; i < tiles; i++) {
        uint32_t now = pixels / tiles + (i < pixels % tiles);
        tiling->kernels[now - 1](&tile);
        tile.input += (ptrdiff_t)now * tile.input_pixel;
        tile.output += (ptrdiff_t)now * PM_BLOCK;
        if (tile.residual) tile.residual += (ptrdiff_t)now * PM_BLOCK;
    }
}
