/* SPDX-License-Identifier: Apache-2.0 */

/* Decoder -> resizer -> the caller's pixels. */
#include "image/image.h"

#include <string.h>

#include "image/jpeg.h"
#include "image/resize.h"

/* The end of the chain: rows of `row_bytes` one after the other. */
struct store {
    struct pm_row_sink sink; /* first, so that the sink is this struct */
    uint8_t *rgb;
    size_t row_bytes;
};

struct loader {
    struct pm_jpeg_client client; /* first, so that the client is this struct */
    const pomona_image_options *options;
    uint32_t width, height;
    struct store store;
};

static void put(struct pm_row_sink *sink, const uint8_t *rgb) {
    struct store *store = (struct store *)sink;
    memcpy(store->rgb, rgb, store->row_bytes);
    store->rgb += store->row_bytes;
}

static struct pm_geometry fit(const struct loader *loader, uint32_t width, uint32_t height) {
    return pm_fit_geometry(loader->options->fit, width, height, loader->width, loader->height);
}

/* The most that leaves both sides as long as they shall be. libjpeg rounds a divided side up. */
static uint32_t shrink(struct pm_jpeg_client *client, uint32_t width, uint32_t height) {
    const struct loader *loader = (struct loader *)client;
    struct pm_geometry wanted = fit(loader, width, height);
    uint32_t divisor = loader->options->fast_decode ? 8 : 1;
    while (divisor > 1 && (width < divisor * wanted.x.scaled || height < divisor * wanted.y.scaled)) divisor /= 2;
    return divisor;
}

static struct pm_row_sink *begin(struct pm_jpeg_client *client, struct pm_pool *pool, uint32_t width, uint32_t height) {
    struct loader *loader = (struct loader *)client;
    struct pm_geometry geometry = fit(loader, width, height);
    return pm_resize_begin(pool, &geometry, loader->options->resample, &loader->store.sink);
}

pomona_reason pm_image_probe(pomona_bytes image, const pomona_image_options *options, uint32_t *width,
                             uint32_t *height) {
    return pm_jpeg_size(image, options, width, height);
}

pomona_reason pm_image_load(pomona_bytes image, const pomona_image_options *options, uint32_t width, uint32_t height,
                            uint8_t *rgb) {
    struct loader loader = {
        .client = {shrink, begin},
        .options = options,
        .width = width,
        .height = height,
        .store = {.sink = {put}, .rgb = rgb, .row_bytes = 3 * (size_t)width},
    };
    return pm_jpeg_decode(image, options, &loader.client);
}
