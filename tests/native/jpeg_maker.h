/* SPDX-License-Identifier: Apache-2.0 */

/* JPEGs made in memory by libjpeg's own encoder, for the tests of the decoder. */
#ifndef POMONA_TESTS_JPEG_MAKER_H
#define POMONA_TESTS_JPEG_MAKER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h> /* jpeglib.h needs FILE */

#include <jpeglib.h>

enum scans { ONE_SCAN, SCAN_PER_COMPONENT, PROGRESSIVE };

/* Zero gives the usual: components of `space`, 4:4:4, quality 75. */
struct jpeg_kind {
    int width, height, components;
    J_COLOR_SPACE space;      /* of the samples given; the file's own unless `stored` is set */
    J_COLOR_SPACE stored;     /* of the file */
    int horizontal, vertical; /* luma's sampling factors against chroma's 1x1 */
    int quality, restart;
    enum scans scans;
};

struct jpeg_file {
    uint8_t *data; /* of exactly `length` bytes, so that a sanitizer sees a read behind them */
    size_t length;
};

/* A picture of gradients and noise, the same for the same kind. */
struct jpeg_file make_jpeg(struct jpeg_kind kind);

/* A copy of the first `length` bytes. */
struct jpeg_file cut_jpeg(const struct jpeg_file *file, size_t length);

/* A copy with `count` bytes put in at `offset`. */
struct jpeg_file insert_bytes(const struct jpeg_file *file, size_t offset, const void *bytes, size_t count);

/* Offset of the `nth` (from 0) marker 0xFF `code`, or the file's length. */
size_t find_marker(const struct jpeg_file *file, uint8_t code, unsigned nth);

void free_jpeg(struct jpeg_file *file);

#endif
