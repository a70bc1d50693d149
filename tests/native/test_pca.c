/* SPDX-License-Identifier: Apache-2.0 */

/* Principal components against two passes in long double: co-moments of any slicing, merge order, scale and mean; the
 * equations that eigenvectors must fulfil; states that travel; rows that are refused. Run on each level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "pca_rows.h"

static const pomona_pca_options skipping = {.size = sizeof skipping, .bad_rows = POMONA_BAD_ROWS_SKIP};

/* ---- the co-moment ---- */

/* Means and co-moments of the rows from first on agree with the state within 1e-12 of the Frobenius norm. */
static void check_moment(const pomona_pca *pca, const double *rows, size_t count, size_t columns) {
    struct moment expected = two_passes(rows, count, columns), found = read_moment(pca);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < columns; i++) {
        const double deviation = sqrt(expected.moment[i * columns + i] / (double)count);
        assert_true(fabs(found.mean[i] - expected.mean[i]) <= 1e-12 * deviation + 4e-16 * fabs(expected.mean[i]));
        for (size_t j = i; j < columns; j++) {
            const double value = expected.moment[i * columns + j];
            difference = hypot(difference, found.moment[i * columns + j] - value);
            norm = hypot(norm, value);
        }
    }
    if (!(difference <= 1e-12 * norm)) fail_msg("off by %g of %g", difference, norm);
    free_moment(&expected);
    free_moment(&found);
}

static void test_moments(void **state) {
    static const size_t counts[] = {1, 2, 255, 256, 257, 511, 700}, columns[] = {1, 3, 24, 25, 50, 97};
    (void)state;
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
            double *rows = draw_rows(counts[n], columns[c], 1 + n);
            pomona_pca *pca = state_of(rows, counts[n], columns[c]);
            check_moment(pca, rows, counts[n], columns[c]);
            pomona_pca_close(pca);
            free(rows);
        }
}

/* Far from zero, drifting from block to block, sorted: nothing may cancel. */
static void test_means(void **state) {
    enum { ROWS = 1500, COLUMNS = 30 };
    (void)state;
    double *rows = draw_rows(ROWS, COLUMNS, 3);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLUMNS; j++)
            rows[i * COLUMNS + j] += j % 3 == 0 ? 1e8 : j % 3 == 1 ? 10.0 * (double)i : 0;
    pomona_pca *pca = state_of(rows, ROWS, COLUMNS);
    check_moment(pca, rows, ROWS, COLUMNS);
    pomona_pca_close(pca);
    for (size_t i = 0; i < 300 * COLUMNS; i++) rows[i] -= 1e8; /* the first block does not tell where the others are */
    pca = state_of(rows, ROWS, COLUMNS);
    check_moment(pca, rows, ROWS, COLUMNS);
    pomona_pca_close(pca);
    free(rows);
}

/* The same rows give the same bits in calls of any length, from float too, at any stride, with skipped rows between. */
static void test_slicing(void **state) {
    enum { ROWS = 1000, COLUMNS = 37, STRIDE = 41 };
    (void)state;
    double *rows = draw_rows(ROWS, COLUMNS, 5), *wide = malloc(sizeof(double) * ROWS * STRIDE);
    float *narrow = malloc(sizeof(float) * ROWS * COLUMNS), bad[COLUMNS] = {1, -INFINITY};
    for (size_t i = 0; i < ROWS * COLUMNS; i++) rows[i] = narrow[i] = (float)rows[i];
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        wide[i] = i % STRIDE < COLUMNS ? rows[i / STRIDE * COLUMNS + i % STRIDE] : NAN;
    pomona_pca *whole = state_of(rows, ROWS, COLUMNS), *sliced = open_state(COLUMNS, NULL);
    pomona_pca *strided = open_state(COLUMNS, NULL), *skipped = open_state(COLUMNS, &skipping);
    assert_ok(pomona_pca_update_double(strided, wide, ROWS, STRIDE, NULL));
    for (size_t i = 0, step = 1; i < ROWS; i += step, step = (step * 7 + i) % 300 + 1) {
        if (step > ROWS - i) step = ROWS - i;
        assert_ok(pomona_pca_update_float(sliced, narrow + i * COLUMNS, step, COLUMNS, NULL));
        assert_ok(pomona_pca_update_float(skipped, bad, 1, COLUMNS, NULL));
        assert_ok(pomona_pca_update_float(skipped, narrow + i * COLUMNS, step, COLUMNS, NULL));
        struct bytes looked_at = save(skipped); /* reading a state changes nothing */
        free(looked_at.data);
    }
    assert_same_state(whole, sliced);
    assert_same_state(whole, strided);
    assert_true(state_info(skipped).skipped > 0);
    assert_same_numbers(whole, skipped);
    pomona_pca *all[] = {whole, sliced, strided, skipped};
    for (int i = 0; i < 4; i++) pomona_pca_close(all[i]);
    free(rows);
    free(wide);
    free(narrow);
}

