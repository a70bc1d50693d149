/* SPDX-License-Identifier: Apache-2.0 */

/* State of one decode, shared by the jpeg*.c files alone. */
#ifndef POMONA_IMAGE_JPEG_DECODER_H
#define POMONA_IMAGE_JPEG_DECODER_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h> /* jpeglib.h needs FILE */

#include <jpeglib.h>

#include "image/rows.h"
#include "pomona.h"

struct pm_jpeg_client; /* image/jpeg.h, which this header does not need */

struct pm_jpeg_decoder {
    struct jpeg_decompress_struct libjpeg; /* client_data points back to this struct */
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    struct jpeg_memory_mgr original_memory; /* libjpeg's own methods, behind the counting ones */
    struct pm_pool pool;
    const pomona_image_options *options;
    struct pm_jpeg_client *client; /* NULL: the header alone */
    int64_t counted_bytes;
    int past_end; /* libjpeg has asked for bytes behind the last one */
    pomona_reason reason;
    jmp_buf escape;
};

/* Ends the decode with a reason: does not return. Valid wherever libjpeg, a client or a sink runs. */
static inline _Noreturn void pm_jpeg_fail(struct pm_jpeg_decoder *decoder, pomona_reason reason) {
    decoder->reason = reason;
    longjmp(decoder->escape, 1);
}

/* Error manager, source and progress monitor: what libjpeg reports while it works. The first before the decompressor
 * is created, the second after. */
void pm_jpeg_watch_errors(struct pm_jpeg_decoder *decoder);
void pm_jpeg_watch_data(struct pm_jpeg_decoder *decoder, pomona_bytes image);

/* Puts counting methods before libjpeg's allocator and sets up `pool`; `release` takes the count back after libjpeg
 * has freed everything. */
void pm_jpeg_count_memory(struct pm_jpeg_decoder *decoder);
void pm_jpeg_release_count(struct pm_jpeg_decoder *decoder);

#endif
