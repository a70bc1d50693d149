/* SPDX-License-Identifier: Apache-2.0 */

/* The decoder against what users send: limits, foreign and damaged files, memory. Pixels are compared with Pillow's in
 * tests/golden/test_decode.py. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/memory.h"
#include "image/image.h"
#include "image/jpeg.h"
#include "jpeg_maker.h"

#define SIDE 24
#define UNTOUCHED 0xA5

static const struct jpeg_kind kinds[] = {
    {.width = 37, .height = 29, .space = JCS_RGB},
    {.width = 37, .height = 29, .space = JCS_RGB, .horizontal = 2, .vertical = 2, .restart = 2},
    {.width = 37, .height = 29, .space = JCS_RGB, .horizontal = 2, .vertical = 2, .scans = PROGRESSIVE},
    {.width = 17, .height = 30, .space = JCS_RGB, .horizontal = 1, .vertical = 2, .scans = SCAN_PER_COMPONENT},
    {.width = 9, .height = 8, .space = JCS_GRAYSCALE},
    {.width = 21, .height = 11, .space = JCS_CMYK, .stored = JCS_YCCK, .horizontal = 2, .vertical = 1},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static pomona_bytes bytes_of(const struct jpeg_file *file) {
    return (pomona_bytes){.data = file->data, .length = file->length};
}

/* Decodes to SIDE x SIDE; checks that a failure leaves the pixels alone and that all memory came back. */
static pomona_reason decode(const struct jpeg_file *file, const pomona_image_options *options) {
    uint8_t pixels[SIDE * SIDE * 3];
    pomona_reason reason = (pomona_reason)-1;
    memset(pixels, UNTOUCHED, sizeof pixels);
    assert_int_equal(pomona_image_decode(bytes_of(file), options, SIDE, SIDE, pixels, &reason, NULL), POMONA_OK);
    for (size_t i = 0; reason != POMONA_REASON_OK && i < sizeof pixels; i++) assert_int_equal(pixels[i], UNTOUCHED);
    assert_int_equal(pomona_memory_in_use(), 0);
    return reason;
}

static pomona_reason probe(const struct jpeg_file *file, const pomona_image_options *options) {
    uint32_t width = 0, height = 0;
    pomona_reason reason = (pomona_reason)-1;
    assert_int_equal(pomona_image_probe(bytes_of(file), options, &width, &height, &reason, NULL), POMONA_OK);
    assert_int_equal(pomona_memory_in_use(), 0);
    assert_int_equal(reason == POMONA_REASON_OK, width != 0 && height != 0);
    return reason;
}

static pomona_reason decode_bytes(const void *data, size_t length) {
    struct jpeg_file given = {(uint8_t *)(uintptr_t)data, length}, copy = cut_jpeg(&given, length);
    pomona_reason reason = decode(&copy, NULL);
    assert_int_equal(probe(&copy, NULL), reason);
    free_jpeg(&copy);
    return reason;
}

static void test_first_bytes(void **state) {
    (void)state;
    assert_int_equal(decode_bytes("", 0), POMONA_REASON_EMPTY);
    assert_int_equal(decode_bytes("\xFF", 1), POMONA_REASON_TRUNCATED);
    assert_int_equal(decode_bytes("\xFF\xD8", 2), POMONA_REASON_TRUNCATED);
    assert_int_equal(decode_bytes("\xFF\xD8\xFF", 3), POMONA_REASON_TRUNCATED);
    assert_int_equal(decode_bytes("\xFF\xD8\xFF\xD9", 4), POMONA_REASON_CORRUPT);
    assert_int_equal(decode_bytes("\x89PNG\r\n\x1A\n", 8), POMONA_REASON_NOT_JPEG);
    assert_int_equal(decode_bytes("GIF89a", 6), POMONA_REASON_NOT_JPEG);
    assert_int_equal(decode_bytes("<", 1), POMONA_REASON_NOT_JPEG);
}

