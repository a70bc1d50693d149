/* SPDX-License-Identifier: Apache-2.0 */

/* Eight threads, 10,000 calls mixed over two models that they share: every vector equals the one that a single thread
 * gets, bit for bit. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jpeg_maker.h"
#include "model_maker.h"

#define THREADS 8
#define CALLS 10000
#define IMAGES 6
#define MOST 3         /* images of one call */
#define MAX_LENGTH 256 /* numbers in a vector */
#define REOPEN 100     /* calls between new sessions */

static const uint32_t sides[2] = {15, 22};
static struct model_file files[2];
static pomona_model *models[2];
static struct jpeg_file jpegs[IMAGES];
static uint8_t *pixels[2];
static float expected_jpeg[2][IMAGES][MAX_LENGTH], expected_pixels[2][IMAGES][MAX_LENGTH];
static atomic_int wrong, done;

static pomona_session *open_session(int which, uint32_t batch) {
    pomona_session_options options = {.size = sizeof options, .batch = batch};
    pomona_session *session = NULL;
    return pomona_session_open(models[which], &options, &session, NULL) ? NULL : session;
}

static size_t image_bytes(int which) { return (size_t)sides[which] * sides[which] * 3; }

/* What a single thread gets. */
static void expect_all(int which) {
    pomona_session *session = open_session(which, 1);
    assert_in_range(pomona_session_output_length(session), 1, MAX_LENGTH);
    for (size_t i = 0; i < IMAGES; i++) {
        pomona_bytes image = {jpegs[i].data, jpegs[i].length};
        pomona_reason reason;
        assert_int_equal(pomona_session_run(session, &image, 1, expected_jpeg[which][i], &reason, NULL), POMONA_OK);
        assert_int_equal(reason, POMONA_REASON_OK);
        assert_int_equal(pomona_session_run_pixels(session, pixels[which] + i * image_bytes(which), 1,
                                                   expected_pixels[which][i], NULL),
                         POMONA_OK);
    }
    pomona_session_close(session);
}

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < IMAGES; i++)
        jpegs[i] = make_jpeg((struct jpeg_kind){
            .width = 10 + 4 * i, .height = 30 - 3 * i, .space = JCS_RGB, .scans = i == 3 ? PROGRESSIVE : ONE_SCAN});
    for (int which = 0; which < 2; which++) {
        struct model_maker maker;
        maker_small_net(&maker, sides[which], which ? 48 : 19, 11);
        files[which] = maker_write(&maker);
        maker_end(&maker);
        models[which] = open_model(&files[which]);
        pixels[which] = random_pixels(sides[which], sides[which], IMAGES, 5);
        expect_all(which);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < IMAGES; i++) free_jpeg(&jpegs[i]);
    for (int which = 0; which < 2; which++) {
        free_model(&files[which]);
        free(pixels[which]);
    }
    return pomona_memory_in_use() != 0;
}

static int differs(const float *found, const float (*expected)[MAX_LENGTH], size_t first, size_t count, size_t length) {
    int different = 0;
    for (size_t i = 0; i < count; i++)
        different |= memcmp(found + i * length, expected[(first + i) % IMAGES], length * sizeof *found) != 0;
    return different;
}

/* One call of some kind; 0 when all vectors are right. */
static int call(pomona_session *session, int which, size_t first, size_t count, int from_jpeg) {
    float found[MOST * MAX_LENGTH];
    pomona_bytes images[MOST];
    pomona_reason reasons[MOST];
    size_t length = pomona_session_output_length(session);
    if (!from_jpeg) {
        if (first + count > IMAGES) first = IMAGES - count;
        return pomona_session_run_pixels(session, pixels[which] + first * image_bytes(which), count, found, NULL) ||
               differs(found, expected_pixels[which], first, count, length);
    }
    for (size_t i = 0; i < count; i++)
        images[i] = (pomona_bytes){jpegs[(first + i) % IMAGES].data, jpegs[(first + i) % IMAGES].length};
    if (pomona_session_run(session, images, count, found, reasons, NULL)) return 1;
    for (size_t i = 0; i < count; i++)
        if (reasons[i] != POMONA_REASON_OK) return 1;
    return differs(found, expected_jpeg[which], first, count, length);
}

static void *work(void *argument) {
    uint32_t random = (uint32_t)(uintptr_t)argument + 1;
    pomona_session *sessions[2] = {NULL, NULL};
    for (int i = 0; i < CALLS / THREADS; i++) {
        for (int which = 0; i % REOPEN == 0 && which < 2; which++) {
            pomona_session_close(sessions[which]);
            sessions[which] = open_session(which, 1 + (random >> 20) % MOST);
        }
        random = random * 1664525u + 1013904223u;
        int which = (int)(random >> 31);
        if (!sessions[which] ||
            call(sessions[which], which, (random >> 8) % IMAGES, 1 + (random >> 16) % MOST, (random >> 24) & 1))
            atomic_fetch_add(&wrong, 1);
        atomic_fetch_add(&done, 1);
    }
    pomona_session_close(sessions[0]);
    pomona_session_close(sessions[1]);
    return NULL;
}

static void test_mixed_calls(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&done), CALLS);
    assert_int_equal(atomic_load(&wrong), 0);
}

/* Threads open their own models and sessions while others close theirs; the last reference frees. */
static void *open_and_close(void *argument) {
    int which = (int)((uintptr_t)argument % 2);
    for (int i = 0; i < 50; i++) {
        pomona_model *model = NULL;
        pomona_session *session = NULL;
        if (pomona_model_open_memory(files[which].data, files[which].length, NULL, &model, NULL) ||
            pomona_session_open(model, NULL, &session, NULL))
            atomic_fetch_add(&wrong, 1);
        pomona_model_close(model);
        if (session && call(session, which, 0, 1, 0)) atomic_fetch_add(&wrong, 1);
        pomona_session_close(session);
    }
    return NULL;
}

static void test_open_and_close(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&wrong), 0);
    pomona_model_close(models[0]);
    pomona_model_close(models[1]);
    assert_int_equal(pomona_memory_in_use(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mixed_calls), cmocka_unit_test(test_open_and_close)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
