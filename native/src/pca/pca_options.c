/* SPDX-License-Identifier: Apache-2.0 */
#include "pca/pca_options.h"

#include <string.h>

/* The size that stands first in the struct. */
static pomona_status read_size(const void *given, size_t *size, const char *name, pomona_error *error) {
    memcpy(size, given, sizeof *size);
    POMONA_RETURN_IF(*size < sizeof *size, error, POMONA_INVALID_ARGUMENT, "%s.size is %zu: set it to sizeof(%s)", name,
                     *size, name);
    return POMONA_OK;
}

pomona_status pm_pca_read_options(const void *given, void *full, size_t size, const char *name, pomona_error *error) {
    size_t length;
    memset(full, 0, size);
    if (!given) return POMONA_OK;
    POMONA_TRY(read_size(given, &length, name, error));
    for (size_t i = size; i < length; i++)
        POMONA_RETURN_IF(((const char *)given)[i], error, POMONA_INVALID_ARGUMENT,
                         "%s holds an option that this library (%s) does not know", name, POMONA_VERSION);
    memcpy(full, given, length < size ? length : size);
    return POMONA_OK;
}

pomona_status pm_pca_write_info(void *info, const void *full, size_t size, const char *name, pomona_error *error) {
    size_t length;
    POMONA_RETURN_IF(!info, error, POMONA_INVALID_ARGUMENT, "%s is NULL", name);
    POMONA_TRY(read_size(info, &length, name, error));
    memcpy((char *)info + sizeof length, (const char *)full + sizeof length,
           (length < size ? length : size) - sizeof length);
    return POMONA_OK;
}
