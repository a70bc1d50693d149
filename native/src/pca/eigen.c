/* SPDX-License-Identifier: Apache-2.0 */
#include "pca/eigen.h"

#include <string.h>

#include "core/memory.h"
#include "pca/lapack.h"

/* LAPACK's columns are our rows, so that our upper triangle is its lower one. */
#define TRIANGLE 'L'
#define ORDER LAPACK_COL_MAJOR

/* Columns that LAPACK's blocked routines take at once, as their workspace goes. */
#define BLOCK 64

pomona_status pm_eigen_open(uint32_t n, struct pm_eigen *eigen, pomona_error *error) {
    const size_t square = (size_t)n * n, vectors = (size_t)n * 4, work = (size_t)n * BLOCK;
    double *block = pm_allocate((square + vectors + work) * sizeof *block);
    POMONA_RETURN_IF(!block, error, POMONA_OUT_OF_MEMORY, "no memory for the eigenvalues of %u columns, %.0f MiB", n,
                     (double)(square + vectors + work) * sizeof *block / 0x100000);
    *eigen = (struct pm_eigen){.n = (int)n,
                               .matrix = block,
                               .values = block + square,
                               .diagonal = block + square + n,
                               .beside = block + square + 2 * (size_t)n,
                               .tau = block + square + 3 * (size_t)n,
                               .work = block + square + vectors,
                               .work_length = (int)work};
    return POMONA_OK;
}

void pm_eigen_close(struct pm_eigen *eigen) { pm_free(eigen->matrix); }

static pomona_status check(int info, const char *routine, pomona_error *error) {
    POMONA_RETURN_IF(info, error, POMONA_INTERNAL, "LAPACK's %s failed with %d: report this with the state", routine,
                     info);
    return POMONA_OK;
}

/* Values from copies: the vectors need the tridiagonal form again. */
static pomona_status reduce(struct pm_eigen *e, const struct pm_lapack *lapack, pomona_error *error) {
    int info =
        lapack->dsytrd(ORDER, TRIANGLE, e->n, e->matrix, e->n, e->diagonal, e->beside, e->tau, e->work, e->work_length);
    POMONA_TRY(check(info, "dsytrd", error));
    memcpy(e->values, e->diagonal, (size_t)e->n * sizeof(double));
    memcpy(e->work, e->beside, (size_t)e->n * sizeof(double));
    return check(lapack->dsterf(e->n, e->values, e->work), "dsterf", error);
}

pomona_status pm_eigen_reduce(struct pm_eigen *eigen, uint32_t threads, pomona_error *error) {
    const struct pm_lapack *lapack;
    POMONA_TRY(pm_lapack_enter(threads, &lapack, error));
    pomona_status status = reduce(eigen, lapack, error);
    pm_lapack_leave();
    return status;
}

/* Vectors of the tridiagonal form, then of the matrix. `integers`: [12 n]. */
static pomona_status find_vectors(struct pm_eigen *e, int k, const struct pm_lapack *lapack, int *integers,
                                  double *vectors, pomona_error *error) {
    const int first = e->n - k + 1, integer_length = 10 * e->n;
    int found = 0, relative = 1;
    int info = lapack->dstemr(ORDER, 'V', k == e->n ? 'A' : 'I', e->n, e->diagonal, e->beside, 0, 0, first, e->n,
                              &found, e->values, vectors, e->n, k, integers + integer_length, &relative, e->work,
                              e->work_length, integers, integer_length);
    POMONA_TRY(check(found == k ? info : info ? info : 1, "dstemr", error));
    info = lapack->dormtr(ORDER, 'L', TRIANGLE, 'N', e->n, k, e->matrix, e->n, e->tau, vectors, e->n, e->work,
                          e->work_length);
    return check(info, "dormtr", error);
}

pomona_status pm_eigen_vectors(struct pm_eigen *eigen, uint32_t k, uint32_t threads, double *vectors,
                               pomona_error *error) {
    const struct pm_lapack *lapack;
    int *integers = pm_allocate((size_t)eigen->n * 12 * sizeof *integers);
    POMONA_RETURN_IF(!integers, error, POMONA_OUT_OF_MEMORY, "no memory for the eigenvectors of %d columns", eigen->n);
    pomona_status status = pm_lapack_enter(threads, &lapack, error);
    if (!status) {
        status = find_vectors(eigen, (int)k, lapack, integers, vectors, error);
        pm_lapack_leave();
    }
    pm_free(integers);
    return status;
}
