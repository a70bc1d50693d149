/* SPDX-License-Identifier: Apache-2.0 */
#include "pca_rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEADER 64 /* bytes of a serialised state before its numbers */

double *draw_rows(size_t count, size_t columns, size_t seed) {
    double *rows = malloc(sizeof(double) * (count * columns + 1)), shared = 0;
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < count * columns; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        const double value = (double)(int64_t)state * 0x1p-63;
        if (i % columns == 0) shared = value;
        rows[i] = value * (1 + (double)(i % columns % 5)) + shared * (double)(i % columns % 3) + (double)(i % columns);
    }
    return rows;
}

struct moment two_passes(const double *rows, size_t count, size_t columns) {
    struct moment m = {calloc(columns, sizeof(double)), calloc(columns * columns, sizeof(double)), columns};
    long double *mean = calloc(columns, sizeof *mean);
    for (size_t i = 0; i < count * columns; i++) mean[i % columns] += rows[i] / (long double)count;
    for (size_t i = 0; i < columns; i++) {
        m.mean[i] = (double)mean[i];
        for (size_t j = i; j < columns; j++) {
            long double sum = 0;
            for (size_t n = 0; n < count; n++)
                sum += (rows[n * columns + i] - mean[i]) * (rows[n * columns + j] - mean[j]);
            m.moment[i * columns + j] = (double)sum;
        }
    }
    free(mean);
    return m;
}

void to_correlation(struct moment *m) {
    const size_t d = m->columns;
    double *deviation = calloc(d, sizeof *deviation);
    /* What is left of a column of equal numbers whose mean rounds: no variance. */
    for (size_t j = 0; j < d; j++) deviation[j] = sqrt(m->moment[j * d + j] < 1e-30 ? 0 : m->moment[j * d + j]);
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++) {
            const double product = deviation[i] * deviation[j];
            m->moment[i * d + j] = product > 0 ? m->moment[i * d + j] / product : 0;
        }
    free(deviation);
}

struct moment read_moment(const pomona_pca *pca) {
    const size_t d = state_info(pca).columns;
    struct moment m = {calloc(d, sizeof(double)), calloc(d * d, sizeof(double)), d};
    struct bytes bytes = save(pca);
    const double *mean = (const double *)((const char *)bytes.data + HEADER), *unit = mean + 2 * d, *packed = unit + d;
    memcpy(m.mean, mean, d * sizeof *mean);
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++) m.moment[i * d + j] = *packed++ * unit[i] * unit[j];
    free(bytes.data);
    return m;
}

void free_moment(struct moment *m) {
    free(m->mean);
    free(m->moment);
}

double dot(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

pomona_pca *open_state(size_t columns, const pomona_pca_options *options) {
    pomona_pca *pca = NULL;
    assert_ok(pomona_pca_open((uint32_t)columns, options, &pca, NULL));
    return pca;
}

pomona_pca *state_of(const double *rows, size_t count, size_t columns) {
    pomona_pca *pca = open_state(columns, NULL);
    assert_ok(pomona_pca_update_double(pca, rows, count, columns, NULL));
    return pca;
}

pomona_pca_info state_info(const pomona_pca *pca) {
    pomona_pca_info info = {.size = sizeof info};
    assert_ok(pomona_pca_get_info(pca, &info, NULL));
    return info;
}

struct bytes save(const pomona_pca *pca) {
    struct bytes bytes = {NULL, (size_t)state_info(pca).state_bytes};
    bytes.data = malloc(bytes.length);
    assert_ok(pomona_pca_save(pca, bytes.data, bytes.length, NULL));
    return bytes;
}

pomona_pca *load(struct bytes bytes) {
    pomona_pca *pca = NULL;
    assert_ok(pomona_pca_load(bytes.data, bytes.length, &pca, NULL));
    free(bytes.data);
    return pca;
}

static void assert_same_from(const pomona_pca *a, const pomona_pca *b, size_t first) {
    struct bytes of_a = save(a), of_b = save(b);
    assert_int_equal(of_a.length, of_b.length);
    assert_memory_equal((char *)of_a.data + first, (char *)of_b.data + first, of_a.length - first);
    free(of_a.data);
    free(of_b.data);
}

void assert_same_state(const pomona_pca *a, const pomona_pca *b) { assert_same_from(a, b, 0); }

void assert_same_numbers(const pomona_pca *a, const pomona_pca *b) { assert_same_from(a, b, HEADER); }

pomona_pca_model *solve(const pomona_pca *pca, uint32_t k, double variance, int standardize) {
    const pomona_pca_solve_options options = {
        .size = sizeof options, .k = k, .variance = variance, .standardize = standardize};
    pomona_pca_model *model = NULL;
    assert_ok(pomona_pca_solve(pca, &options, &model, NULL));
    return model;
}

pomona_pca_model_info model_info(const pomona_pca_model *model) {
    pomona_pca_model_info info = {.size = sizeof info};
    assert_ok(pomona_pca_model_get_info(model, &info, NULL));
    return info;
}

int check_all_is_freed(void **state) {
    (void)state;
    return pomona_memory_in_use() != 0;
}