/* One to a thousand parts, empty ones and single rows among them, also through bytes. */
static void test_merge(void **state) {
    enum { ROWS = 3000, COLUMNS = 26 };
    static const size_t parts[] = {1, 2, 3, 17, 200, 1000, 4000};
    (void)state;
    double *rows = draw_rows(ROWS, COLUMNS, 7);
    for (size_t i = 0; i < ROWS; i++) rows[i * COLUMNS + 2] += 1e8, rows[i * COLUMNS + 3] = 0.1;
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        pomona_pca *all = open_state(COLUMNS, NULL);
        for (size_t i = 0; i < parts[p]; i++) {
            const size_t first = ROWS * i / parts[p], last = ROWS * (i + 1) / parts[p];
            pomona_pca *part = state_of(rows + first * COLUMNS, last - first, COLUMNS), *copy = load(save(part));
            assert_same_state(part, copy);
            assert_ok(pomona_pca_merge(all, copy, NULL));
            pomona_pca_close(part);
            pomona_pca_close(copy);
        }
        assert_int_equal(state_info(all).rows, ROWS);
        check_moment(all, rows, ROWS, COLUMNS);
        struct moment found = read_moment(all);
        assert_true(found.moment[3 * COLUMNS + 3] == 0 && found.mean[3] == 0.1);
        free_moment(&found);
        pomona_pca_close(all);
    }
    free(rows);
}

/* Rows may go on where a loaded state ended, and after a merge. */
static void test_increments(void **state) {
    enum { ROWS = 900, COLUMNS = 19 };
    (void)state;
    double *rows = draw_rows(ROWS, COLUMNS, 9);
    pomona_pca *first = state_of(rows, 401, COLUMNS), *grown = load(save(first));
    assert_ok(pomona_pca_update_double(grown, rows + 401 * COLUMNS, ROWS - 401, COLUMNS, NULL));
    check_moment(grown, rows, ROWS, COLUMNS);
    pomona_pca *second = state_of(rows + 401 * COLUMNS, 99, COLUMNS);
    assert_ok(pomona_pca_merge(first, second, NULL));
    assert_ok(pomona_pca_update_double(first, rows + 500 * COLUMNS, ROWS - 500, COLUMNS, NULL));
    check_moment(first, rows, ROWS, COLUMNS);
    pomona_pca_close(first);
    pomona_pca_close(second);
    pomona_pca_close(grown);
    free(rows);
}

/* ---- components ---- */

/* C v = lambda v for the covariance or correlation C, orthonormal vectors, signs, shares that add up to 1. */
static void check_model(const pomona_pca_model *model, const double *rows, size_t count) {
    const pomona_pca_model_info m = model_info(model);
    const size_t d = m.columns;
    struct moment x = two_passes(rows, count, d);
    double trace = 0, sum = 0;
    if (m.standardize) to_correlation(&x);
    for (size_t j = 0; j < d; j++) trace += x.moment[j * d + j], sum += m.explained_variance[j];
    assert_true(fabs(sum - 1) < 1e-12);
    for (size_t i = 0; i < m.k; i++) {
        const double *v = m.components + i * d;
        double largest = 0;
        for (size_t j = 0; j < d; j++) {
            double product = 0;
            for (size_t c = 0; c < d; c++) product += x.moment[(j < c ? j : c) * d + (j < c ? c : j)] * v[c];
            assert_true(fabs(product - m.explained_variance[i] * trace * v[j]) < 1e-12 * trace);
            if (fabs(v[j]) > fabs(largest)) largest = v[j];
        }
        assert_true(largest > 0 && (i == 0 || m.explained_variance[i] <= m.explained_variance[i - 1]));
        for (size_t other = 0; other <= i; other++)
            assert_true(fabs(dot(v, m.components + other * d, d) - (i == other)) < 1e-12);
    }
    free_moment(&x);
}

static void check_fit(const double *rows, size_t count, size_t columns, uint32_t k) {
    pomona_pca *pca = state_of(rows, count, columns);
    for (int standardize = 0; standardize < 2; standardize++) {
        pomona_pca_model *model = solve(pca, k, 0, standardize);
        check_model(model, rows, count);
        pomona_pca_model_close(model);
    }
    pomona_pca_close(pca);
}

