/* SPDX-License-Identifier: Apache-2.0 */

/* What principal components refuse, by which words, and that nothing has changed then: bad rows, bad arguments, damaged
 * states, memory that runs out at each place in turn. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/memory.h"
#include "pca_rows.h"

#define ROWS 300
#define COLUMNS 26

static double *rows;
static pomona_pca *pca;

static int set_up(void **state) {
    (void)state;
    rows = draw_rows(ROWS, COLUMNS, 21);
    for (size_t i = 0; i < ROWS; i++) rows[i * COLUMNS] = rows[i * COLUMNS + 1] = 3; /* equal eigenvalues: 0 */
    pca = state_of(rows, ROWS, COLUMNS);
    return 0;
}

static int tear_down(void **state) {
    pomona_pca_close(pca);
    free(rows);
    return check_all_is_freed(state);
}

/* The status, and the words in the message. */
static void refused(pomona_status found, pomona_status expected, const pomona_error *error, const char *words) {
    assert_int_equal(found, expected);
    assert_int_equal(error->status, expected);
    if (!strstr(error->message, words)) fail_msg("no \"%s\" in: %s", words, error->message);
}

static void test_bad_rows(void **state) {
    static const double bad[] = {NAN, -NAN, INFINITY, -INFINITY, 1e305, -1.7e308};
    static const pomona_pca_options skip = {.size = sizeof skip, .bad_rows = POMONA_BAD_ROWS_SKIP};
    (void)state;
    pomona_error error;
    float narrow[3 * COLUMNS] = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double *spoilt = draw_rows(ROWS, COLUMNS, 21);
        pomona_pca *same = state_of(rows, ROWS, COLUMNS), *skipping = open_state(COLUMNS, &skip);
        spoilt[280 * COLUMNS + 25] = bad[i];
        refused(pomona_pca_update_double(same, spoilt, ROWS, COLUMNS, &error), POMONA_INVALID_ARGUMENT, &error,
                "row 280 of 300, column 25");
        assert_same_state(same, pca);
        assert_ok(pomona_pca_update_double(skipping, spoilt, ROWS, COLUMNS, NULL));
        assert_int_equal(state_info(skipping).skipped, 1);
        assert_int_equal(state_info(skipping).rows, ROWS - 1);
        if (i < 4) {
            narrow[2 * COLUMNS + 3] = (float)bad[i];
            refused(pomona_pca_update_float(same, narrow, 3, COLUMNS, &error), POMONA_INVALID_ARGUMENT, &error,
                    "row 2 of 3, column 3");
        }
        assert_same_state(same, pca);
        pomona_pca_close(same);
        pomona_pca_close(skipping);
        free(spoilt);
    }
    pomona_pca *large = open_state(1, NULL);
    assert_ok(pomona_pca_update_double(large, (double[]){1e304, -1e304, 5e-324}, 3, 1, NULL));
    pomona_pca_close(large);
}

static void test_arguments(void **state) {
    (void)state;
    pomona_error error;
    pomona_pca *other = NULL, *narrow = open_state(COLUMNS - 1, NULL);
    char bytes[8];
    refused(pomona_pca_open(0, NULL, &other, &error), POMONA_INVALID_ARGUMENT, &error, "0 columns");
    refused(pomona_pca_open(POMONA_PCA_MAX_COLUMNS + 1, NULL, &other, &error), POMONA_INVALID_ARGUMENT, &error,
            "32769 columns");
    refused(
        pomona_pca_open(3, &(pomona_pca_options){.size = sizeof(pomona_pca_options), .bad_rows = 3}, &other, &error),
        POMONA_INVALID_ARGUMENT, &error, "bad_rows 3");
    refused(pomona_pca_open(3, &(pomona_pca_options){.bad_rows = 1}, &other, &error), POMONA_INVALID_ARGUMENT, &error,
            "pomona_pca_options.size is 0");
    assert_null(other);
    refused(pomona_pca_update_double(pca, rows, 2, COLUMNS - 1, &error), POMONA_INVALID_ARGUMENT, &error,
            "at least the 26 columns");
    refused(pomona_pca_update_float(pca, NULL, 2, COLUMNS, &error), POMONA_INVALID_ARGUMENT, &error, "NULL");
    assert_ok(pomona_pca_update_float(pca, NULL, 0, COLUMNS, &error));
    refused(pomona_pca_merge(pca, narrow, &error), POMONA_INVALID_ARGUMENT, &error, "26 columns cannot take one of 25");
    refused(pomona_pca_merge(pca, pca, &error), POMONA_INVALID_ARGUMENT, &error, "two states");
    refused(pomona_pca_save(pca, bytes, sizeof bytes, &error), POMONA_INVALID_ARGUMENT, &error, "8 bytes");
    pomona_pca_close(narrow);
    pomona_pca_close(NULL);
    pomona_pca_model_close(NULL);
}

