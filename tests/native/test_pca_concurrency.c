/* SPDX-License-Identifier: Apache-2.0 */

/* Six threads fit, merge, solve and transform at once, as tasks of one executor do: all get the bits that one thread
 * gets alone. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pca_rows.h"

#define THREADS 6
#define TIMES 12
#define ROWS 400
#define COLUMNS 90
#define K 20

static double *rows;

/* Components, shares and projections of one whole way. */
struct result {
    double components[K * COLUMNS], shares[COLUMNS], projected[ROWS * K];
};

static pomona_status whole_way(struct result *result) {
    const pomona_pca_solve_options options = {.size = sizeof options, .k = K, .standardize = 1};
    pomona_pca *a = NULL, *b = NULL;
    pomona_pca_model *model = NULL;
    pomona_pca_model_info info = {.size = sizeof info};
    pomona_status status = pomona_pca_open(COLUMNS, NULL, &a, NULL);
    if (!status) status = pomona_pca_open(COLUMNS, NULL, &b, NULL);
    if (!status) status = pomona_pca_update_double(a, rows, 300, COLUMNS, NULL);
    if (!status) status = pomona_pca_update_double(b, rows + 300 * COLUMNS, ROWS - 300, COLUMNS, NULL);
    if (!status) status = pomona_pca_merge(a, b, NULL);
    if (!status) status = pomona_pca_solve(a, &options, &model, NULL);
    if (!status) status = pomona_pca_transform_double(model, NULL, rows, ROWS, COLUMNS, result->projected, NULL);
    if (!status) status = pomona_pca_model_get_info(model, &info, NULL);
    if (!status) {
        memcpy(result->components, info.components, sizeof result->components);
        memcpy(result->shares, info.explained_variance, sizeof result->shares);
    }
    pomona_pca_model_close(model);
    pomona_pca_close(a);
    pomona_pca_close(b);
    return status;
}

/* Wrong results of one thread. */
static void *work(void *expected) {
    uintptr_t wrong = 0;
    struct result *found = malloc(sizeof *found);
    for (int i = 0; i < TIMES; i++) wrong += whole_way(found) || memcmp(found, expected, sizeof *found) != 0;
    free(found);
    return (void *)wrong;
}

static void test_equal_bits(void **state) {
    pthread_t threads[THREADS];
    struct result *expected = malloc(sizeof *expected);
    (void)state;
    assert_ok(whole_way(expected));
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, work, expected), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_int_equal((uintptr_t)wrong, 0);
    }
    free(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal_bits)};
    rows = draw_rows(ROWS, COLUMNS, 23);
    int failed = cmocka_run_group_tests(tests, NULL, check_all_is_freed);
    free(rows);
    return failed;
}
