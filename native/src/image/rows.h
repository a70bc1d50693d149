/* SPDX-License-Identifier: Apache-2.0 */

/* What the decoder, the resizer and their users share: rows that travel, and memory that lives as long as one image. */
#ifndef POMONA_IMAGE_ROWS_H
#define POMONA_IMAGE_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/windows.h"

/* Takes the rows of an image (RGB bytes, PM_ROW_SLACK behind them) from top to bottom, each once. A row is borrowed for
 * the call. */
struct pm_row_sink {
    void (*put)(struct pm_row_sink *sink, const uint8_t *rgb);
};

/* Memory that goes when the decode of the image ends. `take` gives count x size bytes, uninitialised, and never NULL:
 * where memory is short it does not return but ends the decode. So whoever takes must not own anything else. */
struct pm_pool {
    void *(*take)(struct pm_pool *pool, uint64_t count, uint64_t size);
};

/* From one row to the next. */
static inline size_t pm_row_stride(size_t bytes) { return (bytes / PM_ROW_SLACK + 2) * PM_ROW_SLACK; }

/* Rows of `bytes` and their slack, which is cleared: kernels compute with it, if to no effect. */
static inline uint8_t *pm_take_rows(struct pm_pool *pool, uint32_t count, size_t bytes) {
    size_t stride = pm_row_stride(bytes);
    uint8_t *rows = pool->take(pool, count, stride);
    for (size_t i = 0; i < count; i++) memset(rows + i * stride + bytes, 0, stride - bytes);
    return rows;
}

#endif
