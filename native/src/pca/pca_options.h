/* SPDX-License-Identifier: Apache-2.0 */

/* Structs of the caller that begin with their own size: shorter ones come from programs built with an older header. */
#ifndef POMONA_PCA_OPTIONS_H
#define POMONA_PCA_OPTIONS_H

#include "core/status.h"

/* Copies `given` (NULL: nothing) over `full`, `size` bytes of zeros before. Refused without its size, and where it
 * holds more than this library knows. */
pomona_status pm_pca_read_options(const void *given, void *full, size_t size, const char *name, pomona_error *error);

/* Copies as much of `full` as the caller's struct has room for; its own size stays. */
pomona_status pm_pca_write_info(void *info, const void *full, size_t size, const char *name, pomona_error *error);

#endif