static void test_kinds_and_tiny_sizes(void **state) {
    (void)state;
    for (size_t i = 0; i < KINDS; i++)
        for (int width = 1; width < 20; width++)
            for (int height = 1; height < 20; height += 3) {
                struct jpeg_kind kind = kinds[i];
                kind.width = width;
                kind.height = height;
                struct jpeg_file file = make_jpeg(kind);
                assert_int_equal(decode(&file, NULL), POMONA_REASON_OK);
                free_jpeg(&file);
            }
}

static void test_cut_at_every_byte(void **state) {
    (void)state;
    pomona_image_options accept = {.size = sizeof accept, .corrupt_data = POMONA_CORRUPT_DATA_ACCEPT};
    for (size_t i = 0; i < KINDS; i++) {
        struct jpeg_file file = make_jpeg(kinds[i]);
        for (size_t length = 1; length < file.length; length++) {
            struct jpeg_file cut = cut_jpeg(&file, length);
            assert_int_equal(decode(&cut, NULL), POMONA_REASON_TRUNCATED);
            pomona_reason reason = decode(&cut, &accept);
            assert_true(reason == POMONA_REASON_OK || reason == POMONA_REASON_TRUNCATED);
            free_jpeg(&cut);
        }
        free_jpeg(&file);
    }
}

/* Pixels, where there are any, must not depend on what was in memory before. */
static void decode_twice(const struct jpeg_file *file, const pomona_image_options *options) {
    uint8_t first[SIDE * SIDE * 3], second[SIDE * SIDE * 3];
    pomona_reason once, again;
    memset(first, 0, sizeof first);
    memset(second, 0, sizeof second);
    assert_int_equal(pomona_image_decode(bytes_of(file), options, SIDE, SIDE, first, &once, NULL), POMONA_OK);
    assert_int_equal(pomona_image_decode(bytes_of(file), options, SIDE, SIDE, second, &again, NULL), POMONA_OK);
    assert_int_equal(once, again);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(pomona_memory_in_use(), 0);
}

static void test_every_byte_changed(void **state) {
    (void)state;
    static const uint8_t changes[] = {0x01, 0x80, 0xFF};
    pomona_image_options accept = {
        .size = sizeof accept, .corrupt_data = POMONA_CORRUPT_DATA_ACCEPT, .max_pixels = 1 << 20};
    pomona_image_options reject = accept;
    reject.corrupt_data = POMONA_CORRUPT_DATA_REJECT;
    for (size_t i = 0; i < KINDS; i++) {
        struct jpeg_file file = make_jpeg(kinds[i]);
        for (size_t at = 3; at < file.length; at++)
            for (size_t change = 0; change < sizeof changes; change++) {
                file.data[at] ^= changes[change];
                decode_twice(&file, &accept);
                decode(&file, &reject);
                file.data[at] ^= changes[change];
            }
        free_jpeg(&file);
    }
}

/* A file whose header says 65500 x 65500 and that ends after it. */
static struct jpeg_file huge_header(void) {
    struct jpeg_file file = make_jpeg(kinds[0]);
    size_t frame = find_marker(&file, 0xC0, 0);
    memcpy(file.data + frame + 5, "\xFF\xDC\xFF\xDC", 4);
    return file;
}

static void test_pixel_limit(void **state) {
    (void)state;
    struct jpeg_file file = huge_header();
    struct timespec begin, end;
    double best = 1e9;
    for (int i = 0; i < 20; i++) {
        timespec_get(&begin, TIME_UTC);
        assert_int_equal(decode(&file, NULL), POMONA_REASON_TOO_MANY_PIXELS);
        timespec_get(&end, TIME_UTC);
        double seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
        if (seconds < best) best = seconds;
    }
    assert_true(best < 1e-3);
    assert_int_equal(probe(&file, NULL), POMONA_REASON_TOO_MANY_PIXELS);
    memcpy(file.data + find_marker(&file, 0xC0, 0) + 5, "\xFF\xFF\xFF\xFF", 4); /* beyond libjpeg's own limit */
    assert_int_equal(decode(&file, NULL), POMONA_REASON_TOO_MANY_PIXELS);
    free_jpeg(&file);
}