static void test_components(void **state) {
    static const size_t columns[] = {1, 2, 7, 24, 40, 73};
    (void)state;
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        double *rows = draw_rows(400, columns[c], 11);
        check_fit(rows, 400, columns[c], (uint32_t)columns[c]);
        check_fit(rows, 400, columns[c], 1);
        check_fit(rows, 5, columns[c], (uint32_t)columns[c]); /* k beyond the rank */
        free(rows);
    }
}

/* Constant and repeated columns, equal eigenvalues, duplicate rows: finite, and exactly 0 where nothing varies. */
static void test_degenerate(void **state) {
    enum { ROWS = 300, COLUMNS = 30 };
    (void)state;
    double *rows = draw_rows(ROWS, COLUMNS, 13);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLUMNS; j++)
            if (j % 5 == 0) rows[i * COLUMNS + j] = 0.1;
            else if (j % 5 == 1) rows[i * COLUMNS + j] = rows[i * COLUMNS + j + 1];
            else if (i > 150) rows[i * COLUMNS + j] = rows[(i - 150) * COLUMNS + j];
    check_fit(rows, ROWS, COLUMNS, COLUMNS);
    pomona_pca *pca = state_of(rows, ROWS, COLUMNS);
    pomona_pca_model *model = solve(pca, COLUMNS, 0, 1);
    assert_true(model_info(model).deviation[5] == 0 && model_info(model).mean[5] == 0.1);
    pomona_pca_model_close(model);
    pomona_pca_close(pca);
    memset(rows, 0, sizeof(double) * ROWS * COLUMNS); /* a unit matrix: every eigenvalue is the same */
    for (size_t i = 0; i < 2 * COLUMNS; i++) rows[i * COLUMNS + i / 2] = i % 2 ? 1 : -1;
    check_fit(rows, 2 * COLUMNS, COLUMNS, 11);
    free(rows);
}

static void test_no_variance(void **state) {
    static const double rows[12] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3};
    (void)state;
    pomona_pca *pca = state_of(rows, 4, 3);
    pomona_pca_model *model = solve(pca, 2, 0, 0), *none = NULL;
    const pomona_pca_model_info m = model_info(model);
    for (int j = 0; j < 3; j++) assert_true(m.explained_variance[j] == 0 && m.deviation[j] == 0);
    assert_true(dot(m.components, m.components, 3) == 1);
    const pomona_pca_solve_options target = {.size = sizeof target, .variance = 0.9};
    assert_int_equal(pomona_pca_solve(pca, &target, &none, NULL), POMONA_INVALID_ARGUMENT);
    assert_null(none);
    pomona_pca_model_close(model);
    pomona_pca_close(pca);
}

static void test_variance_target(void **state) {
    enum { ROWS = 500, COLUMNS = 33 };
    (void)state;
    double *rows = draw_rows(ROWS, COLUMNS, 15);
    for (size_t i = 0; i < ROWS; i++) rows[i * COLUMNS + 1] = rows[i * COLUMNS]; /* rank 32 */
    pomona_pca *pca = state_of(rows, ROWS, COLUMNS);
    for (double target = 0.05; target < 1.01; target += 0.05) {
        pomona_pca_model *model = solve(pca, 0, target < 1 ? target : 1, 1);
        const pomona_pca_model_info m = model_info(model);
        double before = 0;
        for (uint32_t i = 0; i + 1 < m.k; i++) before += m.explained_variance[i];
        assert_true(before < target && before + m.explained_variance[m.k - 1] >= target - 1e-12);
        assert_true(m.k < COLUMNS);
        check_model(model, rows, ROWS);
        pomona_pca_model_close(model);
    }
    pomona_pca_close(pca);
    free(rows);
}

