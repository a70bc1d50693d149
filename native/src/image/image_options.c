/* SPDX-License-Identifier: Apache-2.0 */

/* Options of the image front end: defaults and checks. */
#include <string.h>

#include "core/status.h"
#include "image/image.h"

#define CHECK(field, last)                                                                                             \
    POMONA_RETURN_IF((unsigned)full.field > (unsigned)(last), error, POMONA_INVALID_ARGUMENT,                          \
                     "pomona_image_options." #field " is %d: give a pomona_" #field " of 0 (default) to %d",           \
                     (int)full.field, (int)(last))

/* A caller built with an older header has a shorter struct, one with a newer header a longer one whose surplus must be
 * zero, since this library does not know what it asks for. */
static pomona_status copy_known(const pomona_image_options *given, pomona_image_options *full, pomona_error *error) {
    static const pomona_image_options zero;
    if (given->size == 0 && memcmp(given, &zero, sizeof zero) == 0) return POMONA_OK; /* embedded, all defaults */
    POMONA_RETURN_IF(given->size < sizeof given->size, error, POMONA_INVALID_ARGUMENT,
                     "pomona_image_options.size is %zu: set it to sizeof(pomona_image_options)", given->size);
    for (size_t i = sizeof *full; i < given->size; i++)
        POMONA_RETURN_IF(((const unsigned char *)given)[i], error, POMONA_INVALID_ARGUMENT,
                         "pomona_image_options has a field set at byte %zu that pomona %s does not know: leave it 0", i,
                         POMONA_VERSION);
    memcpy(full, given, given->size < sizeof *full ? given->size : sizeof *full);
    return POMONA_OK;
}

pomona_status pm_image_options_resolve(const pomona_image_options *given, pomona_image_options *resolved,
                                       pomona_error *error) {
    pomona_image_options full = {0};
    if (given) POMONA_TRY(copy_known(given, &full, error));
    CHECK(resample, POMONA_RESAMPLE_LANCZOS);
    CHECK(fit, POMONA_FIT_CROP);
    CHECK(corrupt_data, POMONA_CORRUPT_DATA_ACCEPT);
    POMONA_RETURN_IF(full.fast_decode != 0 && full.fast_decode != 1, error, POMONA_INVALID_ARGUMENT,
                     "pomona_image_options.fast_decode is %d: give 0 (off) or 1", full.fast_decode);
    full.size = sizeof full;
    if (!full.resample) full.resample = POMONA_RESAMPLE_BICUBIC;
    if (!full.fit) full.fit = POMONA_FIT_SQUASH;
    if (!full.corrupt_data) full.corrupt_data = POMONA_CORRUPT_DATA_REJECT;
    if (!full.max_scans) full.max_scans = POMONA_DEFAULT_MAX_SCANS;
    if (!full.max_pixels) full.max_pixels = POMONA_DEFAULT_MAX_PIXELS;
    if (!full.max_bytes) full.max_bytes = POMONA_DEFAULT_MAX_BYTES;
    *resolved = full;
    return POMONA_OK;
}