static void test_limits_are_inclusive(void **state) {
    (void)state;
    struct jpeg_file file = make_jpeg(kinds[2]);
    pomona_image_options options = {.size = sizeof options,
                                    .max_pixels = 37 * 29,
                                    .max_bytes = file.length,
                                    .max_scans = 10}; /* the scans of jpeg_simple_progression for YCbCr */
    assert_int_equal(decode(&file, &options), POMONA_REASON_OK);
    options.max_scans = 9;
    assert_int_equal(decode(&file, &options), POMONA_REASON_TOO_MANY_SCANS);
    assert_int_equal(probe(&file, &options), POMONA_REASON_OK);
    options.max_pixels--;
    assert_int_equal(decode(&file, &options), POMONA_REASON_TOO_MANY_PIXELS);
    options.max_bytes--;
    assert_int_equal(decode(&file, &options), POMONA_REASON_TOO_LARGE);
    options = (pomona_image_options){
        .size = sizeof options, .max_pixels = UINT64_MAX, .max_bytes = UINT64_MAX, .max_scans = UINT32_MAX};
    assert_int_equal(decode(&file, &options), POMONA_REASON_OK);
    free_jpeg(&file);
}

/* A sequential file may repeat the scan of a component as often as it likes. */
static void test_many_scans(void **state) {
    (void)state;
    struct jpeg_file file = make_jpeg(kinds[3]);
    size_t first = find_marker(&file, 0xDA, 0), second = find_marker(&file, 0xDA, 1);
    for (unsigned scans = 4; scans <= 101; scans++) {
        struct jpeg_file longer = insert_bytes(&file, first, file.data + first, second - first);
        free_jpeg(&file);
        file = longer;
        pomona_reason reason = scans > POMONA_DEFAULT_MAX_SCANS ? POMONA_REASON_TOO_MANY_SCANS : POMONA_REASON_OK;
        assert_int_equal(decode(&file, NULL), reason);
    }
    free_jpeg(&file);
}

static void test_unsupported_coding(void **state) {
    (void)state;
    static const uint8_t frames[] = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF};
    struct jpeg_file file = make_jpeg(kinds[0]);
    size_t frame = find_marker(&file, 0xC0, 0);
    for (size_t i = 0; i < sizeof frames; i++) {
        file.data[frame + 1] = frames[i];
        assert_int_equal(decode(&file, NULL), POMONA_REASON_UNSUPPORTED_CODING);
    }
    file.data[frame + 1] = 0xC1;
    file.data[frame + 4] = 12; /* bits */
    assert_int_equal(decode(&file, NULL), POMONA_REASON_UNSUPPORTED_CODING);
    file.data[frame + 4] = 8;
    memset(file.data + frame + 5, 0, 2); /* height 0: a DNL marker is to follow */
    assert_int_equal(decode(&file, NULL), POMONA_REASON_UNSUPPORTED_CODING);
    free_jpeg(&file);
}

static void test_unsupported_color(void **state) {
    (void)state;
    for (int components = 2; components <= 5; components += 3) {
        struct jpeg_file file = make_jpeg((struct jpeg_kind){
            .width = 8, .height = 8, .components = components, .space = JCS_UNKNOWN, .scans = SCAN_PER_COMPONENT});
        assert_int_equal(decode(&file, NULL), POMONA_REASON_UNSUPPORTED_COLOR);
        assert_int_equal(probe(&file, NULL), POMONA_REASON_UNSUPPORTED_COLOR);
        free_jpeg(&file);
    }
}

static pomona_reason with_insertion(const struct jpeg_file *file, size_t offset, const void *bytes, size_t count) {
    struct jpeg_file longer = insert_bytes(file, offset, bytes, count);
    pomona_reason reason = decode(&longer, NULL);
    free_jpeg(&longer);
    return reason;
}

