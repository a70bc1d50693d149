/* SPDX-License-Identifier: Apache-2.0 */

/* Rows, states and the oracle of the tests of principal components. Every call must succeed unless said otherwise. */
#ifndef POMONA_TESTS_PCA_ROWS_H
#define POMONA_TESTS_PCA_ROWS_H

#include <stddef.h>

#include "pomona.h"

#define assert_ok(call) assert_int_equal(call, POMONA_OK)

/* Correlated numbers of size one around means of size one, [count][columns], to be freed. */
double *draw_rows(size_t count, size_t columns, size_t seed);

struct moment {
    double *mean, *moment; /* [columns], [columns][columns]: the upper triangle */
    size_t columns;
};

/* The oracle: means, then centred products, in long double. */
struct moment two_passes(const double *rows, size_t count, size_t columns);

/* Its rows and columns divided by the deviations; 0 where there is none. */
void to_correlation(struct moment *moment);

/* What the serialised state says. */
struct moment read_moment(const pomona_pca *pca);
void free_moment(struct moment *moment);

double dot(const double *a, const double *b, size_t count);

pomona_pca *open_state(size_t columns, const pomona_pca_options *options);
pomona_pca *state_of(const double *rows, size_t count, size_t columns);
pomona_pca_info state_info(const pomona_pca *pca);

struct bytes {
    void *data;
    size_t length;
};

struct bytes save(const pomona_pca *pca);
pomona_pca *load(struct bytes bytes); /* frees them */

/* Equal on every byte; the same but for the count of skipped rows. */
void assert_same_state(const pomona_pca *a, const pomona_pca *b);
void assert_same_numbers(const pomona_pca *a, const pomona_pca *b);

pomona_pca_model *solve(const pomona_pca *pca, uint32_t k, double variance, int standardize);
pomona_pca_model_info model_info(const pomona_pca_model *model);

/* A group's teardown: the library holds nothing any more. */
int check_all_is_freed(void **state);

#endif
