/* SPDX-License-Identifier: Apache-2.0 */

/* A symmetric matrix: reduced to tridiagonal form once, all its eigenvalues from that, then the vectors of the largest
 * ones, whose number may depend on the values. */
#ifndef POMONA_PCA_EIGEN_H
#define POMONA_PCA_EIGEN_H

#include "core/status.h"

struct pm_eigen {
    int n;
    double *matrix; /* [n][n]: the caller fills the upper triangle, row by row */
    double *values; /* [n] ascending */
    double *diagonal, *beside, *tau, *work;
    int work_length;
    int *integers; /* [4 n] */
};

/* Memory for a matrix of order n, at most POMONA_PCA_MAX_COLUMNS. */
pomona_status pm_eigen_open(uint32_t n, struct pm_eigen *eigen, pomona_error *error);
void pm_eigen_close(struct pm_eigen *eigen);

/* Overwrites the matrix and writes `values`. */
pomona_status pm_eigen_reduce(struct pm_eigen *eigen, uint32_t threads, pomona_error *error);

/* After that: orthonormal vectors [k][n] of the k largest values, ascending as they are. */
pomona_status pm_eigen_vectors(struct pm_eigen *eigen, uint32_t k, uint32_t threads, double *vectors,
                               pomona_error *error);

#endif
