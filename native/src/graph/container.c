/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/container.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/json.h"
#include "core/memory.h"

#define PREFIX_BYTES 8
#define MAX_HEADER_BYTES ((uint64_t)16 << 20)
#define MAX_TENSORS 65536

/* Where a tensor lies in the file; tensors are checked in the order of their offsets. */
struct extent {
    uint64_t begin, end;
    const char *name;
};

static pomona_status read_shape(const cJSON *entry, struct pm_tensor *tensor, pomona_error *error) {
    const cJSON *shape, *item;
    POMONA_TRY(pm_json_array(entry, "shape", tensor->name, &shape, error));
    POMONA_RETURN_IF(cJSON_GetArraySize(shape) > PM_MAX_RANK, error, POMONA_BAD_MODEL,
                     "tensor %s: more than %d dimensions", tensor->name, PM_MAX_RANK);
    tensor->count = 1;
    cJSON_ArrayForEach(item, shape) {
        uint64_t side;
        POMONA_RETURN_IF(!pm_json_as_uint(item, &side) || side == 0 ||
                             !pm_multiply(tensor->count, side, &tensor->count),
                         error, POMONA_BAD_MODEL, "tensor %s: `shape` must be positive whole numbers", tensor->name);
        tensor->dims[tensor->rank++] = side;
    }
    return POMONA_OK;
}

static pomona_status read_tensor(const cJSON *entry, const uint8_t *base, uint64_t length, struct pm_tensor *tensor,
                                 struct extent *extent, pomona_error *error) {
    const char *type;
    const cJSON *offsets;
    uint64_t bytes;
    tensor->name = extent->name = entry->string;
    POMONA_TRY(pm_json_string(entry, "dtype", tensor->name, &type, error));
    POMONA_RETURN_IF(strcmp(type, "F32") != 0, error, POMONA_UNSUPPORTED, "tensor %s: dtype %.16s; only F32 is read",
                     tensor->name, type);
    POMONA_TRY(read_shape(entry, tensor, error));
    POMONA_TRY(pm_json_array(entry, "data_offsets", tensor->name, &offsets, error));
    POMONA_RETURN_IF(
        cJSON_GetArraySize(offsets) != 2 || !pm_json_as_uint(cJSON_GetArrayItem(offsets, 0), &extent->begin) ||
            !pm_json_as_uint(cJSON_GetArrayItem(offsets, 1), &extent->end) || extent->begin > extent->end ||
            extent->end > length || !pm_multiply(tensor->count, sizeof(float), &bytes) ||
            bytes != extent->end - extent->begin,
        error, POMONA_BAD_MODEL, "tensor %s: `data_offsets` do not fit its shape and the file", tensor->name);
    const uint8_t *data = base + extent->begin;
    POMONA_RETURN_IF((uintptr_t)data % _Alignof(float) != 0, error, POMONA_BAD_MODEL,
                     "tensor %s: not aligned to 4 bytes (pad the header with spaces)", tensor->name);
    tensor->data = (const float *)(const void *)data;
    return POMONA_OK;
}

/* What every entry has, seen before there is memory for any. */
static pomona_status check_entries(const cJSON *header, pomona_error *error) {
    const cJSON *entry, *array;
    POMONA_RETURN_IF(cJSON_GetArraySize(header) > MAX_TENSORS, error, POMONA_BAD_MODEL, "more than %d tensors",
                     MAX_TENSORS);
    cJSON_ArrayForEach(entry, header) {
        if (!strcmp(entry->string, "__metadata__")) continue;
        POMONA_TRY(pm_json_array(entry, "shape", entry->string, &array, error));
        POMONA_TRY(pm_json_array(entry, "data_offsets", entry->string, &array, error));
    }
    return POMONA_OK;
}

static int by_begin(const void *a, const void *b) {
    const struct extent *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct pm_tensor *)a)->name, ((const struct pm_tensor *)b)->name);
}

static pomona_status check_extents(struct extent *extents, uint32_t count, uint64_t length, pomona_error *error) {
    uint64_t end = 0;
    qsort(extents, count, sizeof *extents, by_begin);
    for (uint32_t i = 0; i < count; i++) {
        POMONA_RETURN_IF(extents[i].begin != end, error, POMONA_BAD_MODEL, "tensor %s: %s before it", extents[i].name,
                         extents[i].begin > end ? "a hole" : "an overlap");
        end = extents[i].end;
    }
    POMONA_RETURN_IF(end != length, error, POMONA_BAD_MODEL,
                     "%llu bytes after the last tensor: the file was changed or cut",
                     (unsigned long long)(length - end));
    return POMONA_OK;
}

static pomona_status read_tensors(struct pm_container *container, const uint8_t *base, uint64_t length,
                                  struct extent *extents, pomona_error *error) {
    const cJSON *entry;
    uint32_t count = 0;
    cJSON_ArrayForEach(entry, container->header) {
        if (!strcmp(entry->string, "__metadata__")) continue;
        POMONA_TRY(read_tensor(entry, base, length, &container->tensors[count], &extents[count], error));
        count++;
    }
    container->tensor_count = count;
    POMONA_TRY(check_extents(extents, count, length, error));
    qsort(container->tensors, count, sizeof *container->tensors, by_name);
    for (uint32_t i = 1; i < count; i++)
        POMONA_RETURN_IF(!strcmp(container->tensors[i - 1].name, container->tensors[i].name), error, POMONA_BAD_MODEL,
                         "tensor %s: appears twice", container->tensors[i].name);
    return POMONA_OK;
}

