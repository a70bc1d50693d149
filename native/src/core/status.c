/* SPDX-License-Identifier: Apache-2.0 */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

#ifndef POMONA_BUILD_ID
#define POMONA_BUILD_ID "unknown"
#endif

pomona_status pm_fail(pomona_error *error, pomona_status status, const char *format, ...) {
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        error->status = status;
    }
    return status;
}

struct code {
    const char *name, *text;
};

static const struct code status_codes[] = {
#define POMONA_STATUS(name, code, text) [code] = {#name, text},
#include "pomona_status.def"
#undef POMONA_STATUS
};

static const struct code reason_codes[] = {
#define POMONA_REASON(name, code, text) [code] = {#name, text},
#include "pomona_reasons.def"
#undef POMONA_REASON
};

static struct code lookup(const struct code *codes, size_t count, int code) {
    static const struct code unknown = {"UNKNOWN", "unknown code"};
    return code >= 0 && (size_t)code < count && codes[code].name ? codes[code] : unknown;
}

#define LOOKUP(codes, code) lookup(codes, sizeof codes / sizeof *codes, code)

const char *pomona_status_name(int status) { return LOOKUP(status_codes, status).name; }
const char *pomona_status_text(int status) { return LOOKUP(status_codes, status).text; }
const char *pomona_reason_name(int reason) { return LOOKUP(reason_codes, reason).name; }
const char *pomona_reason_text(int reason) { return LOOKUP(reason_codes, reason).text; }
const char *pomona_version(void) { return POMONA_VERSION; }
const char *pomona_build_id(void) { return POMONA_BUILD_ID; }
