/* SPDX-License-Identifier: Apache-2.0 */

/* Typed reading of an untrusted JSON object: every getter names the place (`where`) and the key when it refuses. */
#ifndef POMONA_CORE_JSON_H
#define POMONA_CORE_JSON_H

#include <cjson/cJSON.h>

#include "core/status.h"

/* Parses exactly `length` bytes into a tree that the caller deletes with cJSON_Delete. BAD_MODEL for broken JSON, more
 * than 64 levels or too many values for its size to be a model's. */
pomona_status pm_json_parse(const char *text, size_t length, const char *where, cJSON **json, pomona_error *error);

/* `key` must be there and have the type. Strings are borrowed from the tree. */
pomona_status pm_json_string(const cJSON *object, const char *key, const char *where, const char **value,
                             pomona_error *error);
pomona_status pm_json_array(const cJSON *object, const char *key, const char *where, const cJSON **value,
                            pomona_error *error);
pomona_status pm_json_object(const cJSON *object, const char *key, const char *where, const cJSON **value,
                             pomona_error *error);

/* A whole number from `low` to `high`; left alone when the key is absent and `optional`. */
pomona_status pm_json_uint(const cJSON *object, const char *key, const char *where, int optional, uint64_t low,
                           uint64_t high, uint64_t *value, pomona_error *error);

/* Any finite number. */
pomona_status pm_json_number(const cJSON *object, const char *key, const char *where, double *value,
                             pomona_error *error);

/* `count` whole numbers from `low` to `high`; left alone when the key is absent and `optional`. */
pomona_status pm_json_uints(const cJSON *object, const char *key, const char *where, int optional, uint64_t low,
                            uint64_t high, uint32_t *values, int count, pomona_error *error);

/* The item itself as a whole number of at most 2^53, or 0 when it is none. */
int pm_json_as_uint(const cJSON *item, uint64_t *value);

#endif
