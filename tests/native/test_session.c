/* SPDX-License-Identifier: Apache-2.0 */

/* Sessions: the same bits in any batch, bad images among good ones, no memory while running, options, and closing in
 * any order. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/memory.h"
#include "jpeg_maker.h"
#include "kernels/bf16.h"
#include "malloc_watch.h"
#include "naive_net.h"

#define SIDE 21
#define IMAGES 17

static struct model_maker maker;
static struct model_file file;
static struct jpeg_file jpegs[IMAGES];

static int set_up(void **state) {
    (void)state;
    maker_small_net(&maker, SIDE, 40, 9);
    file = maker_write(&maker);
    for (int i = 0; i < IMAGES; i++)
        jpegs[i] = make_jpeg((struct jpeg_kind){.width = 9 + 5 * i,
                                                .height = 60 - 3 * i,
                                                .space = JCS_RGB,
                                                .scans = i % 5 ? ONE_SCAN : PROGRESSIVE,
                                                .quality = 30 + 4 * i});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < IMAGES; i++) free_jpeg(&jpegs[i]);
    free_model(&file);
    maker_end(&maker);
    return pomona_memory_in_use() != 0;
}

static pomona_session *open_session(pomona_model *model, uint32_t batch, pomona_pooling pooling) {
    pomona_session_options options = {.size = sizeof options, .batch = batch, .pooling = pooling};
    pomona_session *session = NULL;
    assert_int_equal(pomona_session_open(model, &options, &session, NULL), POMONA_OK);
    return session;
}

/* The vectors of all images, one call an image. */
static float *alone(pomona_session *session) {
    size_t length = pomona_session_output_length(session);
    float *vectors = malloc(IMAGES * length * sizeof *vectors);
    for (size_t i = 0; i < IMAGES; i++) {
        pomona_bytes image = {jpegs[i].data, jpegs[i].length};
        pomona_reason reason = (pomona_reason)-1;
        assert_int_equal(pomona_session_run(session, &image, 1, vectors + i * length, &reason, NULL), POMONA_OK);
        assert_int_equal(reason, POMONA_REASON_OK);
    }
    return vectors;
}

/* ---- batches ---- */

#define STRIDES 4 /* of the orders below: prime to 17, so that each visits every image */
static const size_t strides[STRIDES] = {1, 3, 16, 7};

static void check_batches(pomona_session *session, const float *expected, size_t count, size_t stride) {
    size_t length = pomona_session_output_length(session);
    float *found = malloc(count * length * sizeof *found);
    for (size_t first = 0; first < IMAGES; first++) {
        pomona_bytes images[IMAGES];
        pomona_reason reasons[IMAGES];
        for (size_t i = 0; i < count; i++) {
            const struct jpeg_file *jpeg = &jpegs[(first + i * stride) % IMAGES];
            images[i] = (pomona_bytes){jpeg->data, jpeg->length};
        }
        assert_int_equal(pomona_session_run(session, images, count, found, reasons, NULL), POMONA_OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(reasons[i], POMONA_REASON_OK);
            assert_memory_equal(found + i * length, expected + (first + i * stride) % IMAGES * length,
                                length * sizeof *found);
        }
    }
    free(found);
}

static void test_batches(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 3, 8, 17};
    pomona_model *model = open_model(&file);
    pomona_session *single = open_session(model, 1, POMONA_POOLING_NONE);
    float *expected = alone(single);
    for (uint32_t batch = 1; batch <= IMAGES; batch += batch < 4 ? 1 : 4) {
        pomona_session *session = open_session(model, batch, POMONA_POOLING_NONE);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            check_batches(session, expected, counts[i], strides[i % STRIDES]);
        pomona_session_close(session);
    }
    pomona_session_close(single);
    pomona_model_close(model);
    free(expected);
}

