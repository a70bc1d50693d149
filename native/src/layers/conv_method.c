/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_method.h"

const struct pm_conv_tiling *pm_conv_tiling(const struct pm_conv_tiling *list, int precise, uint32_t blocks,
                                            ptrdiff_t input_pixel) {
    for (int i = 0; i < PM_CONV_TILINGS_MAX && list[i].name; i++)
        if (pm_sums_are_precise(list[i].sums) == precise && (uint32_t)list[i].blocks <= blocks &&
            (list[i].input_pixel == input_pixel || list[i].input_pixel == 0))
            return &list[i];
    return NULL;
}

int pm_conv_turns(const struct pm_conv_tiling *tiling, uint32_t width) {
    uint32_t pixels = (uint32_t)tiling->pixels, tiles = (width + pixels - 1) / pixels;
    return tiling->turning && width >= pixels && 6 * width <= 5 * tiles * pixels;
}

void pm_conv_run_tiles(const struct pm_conv_tiling *tiling, struct pm_conv_tile tile, uint32_t pixels) {
    const uint32_t tiles = (pixels + (uint32_t)tiling->pixels - 1) / (uint32_t)tiling->pixels;
    const uint32_t of = tile.couples ? 2 : 1, units = (pixels + of - 1) / of; /* no couple lies in two tiles */
    for (uint32_t i = 0, left = pixels, now; i < tiles; i++, left -= now) {
        now = of * (units / tiles + (i < units % tiles));
        if (now > left) now = left;
        tiling->kernels[now - 1](&tile);
        tile.input += (ptrdiff_t)now * tile.input_pixel;
        tile.output += (ptrdiff_t)(now / of) * PM_BLOCK;
        if (tile.residual) tile.residual += (ptrdiff_t)now * PM_BLOCK;
        if (tile.own) tile.own += (ptrdiff_t)now * tile.input_pixel / PM_BLOCK;
        tile.begin_at += (ptrdiff_t)now * PM_BLOCK;
    }
}

void pm_conv_run_rows(const struct pm_conv_tiling *tiling, const struct pm_conv_tile *first,
                      const struct pm_conv_rows *rows) {
    uint32_t all = rows->rows * rows->pixels, tiles = (all + (uint32_t)tiling->pixels - 1) / (uint32_t)tiling->pixels;
    ptrdiff_t length = (ptrdiff_t)rows->pixels;
    struct pm_conv_tile tile = *first;
    tile.input_turn = rows->input - length * tile.input_pixel;
    tile.output_turn = rows->output - length * PM_BLOCK;
    tile.residual_turn = rows->residual - length * PM_BLOCK;
    for (uint32_t i = 0, column = 0; i < tiles; i++) {
        uint32_t now = all / tiles + (i < all % tiles), left = rows->pixels - column, turns = now >= left;
        tile.turn = (int)left;
        (now > left ? tiling->turning : tiling->kernels)[now - 1](&tile);
        tile.input += (ptrdiff_t)now * tile.input_pixel + (turns ? tile.input_turn : 0);
        tile.output += (ptrdiff_t)now * PM_BLOCK + (turns ? tile.output_turn : 0);
        if (tile.residual) tile.residual += (ptrdiff_t)now * PM_BLOCK + (turns ? tile.residual_turn : 0);
        tile.begin_at += (ptrdiff_t)now * PM_BLOCK + (turns ? tile.output_turn : 0);
        column = turns ? now - left : column + now;
    }
}