static void test_harmless_oddities(void **state) {
    (void)state;
    static const uint8_t zeros[40] = {0};
    static const uint8_t adobe[] = "\xFF\xEE\0\x0E"
                                   "Adobe\0\x64\0\0\0\0\x07"; /* a transform nobody knows */
    struct jpeg_file file = make_jpeg(kinds[0]);
    size_t frame = find_marker(&file, 0xC0, 0), end = file.length - 2;
    assert_int_equal(with_insertion(&file, file.length, file.data, file.length), POMONA_REASON_OK); /* two in one */
    assert_int_equal(with_insertion(&file, file.length, zeros, 9), POMONA_REASON_OK);
    assert_int_equal(with_insertion(&file, frame, zeros, sizeof zeros), POMONA_REASON_OK);
    assert_int_equal(with_insertion(&file, frame, adobe, sizeof adobe - 1), POMONA_REASON_OK);
    assert_int_equal(with_insertion(&file, end, zeros, 8), POMONA_REASON_OK);
    assert_int_equal(with_insertion(&file, end, zeros, sizeof zeros), POMONA_REASON_CORRUPT);
    file.data[11] = 9; /* JFIF version 9 */
    assert_int_equal(decode(&file, NULL), POMONA_REASON_OK);
    free_jpeg(&file);
}

/* Accepted or not, a file whose data ends at a marker inside the picture is damaged. */
static void test_data_lost_in_the_middle(void **state) {
    (void)state;
    pomona_image_options accept = {.size = sizeof accept, .corrupt_data = POMONA_CORRUPT_DATA_ACCEPT};
    struct jpeg_file file = make_jpeg(kinds[0]);
    memcpy(file.data + file.length - 200, "\xFF\xD9", 2);
    assert_int_equal(decode(&file, NULL), POMONA_REASON_CORRUPT);
    assert_int_equal(decode(&file, &accept), POMONA_REASON_OK);
    free_jpeg(&file);
}

/* Looks at the memory count while rows arrive. */
struct watcher {
    struct pm_jpeg_client client;
    struct pm_row_sink sink;
    struct pm_pool *pool;
    uint64_t take, least, most, rows;
};

static void watch_row(struct pm_row_sink *sink, const uint8_t *rgb) {
    struct watcher *watcher = (struct watcher *)((char *)sink - offsetof(struct watcher, sink));
    uint64_t now = pomona_memory_in_use();
    (void)rgb;
    if (now < watcher->least) watcher->least = now;
    if (now > watcher->most) watcher->most = now;
    watcher->rows++;
}

static uint32_t whole_size(struct pm_jpeg_client *client, uint32_t width, uint32_t height) {
    (void)client;
    (void)width;
    (void)height;
    return 1;
}

static struct pm_row_sink *watch(struct pm_jpeg_client *client, struct pm_pool *pool, uint32_t width, uint32_t height) {
    struct watcher *watcher = (struct watcher *)client;
    (void)width;
    (void)height;
    if (watcher->take) pool->take(pool, watcher->take, 1);
    return &watcher->sink;
}

static pomona_reason run_watcher(struct watcher *watcher, struct jpeg_kind kind) {
    pomona_image_options options;
    struct jpeg_file file = make_jpeg(kind);
    watcher->client = (struct pm_jpeg_client){whole_size, watch};
    watcher->sink.put = watch_row;
    watcher->least = UINT64_MAX;
    assert_int_equal(pm_image_options_resolve(NULL, &options, NULL), POMONA_OK);
    pomona_reason reason = pm_jpeg_decode(bytes_of(&file), &options, &watcher->client);
    assert_int_equal(pomona_memory_in_use(), 0);
    free_jpeg(&file);
    return reason;
}