/* Every third image is bad, in another way each time. */
static void test_bad_images(void **state) {
    (void)state;
    static const uint8_t png[] = "\x89PNG\r\n\x1a\n and so on";
    struct jpeg_file half = cut_jpeg(&jpegs[1], jpegs[1].length / 2);
    const struct {
        pomona_bytes bytes;
        pomona_reason reason;
    } bad[] = {{{NULL, 0}, POMONA_REASON_EMPTY},
               {{png, sizeof png}, POMONA_REASON_NOT_JPEG},
               {{half.data, half.length}, POMONA_REASON_TRUNCATED}};
    pomona_model *model = open_model(&file);
    pomona_session *session = open_session(model, 4, POMONA_POOLING_AVG);
    size_t length = pomona_session_output_length(session);
    float *expected = alone(session), *found = malloc(IMAGES * length * sizeof *found);
    pomona_bytes images[IMAGES];
    pomona_reason reasons[IMAGES];
    for (size_t shift = 0; shift < 3; shift++) {
        for (size_t i = 0; i < IMAGES; i++)
            images[i] = i % 3 == shift ? bad[i % 9 / 3].bytes : (pomona_bytes){jpegs[i].data, jpegs[i].length};
        assert_int_equal(pomona_session_run(session, images, IMAGES, found, reasons, NULL), POMONA_OK);
        for (size_t i = 0; i < IMAGES; i++) {
            assert_int_equal(reasons[i], i % 3 == shift ? bad[i % 9 / 3].reason : POMONA_REASON_OK);
            for (size_t j = 0; i % 3 == shift && j < length; j++) assert_true(isnan(found[i * length + j]));
            if (i % 3 != shift) assert_memory_equal(found + i * length, expected + i * length, length * sizeof *found);
        }
    }
    pomona_session_close(session);
    pomona_model_close(model);
    free_jpeg(&half);
    free(expected);
    free(found);
}

/* ---- memory ---- */

static void test_no_allocation(void **state) {
    (void)state;
    uint8_t *rgb = random_pixels(SIDE, SIDE, IMAGES, 1);
    pomona_model *model = open_model(&file);
    watch_begin();
    pomona_session *session = open_session(model, 3, POMONA_POOLING_AVG);
    assert_true(watch_calls() > 0); /* the watch sees the library */
    size_t length = pomona_session_output_length(session);
    float *found = malloc(IMAGES * length * sizeof *found);
    uint64_t before = pm_allocation_count(), held = pomona_memory_in_use();
    watch_begin();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pomona_session_run_pixels(session, rgb, IMAGES, found, NULL), POMONA_OK);
    assert_int_equal(watch_calls(), 0);
    free(alone(session)); /* libjpeg's memory goes with each image */
    assert_int_equal(pm_allocation_count(), before);
    assert_int_equal(pomona_memory_in_use(), held);
    pomona_session_close(session);
    pomona_model_close(model);
    free(found);
    free(rgb);
}

static void test_memory_in_use(void **state) {
    (void)state;
    assert_int_equal(pomona_memory_in_use(), 0);
    pomona_model *model = open_model(&file);
    uint64_t one = pomona_memory_in_use();
    pomona_model_info info = {.size = sizeof info};
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    assert_true(one >= info.weight_bytes);
    pomona_session *session = open_session(model, 8, POMONA_POOLING_AVG);
    uint64_t told = 8 * info.arena_bytes + info.scratch_bytes + (uint64_t)info.input_height * info.input_width * 3;
    assert_in_range(pomona_memory_in_use() - one, told, told + 4096); /* and what is small: the session itself */
    pomona_session_close(session);
    assert_int_equal(pomona_memory_in_use(), one);
    pomona_model_close(model);
    assert_int_equal(pomona_memory_in_use(), 0);
}

static void test_closing_order(void **state) {
    (void)state;
    pomona_model *model = open_model(&file);
    pomona_session *first = open_session(model, 1, POMONA_POOLING_AVG);
    pomona_session *second = open_session(model, 2, POMONA_POOLING_AVG);
    float *expected = alone(first);
    pomona_model_close(model); /* sessions outlive it */
    pomona_session_close(first);
    float *found = alone(second);
    assert_memory_equal(found, expected, IMAGES * pomona_session_output_length(second) * sizeof *found);
    assert_true(pomona_memory_in_use() > 0);
    pomona_session_close(second);
    assert_int_equal(pomona_memory_in_use(), 0);
    pomona_model_close(NULL);
    pomona_session_close(NULL);
    free(expected);
    free(found);
}

/* ---- pooling ---- */