static struct pm_tensor *find_tensor(const struct pm_container *container, const char *name) {
    struct pm_tensor key = {.name = name};
    return bsearch(&key, container->tensors, container->tensor_count, sizeof key, by_name);
}

static pomona_status check_numbers(const struct pm_tensor *tensor, pomona_error *error) {
    const uint32_t exponent = 0x7f800000u; /* all ones: infinity or NaN */
    for (uint64_t i = 0; i < tensor->count; i++) {
        uint32_t bits;
        memcpy(&bits, &tensor->data[i], sizeof bits);
        POMONA_RETURN_IF((bits & exponent) == exponent, error, POMONA_BAD_MODEL, "tensor %s: number %llu is not finite",
                         tensor->name, (unsigned long long)i);
    }
    return POMONA_OK;
}

/* One walk over the checksums, since cJSON finds a key by walking; of two with one name the first counts, as for it. */
static pomona_status find_sums(struct pm_container *container, pomona_error *error) {
    const cJSON *sums, *sum;
    POMONA_TRY(pm_json_object(container->graph, "crc32", "graph", &sums, error));
    cJSON_ArrayForEach(sum, sums) {
        struct pm_tensor *tensor = find_tensor(container, sum->string);
        if (tensor && !tensor->crc32) tensor->crc32 = sum;
    }
    return POMONA_OK;
}

static pomona_status check_contents(struct pm_container *container, pomona_error *error) {
    POMONA_TRY(find_sums(container, error));
    for (uint32_t i = 0; i < container->tensor_count; i++) {
        const struct pm_tensor *tensor = &container->tensors[i];
        uint64_t expected;
        POMONA_RETURN_IF(!pm_json_as_uint(tensor->crc32, &expected) || expected > UINT32_MAX, error, POMONA_BAD_MODEL,
                         "graph: crc32: `%s` must be a whole number from 0 to %u", tensor->name, UINT32_MAX);
        uLong found = crc32_z(0, (const Bytef *)tensor->data, tensor->count * sizeof(float));
        POMONA_RETURN_IF(found != expected, error, POMONA_BAD_MODEL,
                         "tensor %s: its CRC-32 is %08lx, the file says %08lx: fetch or convert the model again",
                         tensor->name, found, (unsigned long)expected);
        POMONA_TRY(check_numbers(tensor, error));
    }
    return POMONA_OK;
}

static pomona_status parse_header(struct pm_container *container, const uint8_t *data, size_t length, uint64_t *bytes,
                                  pomona_error *error) {
    uint64_t size = 0;
    POMONA_RETURN_IF(length < PREFIX_BYTES, error, POMONA_BAD_MODEL, "%zu bytes are too few for a model file", length);
    for (int i = PREFIX_BYTES - 1; i >= 0; i--) size = size << 8 | data[i];
    POMONA_RETURN_IF(size > MAX_HEADER_BYTES || size > length - PREFIX_BYTES, error, POMONA_BAD_MODEL,
                     "not a model file: a header of %llu bytes in a file of %zu (limit %llu)", (unsigned long long)size,
                     length, (unsigned long long)MAX_HEADER_BYTES);
    POMONA_TRY(pm_json_parse((const char *)data + PREFIX_BYTES, size, "header", &container->header, error));
    POMONA_RETURN_IF(!cJSON_IsObject(container->header), error, POMONA_BAD_MODEL, "header: not a JSON object");
    *bytes = PREFIX_BYTES + size;
    return POMONA_OK;
}

pomona_status pm_container_open(struct pm_container *container, const uint8_t *data, size_t length,
                                pomona_error *error) {
    const cJSON *metadata;
    const char *graph;
    uint64_t begin = 0;
    memset(container, 0, sizeof *container);
    POMONA_TRY(parse_header(container, data, length, &begin, error));
    POMONA_TRY(pm_json_object(container->header, "__metadata__", "header", &metadata, error));
    POMONA_TRY(pm_json_string(metadata, "pomona", "header: __metadata__", &graph, error));
    POMONA_TRY(pm_json_parse(graph, strlen(graph), "graph", &container->graph, error));
    POMONA_RETURN_IF(!cJSON_IsObject(container->graph), error, POMONA_BAD_MODEL, "graph: not a JSON object");

    POMONA_TRY(check_entries(container->header, error));
    int entries = cJSON_GetArraySize(container->header);
    container->tensors = pm_allocate_zeroed((size_t)entries, sizeof *container->tensors);
    struct extent *extents = pm_allocate_zeroed((size_t)entries, sizeof *extents);
    pomona_status status = container->tensors && extents
                               ? read_tensors(container, data + begin, length - begin, extents, error)
                               : pm_fail(error, POMONA_OUT_OF_MEMORY, "no memory for a table of %d tensors", entries);
    pm_free(extents);
    return status ? status : check_contents(container, error);
}

void pm_container_close(struct pm_container *container) {
    cJSON_Delete(container->header);
    cJSON_Delete(container->graph);
    pm_free(container->tensors);
    memset(container, 0, sizeof *container);
}

const struct pm_tensor *pm_container_find(const struct pm_container *container, const char *name) {
    return find_tensor(container, name);
}
