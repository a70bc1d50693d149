/* SPDX-License-Identifier: Apache-2.0 */

/* What the decoder, the resizer and their users share: rows that travel, and memory that lives as long as one image. */
#ifndef POMONA_IMAGE_ROWS_H
#define POMONA_IMAGE_ROWS_H

#include <stdint.h>

/* Takes the rows of an image (RGB bytes) from top to bottom, each once. A row is borrowed for the call. */
struct pm_row_sink {
    void (*put)(struct pm_row_sink *sink, const uint8_t *rgb);
};

/* Memory that goes when the decode of the image ends. `take` gives count x size bytes, uninitialised, and never NULL:
 * where memory is short it does not return but ends the decode. So whoever takes must not own anything else. */
struct pm_pool {
    void *(*take)(struct pm_pool *pool, uint64_t count, uint64_t size);
};

#endif