static void check_pooling(pomona_model *model, const struct naive_map *map, const uint8_t *rgb, pomona_pooling pooling,
                          float *found) {
    pomona_session *session = open_session(model, 1, pooling);
    size_t channels = (size_t)map->channels, pixels = (size_t)(map->height * map->width);
    assert_int_equal(pomona_session_output_length(session),
                     pooling == POMONA_POOLING_NONE ? pixels * channels : channels);
    assert_int_equal(pomona_session_run_pixels(session, rgb, 1, found, NULL), POMONA_OK);
    pomona_session_close(session);
}

/* Height x width x channels, its mean and its maximum. */
static void test_pooling(void **state) {
    (void)state;
    uint8_t *rgb = random_pixels(SIDE, SIDE, 1, 2);
    struct naive_map map = naive_run(&maker, rgb);
    size_t channels = (size_t)map.channels, pixels = (size_t)(map.height * map.width);
    float *all = malloc(pixels * channels * sizeof *all), *avg = malloc(channels * sizeof *avg);
    float *max = malloc(channels * sizeof *max);
    pomona_model *model = open_model(&file);
    check_pooling(model, &map, rgb, POMONA_POOLING_NONE, all);
    check_pooling(model, &map, rgb, POMONA_POOLING_DEFAULT, avg);
    check_pooling(model, &map, rgb, POMONA_POOLING_MAX, max);
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, top = -INFINITY;
        for (size_t p = 0; p < pixels; p++) {
            assert_true(fabs(all[p * channels + c] - map.values[p * channels + c]) < 1e-5 * 10);
            sum += all[p * channels + c];
            top = fmax(top, all[p * channels + c]);
        }
        assert_true(fabs(avg[c] - sum / (double)pixels) < 1e-6 * (1 + fabs(sum)));
        assert_true(max[c] == top);
    }
    check_pooling(model, &map, rgb, POMONA_POOLING_AVG, max);
    assert_memory_equal(max, avg, channels * sizeof *avg);
    pomona_model_close(model);
    free(map.values);
    free(rgb);
    free(all);
    free(avg);
    free(max);
}

/* ---- arguments ---- */

static void expect_refused(pomona_model *model, pomona_session_options options, const char *word) {
    pomona_session *session = NULL;
    pomona_error error;
    assert_int_equal(pomona_session_open(model, &options, &session, &error), POMONA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, word));
    assert_null(session);
}

static void test_options(void **state) {
    (void)state;
    pomona_model *model = open_model(&file);
    uint64_t held = pomona_memory_in_use();
    for (size_t size = 0; size < sizeof(pomona_session_options); size++)
        expect_refused(model, (pomona_session_options){.size = size}, "pomona_session_options.size");
    const size_t full = sizeof(pomona_session_options);
    expect_refused(model, (pomona_session_options){.size = full, .batch = POMONA_MAX_BATCH + 1}, "batch 257");
    expect_refused(model, (pomona_session_options){.size = full, .pooling = (pomona_pooling)4}, "pooling 4");
    pomona_session_options options = {.size = full, .image = {.size = sizeof options.image, .fit = (pomona_fit)9}};
    expect_refused(model, options, "fit");
    assert_int_equal(pomona_memory_in_use(), held);
    pomona_session *session = NULL;
    assert_int_equal(pomona_session_open(model, NULL, &session, NULL), POMONA_OK);
    pomona_session_close(session);
    pomona_model_close(model);
}

static void test_model_options(void **state) {
    (void)state;
    pomona_model *model = NULL;
    pomona_error error;
    for (size_t size = 0; size < sizeof(pomona_model_options); size++) {
        pomona_model_options options = {.size = size};
        assert_int_equal(pomona_model_open_memory(file.data, file.length, &options, &model, &error),
                         POMONA_INVALID_ARGUMENT);
        assert_non_null(strstr(error.message, "pomona_model_options.size"));
    }
    for (int precision = POMONA_PRECISION_DEFAULT; precision <= POMONA_PRECISION_AUTO + 1; precision++) {
        pomona_model_options options = {sizeof options, (pomona_precision)precision};
        const struct pm_bf16_kernels *kernels = pm_bf16_kernels();
        int promised = (precision == POMONA_PRECISION_FP32_SPLIT && !(kernels && kernels->splits)) ||
                       (precision == POMONA_PRECISION_BF16 && !kernels);
        pomona_status expected = precision > POMONA_PRECISION_AUTO ? POMONA_INVALID_ARGUMENT
                                 : promised                        ? POMONA_UNSUPPORTED
                                                                   : POMONA_OK;
        assert_int_equal(pomona_model_open_memory(file.data, file.length, &options, &model, NULL), expected);
        if (!expected) pomona_model_close(model);
    }
}

