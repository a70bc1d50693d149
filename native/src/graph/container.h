/* SPDX-License-Identifier: Apache-2.0 */

/* The safetensors container of docs/model-format.md: bytes to named tensors. Knows nothing of layers. */
#ifndef POMONA_GRAPH_CONTAINER_H
#define POMONA_GRAPH_CONTAINER_H

#include <cjson/cJSON.h>

#include "core/status.h"

#define PM_MAX_RANK 8

/* A view into the container's bytes. */
struct pm_tensor {
    const char *name;
    const float *data;
    uint64_t count; /* product of dims */
    uint64_t dims[PM_MAX_RANK];
    uint32_t rank;
    const cJSON *crc32; /* what the graph says that its CRC-32 is; NULL: nothing */
};

struct pm_container {
    cJSON *header;
    cJSON *graph;              /* the object under __metadata__.pomona */
    struct pm_tensor *tensors; /* sorted by name */
    uint32_t tensor_count;
};

/* Checks header, offsets (no holes, no overlap, aligned, to the last byte), checksums, and that every number is finite.
 * Views borrow `data`. Close with pm_container_close, also after a failure. */
pomona_status pm_container_open(struct pm_container *container, const uint8_t *data, size_t length,
                                pomona_error *error);
void pm_container_close(struct pm_container *container);

/* The tensor of that name, or NULL. Lives as long as the container. */
const struct pm_tensor *pm_container_find(const struct pm_container *container, const char *name);

#endif
