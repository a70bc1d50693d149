/* SPDX-License-Identifier: Apache-2.0 */

/* The decoder: JPEG bytes to rows of RGB. libjpeg, its errors and its memory stay behind this header. */
#ifndef POMONA_IMAGE_JPEG_H
#define POMONA_IMAGE_JPEG_H

#include "image/rows.h"
#include "pomona.h"

/* Called once the header is read and found within the limits. */
struct pm_jpeg_client {
    /* Answers by what the decoder shall divide the sides of a width x height image: 1, 2, 4 or 8. */
    uint32_t (*shrink)(struct pm_jpeg_client *client, uint32_t width, uint32_t height);
    /* Answers where the rows shall go, which come as width x height pixels. What it takes from the pool lives until
     * pm_jpeg_decode returns. */
    struct pm_row_sink *(*begin)(struct pm_jpeg_client *client, struct pm_pool *pool, uint32_t width, uint32_t height);
};

/* Size of the image, from its header; untouched unless the reason is OK. `options` are resolved. Any thread. */
pomona_reason pm_jpeg_size(pomona_bytes image, const pomona_image_options *options, uint32_t *width, uint32_t *height);

/* Decodes the whole image. Rows that a sink received before a failure was found are to be thrown away. Any thread. */
pomona_reason pm_jpeg_decode(pomona_bytes image, const pomona_image_options *options, struct pm_jpeg_client *client);

#endif
