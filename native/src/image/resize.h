/* SPDX-License-Identifier: Apache-2.0 */

/* Pillow's resize as a stream: source rows in, resized rows out, no more than the rows of one filter window held. */
#ifndef POMONA_IMAGE_RESIZE_H
#define POMONA_IMAGE_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#include "image/rows.h"
#include "kernels/windows.h"
#include "pomona.h"

/* One side of a resize: `source` pixels become `scaled`, of which those from `offset` on, `count`, are wanted.
 * source and count are at most 65535; scaled > 0; offset + count <= scaled. */
struct pm_side {
    uint32_t source, count;
    uint64_t scaled, offset;
};

struct pm_geometry {
    struct pm_side x, y;
};

/* SQUASH or CROP (see resize_geometry.c) of a source into width x height. */
struct pm_geometry pm_fit_geometry(pomona_fit fit, uint32_t source_width, uint32_t source_height, uint32_t width,
                                   uint32_t height);

/* `filter` is any but NEAREST. */
void pm_windows_compute(struct pm_windows *windows, struct pm_pool *pool, const struct pm_side *side,
                        pomona_resample filter);

/* A sink for the rows of the source that hands geometry->y.count rows of geometry->x.count pixels on to `next`. May be
 * `next` itself, where there is nothing to do. Lives in the pool. */
struct pm_row_sink *pm_resize_begin(struct pm_pool *pool, const struct pm_geometry *geometry, pomona_resample filter,
                                    struct pm_row_sink *next);

/* The same for NEAREST. */
struct pm_row_sink *pm_nearest_begin(struct pm_pool *pool, const struct pm_geometry *geometry,
                                     struct pm_row_sink *next);

#endif