static void test_arguments(void **state) {
    (void)state;
    pomona_model *model = open_model(&file);
    pomona_session *session = open_session(model, 1, POMONA_POOLING_AVG);
    pomona_bytes image = {jpegs[0].data, jpegs[0].length};
    pomona_reason reason;
    float output[64];
#define REFUSED(call) assert_int_equal(call, POMONA_INVALID_ARGUMENT)
    REFUSED(pomona_session_open(NULL, NULL, &session, NULL));
    REFUSED(pomona_session_open(model, NULL, NULL, NULL));
    REFUSED(pomona_session_run(NULL, &image, 1, output, &reason, NULL));
    REFUSED(pomona_session_run(session, NULL, 1, output, &reason, NULL));
    REFUSED(pomona_session_run(session, &image, 1, NULL, &reason, NULL));
    REFUSED(pomona_session_run(session, &image, 1, output, NULL, NULL));
    REFUSED(pomona_session_run_pixels(NULL, image.data, 1, output, NULL));
    REFUSED(pomona_session_run_pixels(session, NULL, 1, output, NULL));
    REFUSED(pomona_session_run_pixels(session, image.data, 1, NULL, NULL));
#undef REFUSED
    assert_int_equal(pomona_session_run(session, NULL, 0, NULL, NULL, NULL), POMONA_OK);
    assert_int_equal(pomona_session_run_pixels(session, NULL, 0, NULL, NULL), POMONA_OK);
    assert_int_equal(pomona_session_output_length(NULL), 0);
    pomona_session_close(session);
    pomona_model_close(model);
}

static void test_layer_list(void **state) {
    (void)state;
    pomona_model *model = open_model(&file);
    pomona_model_info info = {.size = sizeof info};
    pomona_layer_info layer = {.size = sizeof layer};
    uint64_t macs = 0;
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    for (uint32_t i = 0; i < info.layer_count; i++) {
        assert_int_equal(pomona_model_get_layer(model, i, &layer, NULL), POMONA_OK);
        assert_non_null(strstr(layer.kernel, info.cpu_level));
        macs += layer.macs;
    }
    assert_int_equal(macs, info.macs);
    assert_string_equal(layer.name, "head");
    assert_int_equal(layer.channels, info.feature_channels);
    assert_int_equal(info.parameters, maker.tensor_bytes / sizeof(float));
    assert_int_equal(pomona_model_get_layer(model, info.layer_count, &layer, NULL), POMONA_INVALID_ARGUMENT);
    info.size = 8;
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_INVALID_ARGUMENT);
    pomona_model_close(model);
}

/* ---- a small stack ---- */

#define STACK ((size_t)256 << 10)

static void *open_and_run(void *result) {
    pomona_model *model = NULL;
    pomona_session *session = NULL;
    pomona_status status = pomona_model_open_memory(file.data, file.length, NULL, &model, NULL);
    if (!status) status = pomona_session_open(model, NULL, &session, NULL);
    size_t length = pomona_session_output_length(session);
    float *vectors = malloc(IMAGES * length * sizeof *vectors);
    for (size_t i = 0; !status && i < IMAGES; i++) {
        pomona_bytes image = {jpegs[i].data, jpegs[i].length};
        pomona_reason reason;
        status = pomona_session_run(session, &image, 1, vectors + i * length, &reason, NULL);
    }
    pomona_session_close(session);
    pomona_model_close(model);
    free(vectors);
    *(pomona_status *)result = status;
    return NULL;
}

static void test_small_stack(void **state) {
    (void)state;
    pthread_t thread;
    pthread_attr_t attributes;
    pomona_status status = POMONA_INTERNAL;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, open_and_run, &status), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_int_equal(status, POMONA_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),       cmocka_unit_test(test_bad_images),
        cmocka_unit_test(test_no_allocation), cmocka_unit_test(test_memory_in_use),
        cmocka_unit_test(test_closing_order), cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_options),       cmocka_unit_test(test_model_options),
        cmocka_unit_test(test_arguments),     cmocka_unit_test(test_layer_list),
        cmocka_unit_test(test_small_stack),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
