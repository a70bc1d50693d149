/* SPDX-License-Identifier: Apache-2.0 */

/* Codes, names and texts: what Java and Python rely on. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/status.h"

static void test_status_codes(void **state) {
    (void)state;
    static const char *const names[] = {"OK", "INVALID_ARGUMENT", "OUT_OF_MEMORY", "BAD_MODEL", "UNSUPPORTED", "LIMIT",
                                        "IO", "INTERNAL"};
    for (int i = 0; i < 8; i++) { /* stable: never renumbered */
        assert_string_equal(pomona_status_name(i), names[i]);
        assert_true(strlen(pomona_status_text(i)) > 0);
    }
    assert_string_equal(pomona_status_name(8), "UNKNOWN");
}

static void test_reason_codes(void **state) {
    (void)state;
    static const char *const names[] = {
        "OK",           "EMPTY",           "NOT_JPEG",       "TRUNCATED",          "CORRUPT",
        "TOO_LARGE",    "TOO_MANY_PIXELS", "TOO_MANY_SCANS", "UNSUPPORTED_CODING", "UNSUPPORTED_COLOR",
        "OUT_OF_MEMORY"};
    for (int i = 0; i < 11; i++) {
        assert_string_equal(pomona_reason_name(i), names[i]);
        assert_true(strlen(pomona_reason_text(i)) > 0);
    }
}

static void test_unknown_codes(void **state) {
    (void)state;
    static const int codes[] = {-1, 99, 1 << 30, -2147483647 - 1};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_string_equal(pomona_status_name(codes[i]), "UNKNOWN");
        assert_string_equal(pomona_reason_name(codes[i]), "UNKNOWN");
        assert_string_equal(pomona_status_text(codes[i]), "unknown code");
        assert_string_equal(pomona_reason_text(codes[i]), "unknown code");
    }
}

static void test_version(void **state) {
    (void)state;
    assert_string_equal(pomona_version(), POMONA_VERSION);
    assert_int_equal(strlen(pomona_build_id()), 16);
    for (const char *c = pomona_build_id(); *c; c++) assert_true(isxdigit((unsigned char)*c));
}

static pomona_status fail_early(int wrong, pomona_error *error) {
    POMONA_RETURN_IF(wrong, error, POMONA_LIMIT, "%d is too much", wrong);
    return POMONA_OK;
}

static pomona_status hand_on(int wrong, pomona_error *error) {
    POMONA_TRY(fail_early(wrong, error));
    return POMONA_OK;
}

static void test_errors(void **state) {
    (void)state;
    pomona_error error = {POMONA_INTERNAL, "untouched"};
    assert_int_equal(hand_on(0, &error), POMONA_OK);
    assert_string_equal(error.message, "untouched");
    assert_int_equal(hand_on(7, &error), POMONA_LIMIT);
    assert_int_equal(error.status, POMONA_LIMIT);
    assert_string_equal(error.message, "7 is too much");
    assert_int_equal(hand_on(7, NULL), POMONA_LIMIT);
}

/* A name from a hostile file may be of any length. */
static void test_long_messages(void **state) {
    (void)state;
    char text[2000];
    pomona_error error;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    pm_fail(&error, POMONA_IO, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_codes), cmocka_unit_test(test_reason_codes), cmocka_unit_test(test_unknown_codes),
        cmocka_unit_test(test_version),      cmocka_unit_test(test_errors),       cmocka_unit_test(test_long_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
