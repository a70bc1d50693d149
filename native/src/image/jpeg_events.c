/* SPDX-License-Identifier: Apache-2.0 */

/* What libjpeg reports while it works - errors, warnings, the end of the data, a new scan - and what becomes of it. */
#include "image/jpeg_decoder.h"

#include <jerror.h>

/* Bytes between the end of a scan's data and the next marker that pass as padding: some cameras fill up to a multiple
 * of 16. More of them mean that the entropy decoder lost its place and came to the end of the image too early. */
#define MAX_PADDING 16

static struct pm_jpeg_decoder *decoder_of(void *libjpeg) { return ((j_common_ptr)libjpeg)->client_data; }

/* Errors that speak of a kind of JPEG that libjpeg (or we) cannot read, not of damage. */
static pomona_reason reason_of_error(const struct pm_jpeg_decoder *decoder) {
    const struct jpeg_decompress_struct *libjpeg = &decoder->libjpeg;
    switch (decoder->errors.msg_code) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE: return POMONA_REASON_OUT_OF_MEMORY;
    case JERR_SOF_UNSUPPORTED:
    case JERR_BAD_PRECISION:
    case JERR_ARITH_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_NOTIMPL: return POMONA_REASON_UNSUPPORTED_CODING;
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL: return POMONA_REASON_UNSUPPORTED_COLOR;
    case JERR_IMAGE_TOO_BIG: return POMONA_REASON_TOO_MANY_PIXELS;
    case JERR_EMPTY_IMAGE: /* a height of 0 announces a DNL marker, which libjpeg does not read */
        return libjpeg->image_width && libjpeg->num_components ? POMONA_REASON_UNSUPPORTED_CODING
                                                               : POMONA_REASON_CORRUPT;
    default: return POMONA_REASON_CORRUPT;
    }
}

static void on_error(j_common_ptr libjpeg) {
    struct pm_jpeg_decoder *decoder = decoder_of(libjpeg);
    pm_jpeg_fail(decoder, decoder->past_end ? POMONA_REASON_TRUNCATED : reason_of_error(decoder));
}

/* Warnings that leave no doubt about the pixels: an Adobe colour transform or a JFIF version that libjpeg does not
 * know, spectral limits that a sequential scan does not need, and bytes that lie between markers. Every other one
 * says that data is missing or wrong. */
static int is_benign(const struct pm_jpeg_decoder *decoder) {
    switch (decoder->errors.msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL: return 1;
    case JWRN_EXTRANEOUS_DATA:
        return decoder->libjpeg.input_scan_number == 0 || decoder->errors.msg_parm.i[0] <= MAX_PADDING;
    default: return 0;
    }
}

/* Levels of 0 and more are traces. */
static void on_message(j_common_ptr libjpeg, int level) {
    struct pm_jpeg_decoder *decoder = decoder_of(libjpeg);
    if (level >= 0 || decoder->options->corrupt_data == POMONA_CORRUPT_DATA_ACCEPT || is_benign(decoder)) return;
    pm_jpeg_fail(decoder, POMONA_REASON_CORRUPT);
}

static void on_output(j_common_ptr libjpeg) { (void)libjpeg; }

void pm_jpeg_watch_errors(struct pm_jpeg_decoder *decoder) {
    decoder->libjpeg.err = jpeg_std_error(&decoder->errors);
    decoder->libjpeg.client_data = decoder;
    decoder->errors.error_exit = on_error;
    decoder->errors.emit_message = on_message;
    decoder->errors.output_message = on_output;
}

static void on_source(j_decompress_ptr libjpeg) { (void)libjpeg; }

/* The whole file is in the buffer, so this is its end. Where damaged data is accepted, an end-of-image marker makes
 * libjpeg finish with what it has, as Pillow does under LOAD_TRUNCATED_IMAGES. */
static boolean on_end_of_data(j_decompress_ptr libjpeg) {
    static const JOCTET end_of_image[] = {0xFF, JPEG_EOI};
    struct pm_jpeg_decoder *decoder = decoder_of(libjpeg);
    decoder->past_end = 1;
    if (decoder->options->corrupt_data == POMONA_CORRUPT_DATA_REJECT) pm_jpeg_fail(decoder, POMONA_REASON_TRUNCATED);
    decoder->source.next_input_byte = end_of_image;
    decoder->source.bytes_in_buffer = sizeof end_of_image;
    return TRUE;
}

static void on_skip(j_decompress_ptr libjpeg, long count) {
    struct jpeg_source_mgr *source = libjpeg->src;
    if (count <= 0) return;
    size_t step = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
    source->next_input_byte += step;
    source->bytes_in_buffer -= step;
}

/* libjpeg calls this for each row of blocks and each marker that it reads ahead of the output. */
static void on_progress(j_common_ptr libjpeg) {
    struct pm_jpeg_decoder *decoder = decoder_of(libjpeg);
    if ((uint32_t)decoder->libjpeg.input_scan_number > decoder->options->max_scans)
        pm_jpeg_fail(decoder, POMONA_REASON_TOO_MANY_SCANS);
}

void pm_jpeg_watch_data(struct pm_jpeg_decoder *decoder, pomona_bytes image) {
    decoder->source = (struct jpeg_source_mgr){
        .next_input_byte = image.data,
        .bytes_in_buffer = image.length,
        .init_source = on_source,
        .fill_input_buffer = on_end_of_data,
        .skip_input_data = on_skip,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = on_source,
    };
    decoder->libjpeg.src = &decoder->source;
    decoder->progress.progress_monitor = on_progress;
    decoder->libjpeg.progress = &decoder->progress;
}
