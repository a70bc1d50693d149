/* SPDX-License-Identifier: Apache-2.0 */

/* libjpeg's pools: what they hold is counted with the library's memory, and our rows and tables are taken from them, so
 * that one call frees all of an image. */
#include "core/memory.h"
#include "image/jpeg_decoder.h"

#include <jerror.h>

static struct pm_jpeg_decoder *decoder_of(j_common_ptr libjpeg) { return libjpeg->client_data; }

/* Counts before the allocation: when it fails, the decode ends and the count is taken back as a whole. */
static void count(j_common_ptr libjpeg, uint64_t rows, uint64_t row_bytes) {
    int64_t bytes = (int64_t)(rows * row_bytes); /* sides are at most 65535 samples of 128 bytes: no overflow */
    decoder_of(libjpeg)->counted_bytes += bytes;
    pm_count_foreign(bytes);
}

static void *count_small(j_common_ptr libjpeg, int pool, size_t size) {
    count(libjpeg, 1, size);
    return decoder_of(libjpeg)->original_memory.alloc_small(libjpeg, pool, size);
}

static void *count_large(j_common_ptr libjpeg, int pool, size_t size) {
    count(libjpeg, 1, size);
    return decoder_of(libjpeg)->original_memory.alloc_large(libjpeg, pool, size);
}

static JSAMPARRAY count_samples(j_common_ptr libjpeg, int pool, JDIMENSION width, JDIMENSION rows) {
    count(libjpeg, rows, (uint64_t)width * sizeof(JSAMPLE));
    return decoder_of(libjpeg)->original_memory.alloc_sarray(libjpeg, pool, width, rows);
}

static JBLOCKARRAY count_blocks(j_common_ptr libjpeg, int pool, JDIMENSION width, JDIMENSION rows) {
    count(libjpeg, rows, (uint64_t)width * sizeof(JBLOCK));
    return decoder_of(libjpeg)->original_memory.alloc_barray(libjpeg, pool, width, rows);
}

/* The coefficients of a progressive image: allocated in full later on, or the decode fails. */
static jvirt_barray_ptr count_virtual_blocks(j_common_ptr libjpeg, int pool, boolean zero, JDIMENSION width,
                                             JDIMENSION rows, JDIMENSION access) {
    count(libjpeg, rows, (uint64_t)width * sizeof(JBLOCK));
    return decoder_of(libjpeg)->original_memory.request_virt_barray(libjpeg, pool, zero, width, rows, access);
}

/* libjpeg itself refuses what is larger than its chunk limit of 1e9 bytes. */
static void *take(struct pm_pool *pool, uint64_t items, uint64_t size) {
    struct pm_jpeg_decoder *decoder = (struct pm_jpeg_decoder *)((char *)pool - offsetof(struct pm_jpeg_decoder, pool));
    j_common_ptr libjpeg = (j_common_ptr)&decoder->libjpeg;
    uint64_t bytes;
    if (!pm_multiply(items, size, &bytes) || bytes > (uint64_t)decoder->libjpeg.mem->max_alloc_chunk)
        pm_jpeg_fail(decoder, POMONA_REASON_OUT_OF_MEMORY);
    return count_large(libjpeg, JPOOL_IMAGE, bytes ? (size_t)bytes : 1);
}

void pm_jpeg_count_memory(struct pm_jpeg_decoder *decoder) {
    struct jpeg_memory_mgr *memory = decoder->libjpeg.mem;
    decoder->original_memory = *memory;
    memory->alloc_small = count_small;
    memory->alloc_large = count_large;
    memory->alloc_sarray = count_samples;
    memory->alloc_barray = count_blocks;
    memory->request_virt_barray = count_virtual_blocks;
    decoder->pool.take = take;
}

void pm_jpeg_release_count(struct pm_jpeg_decoder *decoder) {
    pm_count_foreign(-decoder->counted_bytes);
    decoder->counted_bytes = 0;
}