static void test_memory_is_counted(void **state) {
    (void)state;
    struct jpeg_kind kind = {.width = 400, .height = 300, .space = JCS_RGB};
    struct watcher baseline = {0}, progressive = {0}, more = {.take = 1 << 20};
    assert_int_equal(run_watcher(&baseline, kind), POMONA_REASON_OK);
    assert_int_equal(run_watcher(&more, kind), POMONA_REASON_OK);
    kind.scans = PROGRESSIVE;
    assert_int_equal(run_watcher(&progressive, kind), POMONA_REASON_OK);
    assert_int_equal(baseline.rows, 300);
    assert_in_range(baseline.least, 10000, 200000); /* rows alone */
    assert_int_equal(more.most - baseline.most, 1 << 20);
    assert_in_range(progressive.least, 400 * 300 * 3 * 2, 400 * 300 * 3 * 2 + 300000); /* all coefficients */
}

static void test_out_of_memory(void **state) {
    (void)state;
    uint8_t pixels[12];
    pomona_reason reason;
    pomona_error error;
    struct watcher greedy = {.take = UINT64_MAX / 2};
    assert_int_equal(run_watcher(&greedy, kinds[0]), POMONA_REASON_OUT_OF_MEMORY);
    assert_int_equal(greedy.rows, 0);
    struct jpeg_file file = make_jpeg(kinds[0]);
    pm_fail_allocation(1, 0);
    assert_int_equal(pomona_image_decode(bytes_of(&file), NULL, 2, 2, pixels, &reason, &error), POMONA_OUT_OF_MEMORY);
    pm_fail_allocation(0, 0);
    assert_non_null(strstr(error.message, "2x2"));
    free_jpeg(&file);
}

static void *decode_many(void *argument) {
    static _Thread_local uint8_t pixels[224 * 224 * 3];
    const struct jpeg_file *files = argument;
    pomona_image_options options;
    uint64_t digest = 0;
    if (pm_image_options_resolve(NULL, &options, NULL) != POMONA_OK) return NULL;
    for (int i = 0; i < 12; i++) {
        if (pm_image_load(bytes_of(&files[i % 4]), &options, 224, 224, pixels) != POMONA_REASON_OK) return NULL;
        for (size_t p = 0; p < sizeof pixels; p++) digest = digest * 31 + pixels[p];
    }
    return (void *)(uintptr_t)(digest | 1);
}

/* Java's threads may have as little as this. */
static void test_threads_with_small_stacks(void **state) {
    (void)state;
    struct jpeg_file files[4];
    pthread_t threads[4];
    pthread_attr_t attributes;
    void *first, *other;
    for (int i = 0; i < 4; i++)
        files[i] = make_jpeg((struct jpeg_kind){.width = 1200,
                                                .height = 700 + i,
                                                .horizontal = 2,
                                                .vertical = 2,
                                                .space = i == 3 ? JCS_CMYK : JCS_RGB,
                                                .scans = i % 2 ? PROGRESSIVE : ONE_SCAN});
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], &attributes, decode_many, files), 0);
    pthread_join(threads[0], &first);
    assert_non_null(first);
    for (int i = 1; i < 4; i++) {
        pthread_join(threads[i], &other);
        assert_ptr_equal(other, first);
    }
    pthread_attr_destroy(&attributes);
    assert_int_equal(pomona_memory_in_use(), 0);
    for (int i = 0; i < 4; i++) free_jpeg(&files[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_bytes),       cmocka_unit_test(test_kinds_and_tiny_sizes),
        cmocka_unit_test(test_cut_at_every_byte), cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_pixel_limit),       cmocka_unit_test(test_limits_are_inclusive),
        cmocka_unit_test(test_many_scans),        cmocka_unit_test(test_unsupported_coding),
        cmocka_unit_test(test_unsupported_color), cmocka_unit_test(test_harmless_oddities),
        cmocka_unit_test(test_memory_is_counted), cmocka_unit_test(test_data_lost_in_the_middle),
        cmocka_unit_test(test_out_of_memory),     cmocka_unit_test(test_threads_with_small_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
