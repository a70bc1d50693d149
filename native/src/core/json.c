/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <errno.h>
#include <math.h>

#define MAX_DEPTH 64
/* A tensor's entry has nine values or so in well over 18 bytes; a header that packs values tighter is no model's, and
 * the parser's tree (64 bytes a value) would be far larger than the file. */
#define MIN_BYTES_PER_VALUE 4
#define FREE_VALUES 4096

/* One look over the text before the parser recurses into it. */
static int within_limits(const char *text, size_t length) {
    size_t depth = 0, values = 0;
    int quoted = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\') i++;
            else if (c == '"') quoted = 0;
        } else if (c == '"') {
            quoted = 1;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH) return 0;
            values++;
        } else if (c == '}' || c == ']') {
            if (depth > 0) depth--;
        } else if (c == ',') {
            values++;
        }
    }
    return values <= FREE_VALUES + length / MIN_BYTES_PER_VALUE;
}

pomona_status pm_json_parse(const char *text, size_t length, const char *where, cJSON **json, pomona_error *error) {
    POMONA_RETURN_IF(!within_limits(text, length), error, POMONA_BAD_MODEL,
                     "%s: JSON nested deeper than %d levels or with too many values", where, MAX_DEPTH);
    const char *end = NULL;
    errno = 0;
    cJSON *tree = cJSON_ParseWithLengthOpts(text, length, &end, 0);
    POMONA_RETURN_IF(!tree && errno == ENOMEM, error, POMONA_OUT_OF_MEMORY, "%s: no memory for its JSON", where);
    for (; tree && end < text + length; end++)
        if (*end != ' ' && *end != '\n' && *end != '\0') break;
    if (!tree || end != text + length) {
        cJSON_Delete(tree);
        return pm_fail(error, POMONA_BAD_MODEL, "%s: broken JSON near byte %zu", where, end ? (size_t)(end - text) : 0);
    }
    *json = tree;
    return POMONA_OK;
}

static pomona_status find(const cJSON *object, const char *key, const char *where, const cJSON **item,
                          pomona_error *error) {
    *item = cJSON_GetObjectItemCaseSensitive(object, key);
    POMONA_RETURN_IF(!*item, error, POMONA_BAD_MODEL, "%s: `%s` is missing", where, key);
    return POMONA_OK;
}

pomona_status pm_json_string(const cJSON *object, const char *key, const char *where, const char **value,
                             pomona_error *error) {
    const cJSON *item;
    POMONA_TRY(find(object, key, where, &item, error));
    POMONA_RETURN_IF(!cJSON_IsString(item), error, POMONA_BAD_MODEL, "%s: `%s` must be a string", where, key);
    *value = item->valuestring;
    return POMONA_OK;
}

pomona_status pm_json_array(const cJSON *object, const char *key, const char *where, const cJSON **value,
                            pomona_error *error) {
    POMONA_TRY(find(object, key, where, value, error));
    POMONA_RETURN_IF(!cJSON_IsArray(*value), error, POMONA_BAD_MODEL, "%s: `%s` must be an array", where, key);
    return POMONA_OK;
}

pomona_status pm_json_object(const cJSON *object, const char *key, const char *where, const cJSON **value,
                             pomona_error *error) {
    POMONA_TRY(find(object, key, where, value, error));
    POMONA_RETURN_IF(!cJSON_IsObject(*value), error, POMONA_BAD_MODEL, "%s: `%s` must be an object", where, key);
    return POMONA_OK;
}

int pm_json_as_uint(const cJSON *item, uint64_t *value) {
    const double limit = 9007199254740992.0; /* 2^53: the last whole number that a double holds exactly */
    if (!cJSON_IsNumber(item)) return 0;
    double number = item->valuedouble;
    if (!(number >= 0 && number <= limit) || number != floor(number)) return 0;
    *value = (uint64_t)number;
    return 1;
}

pomona_status pm_json_uint(const cJSON *object, const char *key, const char *where, int optional, uint64_t low,
                           uint64_t high, uint64_t *value, pomona_error *error) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    uint64_t number;
    if (!item && optional) return POMONA_OK;
    POMONA_RETURN_IF(!item || !pm_json_as_uint(item, &number) || number < low || number > high, error, POMONA_BAD_MODEL,
                     "%s: `%s` must be a whole number from %llu to %llu", where, key, (unsigned long long)low,
                     (unsigned long long)high);
    *value = number;
    return POMONA_OK;
}

pomona_status pm_json_number(const cJSON *object, const char *key, const char *where, double *value,
                             pomona_error *error) {
    const cJSON *item;
    POMONA_TRY(find(object, key, where, &item, error));
    POMONA_RETURN_IF(!cJSON_IsNumber(item) || !isfinite(item->valuedouble), error, POMONA_BAD_MODEL,
                     "%s: `%s` must be a finite number", where, key);
    *value = item->valuedouble;
    return POMONA_OK;
}

pomona_status pm_json_uints(const cJSON *object, const char *key, const char *where, int optional, uint64_t low,
                            uint64_t high, uint32_t *values, int count, pomona_error *error) {
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(object, key), *item;
    if (!array && optional) return POMONA_OK;
    int ok = cJSON_IsArray(array) && cJSON_GetArraySize(array) == count, i = 0;
    cJSON_ArrayForEach(item, array) {
        uint64_t number = 0;
        ok = ok && pm_json_as_uint(item, &number) && number >= low && number <= high;
        if (!ok) break;
        values[i++] = (uint32_t)number;
    }
    POMONA_RETURN_IF(!ok, error, POMONA_BAD_MODEL, "%s: `%s` must be %d whole numbers from %llu to %llu", where, key,
                     count, (unsigned long long)low, (unsigned long long)high);
    return POMONA_OK;
}
