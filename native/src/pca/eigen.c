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

/* Inverse iteration is the faster way to few vectors: its orthogonalisation grows with their square. It is sound where
 * their values, and the next one, are so far apart, as a share of the largest. */
#define FEW 256
#define APART 1e-9

pomona_status pm_eigen_open(uint32_t n, struct pm_eigen *eigen, pomona_error *error) {
    const size_t square = (size_t)n * n, vectors = (size_t)n * 4, work = (size_t)n * BLOCK, integers = (size_t)n * 4;
    const size_t bytes = (square + vectors + work) * sizeof(double) + integers * sizeof(int);
    double *block = pm_allocate(bytes);
    POMONA_RETURN_IF(!block, error, POMONA_OUT_OF_MEMORY, "no memory for the eigenvalues of %u columns, %.0f MiB", n,
                     (double)bytes / 0x100000);
    *eigen = (struct pm_eigen){.n = (int)n,
                               .matrix = block,
                               .values = block + square,
                               .diagonal = block + square + n,
                               .beside = block + square + 2 * (size_t)n,
                               .tau = block + square + 3 * (size_t)n,
                               .work = block + square + vectors,
                               .work_length = (int)work,
                               .integers = (int *)(block + square + vectors + work)};
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

static int stand_apart(const struct pm_eigen *e, int k) {
    const double *values = e->values, least = APART * values[e->n - 1];
    for (int i = e->n - 1; i > 0 && i >= e->n - k; i--)
        if (!(values[i] - values[i - 1] > least)) return 0;
    return 1;
}

/* Vectors of the tridiagonal form from their values. Returns LAPACK's info: above 0 when some did not converge. */
static int iterate(const struct pm_eigen *e, int k, const struct pm_lapack *lapack, double *vectors) {
    int *end = e->integers, *block = end + 1, *scratch = block + k, *failed = scratch + e->n;
    for (int i = 0; i < k; i++) block[i] = 1; /* all vectors belong to the one block, which ends at n */
    *end = e->n;
    return lapack->dstein(ORDER, e->n, e->diagonal, e->beside, k, e->values + e->n - k, block, end, vectors, e->n,
                          e->work, scratch, failed);
}

/* All vectors of the tridiagonal form, whatever it is, by divide and conquer, which overwrites it; `vectors` takes the
 * last k. */
static pomona_status divide(struct pm_eigen *e, int k, const struct pm_lapack *lapack, double *vectors,
                            pomona_error *error) {
    const size_t n = (size_t)e->n, square = n * n, work = square + 4 * n + 1, integers = 5 * n + 3;
    double *all = pm_allocate((square + work) * sizeof *all + integers * sizeof(int));
    POMONA_RETURN_IF(!all, error, POMONA_OUT_OF_MEMORY, "no memory for all eigenvectors of %d columns, %.0f MiB", e->n,
                     (double)(square + work) * sizeof *all / 0x100000);
    int info = lapack->dstedc(ORDER, 'I', e->n, e->diagonal, e->beside, all, e->n, all + square, (int)work,
                              (int *)(all + square + work), (int)integers);
    memcpy(vectors, all + (n - (size_t)k) * n, (size_t)k * n * sizeof *vectors);
    pm_free(all);
    return check(info, "dstedc", error);
}

/* Vectors of the tridiagonal form, then of the matrix. */
static pomona_status find_vectors(struct pm_eigen *e, int k, const struct pm_lapack *lapack, double *vectors,
                                  pomona_error *error) {
    if (k > FEW || !stand_apart(e, k) || iterate(e, k, lapack, vectors) != 0)
        POMONA_TRY(divide(e, k, lapack, vectors, error));
    int info = lapack->dormtr(ORDER, 'L', TRIANGLE, 'N', e->n, k, e->matrix, e->n, e->tau, vectors, e->n, e->work,
                              e->work_length);
    return check(info, "dormtr", error);
}

pomona_status pm_eigen_vectors(struct pm_eigen *eigen, uint32_t k, uint32_t threads, double *vectors,
                               pomona_error *error) {
    const struct pm_lapack *lapack;
    POMONA_TRY(pm_lapack_enter(threads, &lapack, error));
    pomona_status status = find_vectors(eigen, (int)k, lapack, vectors, error);
    pm_lapack_leave();
    return status;
}
