/* SPDX-License-Identifier: Apache-2.0 */

/* How a failure travels: a function that can fail returns pomona_status, fills the caller's pomona_error once where the
 * failure is found, and everyone above hands the status on. */
#ifndef POMONA_CORE_STATUS_H
#define POMONA_CORE_STATUS_H

#include "pomona.h"

/* Writes status and message to `error` (may be NULL) and returns the status. */
pomona_status pm_fail(pomona_error *error, pomona_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns from the function with the failure when the condition holds. */
#define POMONA_RETURN_IF(condition, error, status, ...)                                                                \
    do {                                                                                                               \
        if (condition) return pm_fail(error, status, __VA_ARGS__);                                                     \
    } while (0)

/* Hands a failure on. */
#define POMONA_TRY(call)                                                                                               \
    do {                                                                                                               \
        pomona_status try_status = (call);                                                                             \
        if (try_status != POMONA_OK) return try_status;                                                                \
    } while (0)

#endif
