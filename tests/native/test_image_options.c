/* SPDX-License-Identifier: Apache-2.0 */

/* Options and arguments of the image calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"

static void expect_defaults(const pomona_image_options *resolved) {
    assert_int_equal(resolved->size, sizeof *resolved);
    assert_int_equal(resolved->resample, POMONA_RESAMPLE_BICUBIC);
    assert_int_equal(resolved->fit, POMONA_FIT_SQUASH);
    assert_int_equal(resolved->corrupt_data, POMONA_CORRUPT_DATA_REJECT);
    assert_int_equal(resolved->max_scans, POMONA_DEFAULT_MAX_SCANS);
    assert_int_equal(resolved->max_pixels, POMONA_DEFAULT_MAX_PIXELS);
    assert_int_equal(resolved->max_bytes, POMONA_DEFAULT_MAX_BYTES);
    assert_int_equal(resolved->fast_decode, 0);
}

static void test_defaults(void **state) {
    (void)state;
    pomona_image_options resolved, zero = {0}, sized = {.size = sizeof sized};
    assert_int_equal(pm_image_options_resolve(NULL, &resolved, NULL), POMONA_OK);
    expect_defaults(&resolved);
    assert_int_equal(pm_image_options_resolve(&zero, &resolved, NULL), POMONA_OK);
    expect_defaults(&resolved);
    assert_int_equal(pm_image_options_resolve(&sized, &resolved, NULL), POMONA_OK);
    expect_defaults(&resolved);
}

/* Every size that an older caller can have: the fields behind it count as 0. */
static void test_shorter_structs(void **state) {
    (void)state;
    for (size_t size = 1; size <= sizeof(pomona_image_options); size++) {
        pomona_image_options given = {.resample = POMONA_RESAMPLE_BOX, .max_bytes = 5}, resolved;
        given.size = size;
        pomona_status status = pm_image_options_resolve(&given, &resolved, NULL);
        assert_int_equal(status, size < sizeof given.size ? POMONA_INVALID_ARGUMENT : POMONA_OK);
        if (size == sizeof given.size) expect_defaults(&resolved);
        if (size == sizeof given) assert_int_equal(resolved.max_bytes, 5);
    }
}

static void test_longer_structs(void **state) {
    (void)state;
    struct {
        pomona_image_options known;
        uint8_t more[8];
    } given = {.known = {.size = sizeof given, .max_scans = 3}};
    pomona_image_options resolved;
    pomona_error error;
    assert_int_equal(pm_image_options_resolve(&given.known, &resolved, NULL), POMONA_OK);
    assert_int_equal(resolved.max_scans, 3);
    given.more[2] = 1;
    assert_int_equal(pm_image_options_resolve(&given.known, &resolved, &error), POMONA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "does not know"));
}

static void expect_refused(pomona_image_options given, const char *field) {
    pomona_image_options resolved;
    pomona_error error;
    given.size = sizeof given;
    assert_int_equal(pm_image_options_resolve(&given, &resolved, &error), POMONA_INVALID_ARGUMENT);
    assert_int_equal(error.status, POMONA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, field));
}

static void test_unknown_values(void **state) {
    (void)state;
    expect_refused((pomona_image_options){.resample = (pomona_resample)7}, "resample");
    expect_refused((pomona_image_options){.fit = (pomona_fit)-1}, "fit");
    expect_refused((pomona_image_options){.corrupt_data = (pomona_corrupt_data)3}, "corrupt_data");
    expect_refused((pomona_image_options){.fast_decode = 2}, "fast_decode");
    pomona_image_options unsized = {.max_scans = 1};
    pomona_error error;
    assert_int_equal(pm_image_options_resolve(&unsized, &unsized, &error), POMONA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "sizeof(pomona_image_options)"));
}

static void test_arguments(void **state) {
    (void)state;
    pomona_bytes image = {(const uint8_t *)"x", 1}, missing = {NULL, 1}, empty = {NULL, 0};
    pomona_image_options bad = {.size = sizeof bad, .fit = (pomona_fit)9};
    uint32_t width, height;
    uint8_t rgb[3];
    pomona_reason reason;
#define REFUSED(call) assert_int_equal(call, POMONA_INVALID_ARGUMENT)
    REFUSED(pomona_image_probe(missing, NULL, &width, &height, &reason, NULL));
    REFUSED(pomona_image_probe(image, NULL, NULL, &height, &reason, NULL));
    REFUSED(pomona_image_probe(image, NULL, &width, NULL, &reason, NULL));
    REFUSED(pomona_image_probe(image, NULL, &width, &height, NULL, NULL));
    REFUSED(pomona_image_probe(image, &bad, &width, &height, &reason, NULL));
    REFUSED(pomona_image_decode(missing, NULL, 1, 1, rgb, &reason, NULL));
    REFUSED(pomona_image_decode(image, NULL, 0, 1, rgb, &reason, NULL));
    REFUSED(pomona_image_decode(image, NULL, 1, 65536, rgb, &reason, NULL));
    REFUSED(pomona_image_decode(image, NULL, 1, 1, NULL, &reason, NULL));
    REFUSED(pomona_image_decode(image, NULL, 1, 1, rgb, NULL, NULL));
    REFUSED(pomona_image_decode(image, &bad, 1, 1, rgb, &reason, NULL));
#undef REFUSED
    assert_int_equal(pomona_image_decode(empty, NULL, 1, 1, rgb, &reason, NULL), POMONA_OK);
    assert_int_equal(reason, POMONA_REASON_EMPTY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_shorter_structs),
        cmocka_unit_test(test_longer_structs), cmocka_unit_test(test_unknown_values),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
