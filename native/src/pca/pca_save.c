/* SPDX-License-Identifier: Apache-2.0 */

/* The serialised state, docs/pca.md: little-endian, a header of 64 bytes, then fp64 numbers: mean[columns],
 * what its rounding left[columns], unit[columns], and the upper triangle of the co-moment by rows, in those units. */
#include <math.h>
#include <string.h>
#include <zlib.h>

#include "core/memory.h"
#include "pca/pca_state.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "states are written as they lie in memory, which must be little-endian"
#endif

#define VERSION 1

static const char magic[8] = {'P', 'O', 'M', 'O', 'N', 'P', 'C', 'A'};

struct header {
    char magic[8];
    uint32_t version, columns;
    uint64_t rows, skipped;
    uint32_t crc; /* CRC-32 of the whole state, this field as 0 */
    uint32_t zero[7];
};

_Static_assert(sizeof(struct header) == PM_STATE_HEADER, "the format");

/* The run of row i of tile (p, q) that belongs to the triangle: its length, and where it begins in both. */
struct run {
    size_t length, in_triangle, in_tile;
};

static struct run find_run(size_t columns, size_t width, size_t p, size_t q, size_t i) {
    const size_t row = p * width + i, first = p == q ? row : q * width;
    const size_t end = (q + 1) * width < columns ? (q + 1) * width : columns;
    if (row >= columns || first >= end) return (struct run){0, 0, 0};
    return (struct run){end - first, row * columns - row * (row + 1) / 2 + first, i * width + first - q * width};
}

static void write_triangle(const struct pm_pca_view *view, char *triangle) {
    const size_t columns = view->pca->columns, width = (size_t)view->pca->kernels->width;
    _Alignas(64) double tile[PM_TILE_MAX];
    PM_EACH_TILE(p, q, view->pca->panels) {
        pm_pca_view_tile(view, p, q, tile);
        for (size_t i = 0; i < width; i++) {
            const struct run run = find_run(columns, width, p, q, i);
            memcpy(triangle + run.in_triangle * sizeof *tile, tile + run.in_tile, run.length * sizeof *tile);
        }
    }
}

static void read_triangle(struct pomona_pca *pca, const char *triangle) {
    const size_t columns = pca->columns, width = (size_t)pca->kernels->width;
    PM_EACH_TILE(p, q, pca->panels) {
        double *tile = pca->moment + pm_tile_place(pca->panels, p, q, pca->kernels->width);
        for (size_t i = 0; i < width; i++) {
            const struct run run = find_run(columns, width, p, q, i);
            memcpy(tile + run.in_tile, triangle + run.in_triangle * sizeof *tile, run.length * sizeof *tile);
        }
    }
}

static uint32_t checksum(const struct header *header, const char *rest, size_t length) {
    struct header plain = *header;
    plain.crc = 0;
    uLong sum = crc32_z(0, (const Bytef *)&plain, sizeof plain);
    return (uint32_t)crc32_z(sum, (const Bytef *)rest, length);
}

pomona_status pomona_pca_save(const pomona_pca *pca, void *bytes, size_t length, pomona_error *error) {
    POMONA_RETURN_IF(!pca || !bytes, error, POMONA_INVALID_ARGUMENT, "state or bytes are NULL");
    const uint64_t needed = pm_pca_state_bytes(pca->columns);
    POMONA_RETURN_IF(length != needed, error, POMONA_INVALID_ARGUMENT, "%zu bytes: the state takes %llu (state_bytes)",
                     length, (unsigned long long)needed);
    struct pm_pca_view view;
    POMONA_TRY(pm_pca_view_open(pca, &view, error));
    struct header header = {.version = VERSION, .columns = pca->columns, .rows = view.rows, .skipped = pca->skipped};
    const size_t vector = pca->columns * sizeof(double);
    char *rest = (char *)bytes + sizeof header;
    memcpy(header.magic, magic, sizeof magic);
    memcpy(rest, view.mean, vector);
    memcpy(rest + vector, view.low, vector);
    memcpy(rest + 2 * vector, view.unit, vector);
    write_triangle(&view, rest + 3 * vector);
    pm_pca_view_close(&view);
    header.crc = checksum(&header, rest, length - sizeof header);
    memcpy(bytes, &header, sizeof header);
    return POMONA_OK;
}

static pomona_status check_header(const void *bytes, size_t length, struct header *header, pomona_error *error) {
    POMONA_RETURN_IF(length < sizeof *header || memcmp(bytes, magic, sizeof magic) != 0, error, POMONA_BAD_MODEL,
                     "not a state of principal components: give what `pomona pca fit --state` wrote");
    memcpy(header, bytes, sizeof *header);
    POMONA_RETURN_IF(header->version != VERSION, error, POMONA_BAD_MODEL, "state of version %u: this library reads %d",
                     header->version, VERSION);
    POMONA_RETURN_IF(header->columns < 1 || header->columns > POMONA_PCA_MAX_COLUMNS ||
                         length != pm_pca_state_bytes(header->columns),
                     error, POMONA_BAD_MODEL, "state of %u columns in %zu bytes: cut short or damaged, write it again",
                     header->columns, length);
    POMONA_RETURN_IF(checksum(header, (const char *)bytes + sizeof *header, length - sizeof *header) != header->crc,
                     error, POMONA_BAD_MODEL, "the state's CRC-32 does not fit: damaged, write it again");
    return POMONA_OK;
}

/* A whole state of a program that is not ours may still hold nonsense. */
static pomona_status check_numbers(const struct pomona_pca *pca, pomona_error *error) {
    const size_t width = (size_t)pca->kernels->width;
    for (size_t j = 0; j < pca->columns; j++) {
        int exponent;
        const double unit = pca->unit[j],
                     *diagonal = pca->moment + pm_tile_place(pca->panels, j / width, j / width, (int)width);
        POMONA_RETURN_IF(!(fabs(pca->mean[j]) < PM_TOO_LARGE) || !(fabs(pca->low[j]) < PM_TOO_LARGE) ||
                             !(unit >= 0 && unit < PM_TOO_LARGE) || (unit > 0 && frexp(unit, &exponent) != 0.5) ||
                             !(diagonal[j % width * (width + 1)] >= 0),
                         error, POMONA_BAD_MODEL, "column %zu of the state: mean, unit or variance make no sense", j);
    }
    const size_t count = pca->panels * (pca->panels + 1) / 2 * width * width;
    for (size_t i = 0; i < count; i++)
        POMONA_RETURN_IF(!(fabs(pca->moment[i]) < INFINITY), error, POMONA_BAD_MODEL,
                         "the state's co-moment is not finite");
    return POMONA_OK;
}

pomona_status pomona_pca_load(const void *bytes, size_t length, pomona_pca **result, pomona_error *error) {
    struct header header;
    pomona_pca *pca;
    POMONA_RETURN_IF(!bytes || !result, error, POMONA_INVALID_ARGUMENT, "bytes or `pca` are NULL");
    POMONA_TRY(check_header(bytes, length, &header, error));
    POMONA_TRY(pomona_pca_open(header.columns, NULL, &pca, error));
    const size_t vector = pca->columns * sizeof(double);
    const char *rest = (const char *)bytes + sizeof header;
    memcpy(pca->mean, rest, vector);
    memcpy(pca->low, rest + vector, vector);
    memcpy(pca->unit, rest + 2 * vector, vector);
    read_triangle(pca, rest + 3 * vector);
    pca->rows = header.rows;
    pca->skipped = header.skipped;
    pomona_status status = check_numbers(pca, error);
    if (status) pomona_pca_close(pca);
    else *result = pca;
    return status;
}