static void test_solve_arguments(void **state) {
    static const struct {
        uint32_t k;
        double variance;
        const char *words;
    } bad[] = {{0, 0, "one of k and variance"}, {1, 0.5, "one of k and variance"}, {COLUMNS + 1, 0, "k 27"},
               {0, 1.01, "variance 1.01"},      {0, -0.1, "variance -0.1"},        {0, NAN, "variance"}};
    (void)state;
    pomona_error error;
    pomona_pca_model *model = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(pomona_pca_solve(pca,
                                 &(pomona_pca_solve_options){.size = sizeof(pomona_pca_solve_options),
                                                             .k = bad[i].k,
                                                             .variance = bad[i].variance},
                                 &model, &error),
                POMONA_INVALID_ARGUMENT, &error, bad[i].words);
    pomona_pca_solve_options one = {.size = sizeof one, .k = 1};
    for (size_t count = 0; count < 2; count++) {
        pomona_pca *few = state_of(rows, count, COLUMNS);
        refused(pomona_pca_solve(few, &one, &model, &error), POMONA_INVALID_ARGUMENT, &error, "at least two");
        pomona_pca_close(few);
    }
    assert_null(model);
}

/* An older program's shorter structs, and a newer one's longer ones. */
static void test_struct_sizes(void **state) {
    struct {
        pomona_pca_solve_options known;
        int unknown;
    } longer = {.known = {.size = sizeof longer, .k = 2}};
    pomona_pca_solve_options shorter = {.size = offsetof(pomona_pca_solve_options, variance), .k = 2, .variance = 7};
    pomona_pca_model_info info = {.size = offsetof(pomona_pca_model_info, rows), .rows = 12345};
    pomona_pca_model *model = NULL;
    pomona_error error;
    (void)state;
    assert_ok(pomona_pca_solve(pca, &longer.known, &model, NULL));
    pomona_pca_model_close(model);
    longer.unknown = 1;
    refused(pomona_pca_solve(pca, &longer.known, &model, &error), POMONA_INVALID_ARGUMENT, &error, "does not know");
    assert_ok(pomona_pca_solve(pca, &shorter, &model, NULL));
    assert_ok(pomona_pca_model_get_info(model, &info, NULL));
    assert_true(info.k == 2 && info.columns == COLUMNS && info.rows == 12345);
    assert_int_equal(info.size, offsetof(pomona_pca_model_info, rows));
    pomona_pca_model_close(model);
}

/* Every byte of the header, some of the rest, and every length. */
static void test_damaged_states(void **state) {
    (void)state;
    struct bytes bytes = save(pca);
    pomona_pca *loaded = NULL;
    uint8_t *data = bytes.data;
    const uint64_t held = pomona_memory_in_use();
    for (size_t i = 0; i < bytes.length; i += i < 64 ? 1 : 37) {
        data[i] ^= 4;
        assert_int_equal(pomona_pca_load(data, bytes.length, &loaded, NULL), POMONA_BAD_MODEL);
        data[i] ^= 4;
    }
    for (size_t length = 0; length < bytes.length; length += 13)
        assert_int_equal(pomona_pca_load(data, length, &loaded, NULL), POMONA_BAD_MODEL);
    assert_null(loaded);
    assert_int_equal(pomona_memory_in_use(), held);
    free(data);
}

