/* SPDX-License-Identifier: Apache-2.0 */

/* The public image calls. */
#include <string.h>

#include "core/memory.h"
#include "core/status.h"
#include "image/image.h"

#define MAX_SIDE 65535u

static pomona_status check_image(pomona_bytes image, const void *reason, pomona_error *error) {
    POMONA_RETURN_IF(!image.data && image.length, error, POMONA_INVALID_ARGUMENT,
                     "image.data is NULL but image.length is %zu: give the encoded bytes", image.length);
    POMONA_RETURN_IF(!reason, error, POMONA_INVALID_ARGUMENT, "reason is NULL: give a place for the result");
    return POMONA_OK;
}

pomona_status pomona_image_probe(pomona_bytes image, const pomona_image_options *options, uint32_t *width,
                                 uint32_t *height, pomona_reason *reason, pomona_error *error) {
    pomona_image_options resolved;
    POMONA_TRY(check_image(image, reason, error));
    POMONA_RETURN_IF(!width || !height, error, POMONA_INVALID_ARGUMENT,
                     "width or height is NULL: give places for the results");
    POMONA_TRY(pm_image_options_resolve(options, &resolved, error));
    *reason = pm_image_probe(image, &resolved, width, height);
    return POMONA_OK;
}

pomona_status pomona_image_decode(pomona_bytes image, const pomona_image_options *options, uint32_t width,
                                  uint32_t height, uint8_t *rgb, pomona_reason *reason, pomona_error *error) {
    pomona_image_options resolved;
    POMONA_TRY(check_image(image, reason, error));
    POMONA_RETURN_IF(!rgb, error, POMONA_INVALID_ARGUMENT, "rgb is NULL: give a buffer of height x width x 3 bytes");
    POMONA_RETURN_IF(!width || !height || width > MAX_SIDE || height > MAX_SIDE, error, POMONA_INVALID_ARGUMENT,
                     "the target size is %ux%u: each side must be 1 to %u", width, height, MAX_SIDE);
    POMONA_TRY(pm_image_options_resolve(options, &resolved, error));
    /* Rows arrive before damage further down is found, and the caller's buffer may not be touched then. */
    size_t size = (size_t)width * height * 3;
    uint8_t *pixels = pm_allocate(size);
    POMONA_RETURN_IF(!pixels, error, POMONA_OUT_OF_MEMORY, "no memory for %zu bytes of pixels (%ux%u)", size, width,
                     height);
    *reason = pm_image_load(image, &resolved, width, height, pixels);
    if (*reason == POMONA_REASON_OK) memcpy(rgb, pixels, size);
    pm_free(pixels);
    return POMONA_OK;
}
