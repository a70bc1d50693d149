/* SPDX-License-Identifier: Apache-2.0 */

/* Memory that runs out at each place in turn, once or for good: the call says so, nothing is left behind, and the next
 * call works. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/memory.h"
#include "jpeg_maker.h"
#include "malloc_watch.h"
#include "model_maker.h"

#define SIDE 18
#define CLASSES 24

static struct model_file file;
static struct jpeg_file jpeg;

static int set_up(void **state) {
    (void)state;
    struct model_maker maker;
    watch_json();
    maker_small_net(&maker, SIDE, 24, 4);
    maker_node(&maker, "zero_pad", "copy", "wide", "{\"padding\": [0, 0, 0, 0]}"); /* parts that stay unfolded */
    maker_node(&maker, "activation", "relu", "copy", "{\"kind\": \"relu\"}");
    maker_norm(&maker, "norm", "relu", 24);
    maker_norm(&maker, "norm again", "norm", 24);
    maker_node(&maker, "max_pool", "pool", "norm again", "{\"pool\": [2, 2], \"strides\": [1, 1]}");
    maker_layer_norm(&maker, "layer norm", "pool", 24, 3);
    maker_node(&maker, "concat", "both", "pool,layer norm", NULL);
    maker_affine(&maker, "scaled", "both", 48, 3);
    maker_node(&maker, "global_pool", "mean", "scaled", "{\"kind\": \"avg\"}");
    maker_conv(&maker, "classes", "mean", (uint32_t[]){1, 1}, 48, CLASSES, 1, NULL);
    maker_features(&maker, "classes");
    cJSON *classes = cJSON_AddArrayToObject(maker.graph, "classes");
    for (int i = 0; i < CLASSES; i++) cJSON_AddItemToArray(classes, cJSON_CreateString("class"));
    struct model_file aligned = maker_write(&maker);
    file = (struct model_file){malloc(aligned.length + 1), aligned.length};
    memcpy(file.data + 1, aligned.data, aligned.length); /* askew, so that the library copies it */
    free_model(&aligned);
    maker_end(&maker);
    jpeg = make_jpeg((struct jpeg_kind){.width = 50, .height = 40, .space = JCS_RGB});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free_model(&file);
    free_jpeg(&jpeg);
    return pomona_memory_in_use() != 0;
}

/* Opens a model and a session, runs, closes; the vector goes to `vector`. */
static pomona_status whole_way(float *vector, pomona_error *error) {
    pomona_model *model = NULL;
    pomona_session *session = NULL;
    pomona_bytes image = {jpeg.data, jpeg.length};
    pomona_reason reason;
    pomona_status status = pomona_model_open_memory(file.data + 1, file.length, NULL, &model, error);
    if (!status) status = pomona_session_open(model, NULL, &session, error);
    if (!status) status = pomona_session_run(session, &image, 1, vector, &reason, error);
    pomona_session_close(session);
    pomona_model_close(model);
    return status;
}

/* Fails the 1st, 2nd, ... allocation until none is left to fail; returns how many there were. */
static uint64_t each_failure(void (*fail_at)(uint64_t nth), pomona_status *last) {
    float expected[64], found[64];
    uint64_t nth = 0;
    assert_int_equal(whole_way(expected, NULL), POMONA_OK);
    do {
        pomona_error error = {.message = ""};
        fail_at(++nth);
        *last = whole_way(found, &error);
        fail_at(0);
        assert_int_equal(pomona_memory_in_use(), 0);
        assert_true(*last == POMONA_OK || *last == POMONA_OUT_OF_MEMORY);
        assert_int_equal(error.status, *last);
        assert_int_equal(*last == POMONA_OUT_OF_MEMORY, strstr(error.message, "no memory") != NULL);
        memset(found, 0, sizeof found);
        assert_int_equal(whole_way(found, NULL), POMONA_OK);
        assert_memory_equal(found, expected, CLASSES * sizeof *found);
    } while (*last != POMONA_OK && nth < 100000);
    return nth - 1;
}

static void fail_once(uint64_t nth) { pm_fail_allocation(nth, 0); }

static void fail_for_good(uint64_t nth) { pm_fail_allocation(nth, 1); }

/* Both ways find the same number of places: none hides behind another, and none is passed over in silence. */
static void test_library(void **state) {
    (void)state;
    pomona_status last;
    float vector[64];
    uint64_t before = pm_allocation_count();
    assert_int_equal(whole_way(vector, NULL), POMONA_OK);
    uint64_t all = pm_allocation_count() - before;
    assert_int_equal(each_failure(fail_once, &last), all);
    assert_int_equal(each_failure(fail_for_good, &last), all);
    assert_true(all > 30);
}

static void test_json(void **state) {
    (void)state;
    pomona_status last;
    assert_true(each_failure(watch_fail_json, &last) > 300);
}

static void test_counting(void **state) {
    (void)state;
    uint64_t before = pomona_memory_in_use(), count = pm_allocation_count();
    void *small = pm_allocate(100), *nothing = pm_allocate(0), *large = pm_allocate(3 * PM_HUGE_PAGE + 5);
    assert_non_null(small);
    assert_non_null(nothing);
    assert_int_equal((uintptr_t)small % PM_ALIGNMENT, 0);
    assert_int_equal((uintptr_t)large % PM_HUGE_PAGE, 0);
    assert_int_equal(pomona_memory_in_use() - before, 100 + 3 * PM_HUGE_PAGE + 5);
    assert_int_equal(pm_allocation_count() - count, 3);
    memset(large, 1, 3 * PM_HUGE_PAGE + 5);
    pm_free(small);
    pm_free(nothing);
    pm_free(large);
    pm_free(NULL);
    pm_count_foreign(7);
    assert_int_equal(pomona_memory_in_use() - before, 7);
    pm_count_foreign(-7);
    assert_null(pm_allocate(SIZE_MAX));
    assert_null(pm_allocate_zeroed(SIZE_MAX / 2, 3));
    assert_int_equal(pomona_memory_in_use(), before);
}

/* Bytes of this process in RAM. */
static uint64_t resident(void) {
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%*u %lu", &pages), 1);
    fclose(statm);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void *hold_a_while(void *unused) {
    pm_free(pm_allocate_zeroed(3, PM_HUGE_PAGE));
    return unused;
}

/* As a session of an executor's thread does. malloc keeps such a block from the second time on. */
static void test_large_blocks_leave_the_process(void **state) {
    uint64_t before = resident();
    for (int times = 0; times < 3; times++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, hold_a_while, *state), 0);
        pthread_join(thread, NULL);
    }
    assert_true(resident() < before + PM_HUGE_PAGE);
}

static void test_products(void **state) {
    (void)state;
    uint64_t result = 1;
    assert_true(pm_multiply(UINT32_MAX, UINT32_MAX, &result) && result == (uint64_t)UINT32_MAX * UINT32_MAX);
    assert_false(pm_multiply((uint64_t)1 << 32, (uint64_t)1 << 32, &result));
    assert_true(pm_add(UINT64_MAX, 0, &result) && result == UINT64_MAX);
    assert_false(pm_add(UINT64_MAX, 1, &result));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_counting), cmocka_unit_test(test_large_blocks_leave_the_process),
        cmocka_unit_test(test_products),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
