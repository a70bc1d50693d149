/* SPDX-License-Identifier: Apache-2.0 */

/* One decode from the first byte to the last row. The only file with setjmp: libjpeg leaves by longjmp when it fails,
 * and nothing between the two owns anything but memory of libjpeg's pools. */
#include "image/jpeg.h"

#include <string.h>

#include "image/jpeg_decoder.h"

/* Pillow's CMYK of a JPEG is the file's inverted ("Adobe's conventions", whether Adobe wrote it or not), and its RGB
 * is (1 - ink)(1 - black) by a rounded division by 255. With inverted inks c' and black k': k' - (255 - c')k'/255. */
static void cmyk_to_rgb(const uint8_t *cmyk, uint32_t width, uint8_t *rgb) {
    for (uint32_t i = 0; i < width; i++) {
        uint32_t light = cmyk[4 * i + 3];
        for (uint32_t c = 0; c < 3; c++) {
            uint32_t product = (255u - cmyk[4 * i + c]) * light + 128;
            rgb[3 * i + c] = (uint8_t)(light - (((product >> 8) + product) >> 8));
        }
    }
}

/* Everything that the header must satisfy before memory is taken for the pixels. */
static pomona_reason check_header(const struct pm_jpeg_decoder *decoder) {
    const struct jpeg_decompress_struct *libjpeg = &decoder->libjpeg;
    if ((uint64_t)libjpeg->image_width * libjpeg->image_height > decoder->options->max_pixels)
        return POMONA_REASON_TOO_MANY_PIXELS;
    /* libjpeg 3 reads lossless files, whose first scan names a predictor where others begin with coefficient 0. */
    int lossless = !libjpeg->progressive_mode && libjpeg->Ss != 0 && libjpeg->Se == 0;
    if (libjpeg->arith_code || libjpeg->data_precision != 8 || lossless) return POMONA_REASON_UNSUPPORTED_CODING;
    switch (libjpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
    case JCS_CMYK:
    case JCS_YCCK: return POMONA_REASON_OK;
    default: return POMONA_REASON_UNSUPPORTED_COLOR;
    }
}

/* An upper bound of what the header's size can ask for: 2 bytes for each coefficient of each component at full
 * resolution, padded to the largest MCU of 32 x 32, and rows. Also overrides the environment's JPEGMEM. */
static long memory_bound(const struct jpeg_decompress_struct *libjpeg) {
    uint64_t padded = ((uint64_t)libjpeg->image_width + 31) * ((uint64_t)libjpeg->image_height + 31);
    return (long)(2 * padded * (uint64_t)libjpeg->num_components + ((uint64_t)16 << 20));
}

static void read_header(struct pm_jpeg_decoder *decoder) {
    struct jpeg_decompress_struct *libjpeg = &decoder->libjpeg;
    jpeg_read_header(libjpeg, TRUE);
    pomona_reason reason = check_header(decoder);
    if (reason != POMONA_REASON_OK) pm_jpeg_fail(decoder, reason);
    libjpeg->mem->max_memory_to_use = memory_bound(libjpeg);
}

/* libjpeg-turbo stores rows that begin at a multiple of a vector past the cache, and reading them then takes longer
 * than all the rest of a resize. So ours do not. */
#define BESIDE_BOUNDARY 8

static uint8_t *take_row(struct pm_jpeg_decoder *decoder, size_t bytes) {
    return pm_take_rows(&decoder->pool, 1, BESIDE_BOUNDARY + bytes) + BESIDE_BOUNDARY;
}

static void read_rows(struct pm_jpeg_decoder *decoder) {
    struct jpeg_decompress_struct *libjpeg = &decoder->libjpeg;
    struct pm_jpeg_client *client = decoder->client;
    int inks = libjpeg->num_components == 4;
    libjpeg->out_color_space = inks ? JCS_CMYK : JCS_RGB;
    libjpeg->scale_denom = client->shrink(client, libjpeg->image_width, libjpeg->image_height);
    jpeg_start_decompress(libjpeg); /* reads a file of several scans to its end */
    uint32_t width = libjpeg->output_width, height = libjpeg->output_height;
    struct pm_row_sink *sink = client->begin(client, &decoder->pool, width, height);
    uint8_t *rgb = take_row(decoder, 3 * (size_t)width);
    JSAMPROW row = inks ? take_row(decoder, 4 * (size_t)width) : rgb;
    while (libjpeg->output_scanline < height) {
        jpeg_read_scanlines(libjpeg, &row, 1);
        if (inks) cmyk_to_rgb(row, width, rgb);
        sink->put(sink, rgb);
    }
    jpeg_finish_decompress(libjpeg); /* the end of the image must be there */
}

/* Returns normally or by pm_jpeg_fail. */
static void decode(struct pm_jpeg_decoder *decoder, pomona_bytes image) {
    pm_jpeg_watch_errors(decoder);
    jpeg_create_decompress(&decoder->libjpeg);
    pm_jpeg_count_memory(decoder);
    pm_jpeg_watch_data(decoder, image);
    read_header(decoder);
    if (decoder->client) read_rows(decoder);
}

static pomona_reason run(struct pm_jpeg_decoder *decoder, pomona_bytes image) {
    if (setjmp(decoder->escape) == 0) decode(decoder, image);
    jpeg_destroy_decompress(&decoder->libjpeg);
    pm_jpeg_release_count(decoder);
    return decoder->reason;
}

/* What the bytes tell before libjpeg sees them. */
static pomona_reason check_bytes(pomona_bytes image, const pomona_image_options *options) {
    static const uint8_t magic[] = {0xFF, 0xD8, 0xFF};
    if (image.length == 0) return POMONA_REASON_EMPTY;
    size_t known = image.length < sizeof magic ? image.length : sizeof magic;
    if (memcmp(image.data, magic, known) != 0) return POMONA_REASON_NOT_JPEG;
    if (known < sizeof magic) return POMONA_REASON_TRUNCATED;
    return image.length > options->max_bytes ? POMONA_REASON_TOO_LARGE : POMONA_REASON_OK;
}

pomona_reason pm_jpeg_size(pomona_bytes image, const pomona_image_options *options, uint32_t *width, uint32_t *height) {
    struct pm_jpeg_decoder decoder = {.options = options};
    pomona_reason reason = check_bytes(image, options);
    if (reason == POMONA_REASON_OK) reason = run(&decoder, image);
    if (reason != POMONA_REASON_OK) return reason;
    *width = decoder.libjpeg.image_width;
    *height = decoder.libjpeg.image_height;
    return reason;
}

pomona_reason pm_jpeg_decode(pomona_bytes image, const pomona_image_options *options, struct pm_jpeg_client *client) {
    struct pm_jpeg_decoder decoder = {.options = options, .client = client};
    pomona_reason reason = check_bytes(image, options);
    return reason == POMONA_REASON_OK ? run(&decoder, image) : reason;
}