/* Scales of 1e-300 to 1e300 side by side, as one state and merged from parts that met one scale each. */
static void test_scales(void **state) {
    enum { ROWS = 600, COLUMNS = 25 };
    static const double scales[] = {1e-300, 1e-100, 1e-30, 1, 1e100, 1e200, 1e300};
    (void)state;
    double *plain = draw_rows(ROWS, COLUMNS, 17), *rows = malloc(sizeof(double) * ROWS * COLUMNS);
    for (size_t i = 0; i < ROWS * COLUMNS; i++) rows[i] = plain[i] * scales[i % COLUMNS % 7];
    pomona_pca *pca = state_of(rows, ROWS, COLUMNS), *of_plain = state_of(plain, ROWS, COLUMNS);
    pomona_pca *parts = state_of(rows, 10, COLUMNS), *rest = state_of(rows + 10 * COLUMNS, ROWS - 10, COLUMNS);
    assert_ok(pomona_pca_merge(parts, rest, NULL));
    pomona_pca_model *expected = solve(of_plain, COLUMNS, 0, 1);
    for (int which = 0; which < 2; which++) {
        pomona_pca_model *model = solve(which ? parts : pca, COLUMNS, 0, 1);
        const pomona_pca_model_info m = model_info(model), e = model_info(expected);
        check_model(model, plain, ROWS);
        for (size_t j = 0; j < COLUMNS; j++) {
            assert_true(fabs(m.deviation[j] / scales[j % 7] / e.deviation[j] - 1) < 1e-12);
            assert_true(fabs(m.explained_variance[j] - e.explained_variance[j]) < 1e-12);
        }
        pomona_pca_model_close(model);
        model = solve(which ? parts : pca, 3, 0, 0); /* the largest scale is all that counts */
        assert_true(model_info(model).explained_variance[0] > 0.1 && isfinite(model_info(model).components[0]));
        pomona_pca_model_close(model);
    }
    pomona_pca_model_close(expected);
    pomona_pca *all[] = {pca, of_plain, parts, rest};
    for (int i = 0; i < 4; i++) pomona_pca_close(all[i]);
    free(plain);
    free(rows);
}

/* ---- rows onto components ---- */

/* Against loops; a row's bits do not depend on its neighbours; a bad row is NaN alone. */
static void check_transform(const pomona_pca_model *model, const double *rows, size_t count, int center) {
    const pomona_pca_model_info m = model_info(model);
    const pomona_pca_transform_options options = {.size = sizeof options, .center = center};
    double *found = malloc(sizeof(double) * count * m.k), *alone = malloc(sizeof(double) * m.k);
    double *spoilt = malloc(sizeof(double) * count * m.columns);
    assert_ok(pomona_pca_transform_double(model, &options, rows, count, m.columns, found, NULL));
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < m.k; c++) {
            long double sum = 0, magnitude = 0;
            for (size_t j = 0; j < m.columns; j++) {
                long double x = rows[i * m.columns + j] - (center || m.standardize ? m.mean[j] : 0);
                if (m.standardize) x = m.deviation[j] > 0 ? x / m.deviation[j] : 0;
                sum += x * m.components[c * m.columns + j];
                magnitude += fabsl(x * m.components[c * m.columns + j]);
            }
            assert_true(fabs(found[i * m.k + c] - (double)sum) <= 1e-14 * (double)magnitude);
        }
        assert_ok(pomona_pca_transform_double(model, &options, rows + i * m.columns, 1, m.columns, alone, NULL));
        assert_memory_equal(alone, found + i * m.k, sizeof(double) * m.k);
    }
    memcpy(spoilt, rows, sizeof(double) * count * m.columns);
    spoilt[count / 2 * m.columns] = count % 2 ? NAN : INFINITY;
    double *again = malloc(sizeof(double) * count * m.k);
    assert_ok(pomona_pca_transform_double(model, &options, spoilt, count, m.columns, again, NULL));
    for (size_t i = 0; i < count * m.k; i++) assert_true(i / m.k == count / 2 ? isnan(again[i]) : again[i] == found[i]);
    free(again);
    free(spoilt);
    free(alone);
    free(found);
}

static void test_transform(void **state) {
    static const size_t columns[] = {1, 24, 50, 300}, counts[] = {1, 24, 97, 130};
    (void)state;
    for (size_t c = 0; c < 4; c++) {
        const uint32_t d = (uint32_t)columns[c];
        double *rows = draw_rows(130, d, 19);
        for (size_t i = 0; d > 1 && i < 130; i++) rows[i * d + 1] = -3;
        pomona_pca *pca = state_of(rows, 130, d);
        for (int standardize = 0; standardize < 2; standardize++) {
            pomona_pca_model *model = solve(pca, d > 60 ? 60 : d, 0, standardize);
            check_transform(model, rows, counts[c], standardize == 0 && c % 2);
            pomona_pca_model_info arrays = model_info(model);
            pomona_pca_model *copy = NULL;
            arrays.variance_count = arrays.k;
            assert_ok(pomona_pca_model_open(&arrays, &copy, NULL));
            check_transform(copy, rows, counts[c], 0);
            pomona_pca_model_close(copy);
            pomona_pca_model_close(model);
        }
        pomona_pca_close(pca);
        free(rows);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),    cmocka_unit_test(test_means),       cmocka_unit_test(test_slicing),
        cmocka_unit_test(test_merge),      cmocka_unit_test(test_increments),  cmocka_unit_test(test_components),
        cmocka_unit_test(test_degenerate), cmocka_unit_test(test_no_variance), cmocka_unit_test(test_variance_target),
        cmocka_unit_test(test_scales),     cmocka_unit_test(test_transform),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, check_all_is_freed);
}