static void test_model_arrays(void **state) {
    double components[4] = {1, 0, 0, 1}, shares[2] = {0.5, 0.5}, mean[2] = {0, 0}, bad[2] = {0, NAN};
    const pomona_pca_model_info good = {.size = sizeof good,
                                        .columns = 2,
                                        .k = 2,
                                        .components = components,
                                        .explained_variance = shares,
                                        .variance_count = 2};
    pomona_pca_model_info a;
    pomona_pca_model *model = NULL;
    pomona_error error;
    (void)state;
    a = good, a.k = 3;
    refused(pomona_pca_model_open(&a, &model, &error), POMONA_INVALID_ARGUMENT, &error, "3 components of 2 columns");
    a = good, a.variance_count = 1;
    refused(pomona_pca_model_open(&a, &model, &error), POMONA_INVALID_ARGUMENT, &error, "explained_variance");
    a = good, a.standardize = 1;
    refused(pomona_pca_model_open(&a, &model, &error), POMONA_INVALID_ARGUMENT, &error, "mean and deviation");
    a = good, a.mean = mean, a.deviation = bad;
    refused(pomona_pca_model_open(&a, &model, &error), POMONA_INVALID_ARGUMENT, &error, "finite");
    assert_ok(pomona_pca_model_open(&good, &model, &error));
    double row[2] = {3, -4}, found[2];
    assert_ok(pomona_pca_transform_double(model, NULL, row, 1, 2, found, &error));
    assert_true(found[0] == 3 && found[1] == -4);
    refused(pomona_pca_transform_double(model, NULL, row, 1, 1, found, &error), POMONA_INVALID_ARGUMENT, &error,
            "at least the 2 columns");
    pomona_pca_model_close(model);
}

/* The whole way of a state; 0 or OUT_OF_MEMORY. */
static pomona_status whole_way(const pomona_pca_solve_options *options, pomona_error *error) {
    const size_t length = (size_t)state_info(pca).state_bytes;
    pomona_pca *part = NULL, *copy = NULL;
    pomona_pca_model *model = NULL;
    void *bytes = malloc(length);
    double *output = malloc(sizeof(double) * ROWS * COLUMNS);
    pomona_status status = pomona_pca_open(COLUMNS, NULL, &part, error);
    if (!status) status = pomona_pca_update_double(part, rows, ROWS, COLUMNS, error);
    if (!status) status = pomona_pca_save(part, bytes, length, error);
    if (!status) status = pomona_pca_load(bytes, length, &copy, error);
    if (!status) status = pomona_pca_merge(part, copy, error);
    if (!status) status = pomona_pca_solve(part, options, &model, error);
    if (!status) status = pomona_pca_transform_double(model, NULL, rows, ROWS, COLUMNS, output, error);
    pomona_pca_model_close(model);
    pomona_pca_close(copy);
    pomona_pca_close(part);
    free(output);
    free(bytes);
    return status;
}

/* Every allocation fails once, and from it on. */
static void fail_each(const pomona_pca_solve_options *options) {
    const uint64_t held = pomona_memory_in_use();
    for (int persistent = 0; persistent < 2; persistent++)
        for (uint64_t nth = 1;; nth++) {
            pomona_error error = {0};
            pm_fail_allocation(nth, persistent);
            pomona_status status = whole_way(options, &error);
            pm_fail_allocation(0, 0);
            assert_int_equal(pomona_memory_in_use(), held);
            if (!status) {
                assert_true(nth > 20);
                break;
            }
            assert_int_equal(status, POMONA_OUT_OF_MEMORY);
            assert_true(strstr(error.message, "no memory") != NULL);
        }
}

static void test_memory(void **state) {
    (void)state;
    fail_each(&(pomona_pca_solve_options){.size = sizeof(pomona_pca_solve_options), .variance = 0.9});
    fail_each(&(pomona_pca_solve_options){.size = sizeof(pomona_pca_solve_options), .k = COLUMNS});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_rows),        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_solve_arguments), cmocka_unit_test(test_struct_sizes),
        cmocka_unit_test(test_model_arrays),    cmocka_unit_test(test_damaged_states),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
