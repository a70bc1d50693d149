/* SPDX-License-Identifier: Apache-2.0 */

/* The routines of LAPACK that a solve needs, found at the first solve, so that a process that never solves (an
 * executor) neither needs LAPACK nor has the threads that OpenBLAS starts when it is loaded. */
#ifndef POMONA_PCA_LAPACK_H
#define POMONA_PCA_LAPACK_H

#include "core/status.h"

/* Fortran's conventions: everything by address, lengths of the character arguments at the end. */
struct pm_lapack {
    void (*dsytrd)(const char *uplo, const int *n, double *a, const int *lda, double *d, double *e, double *tau,
                   double *work, const int *lwork, int *info, size_t uplo_length);
    void (*dsterf)(const int *n, double *d, double *e, int *info);
    void (*dstemr)(const char *jobz, const char *range, const int *n, double *d, double *e, const double *vl,
                   const double *vu, const int *il, const int *iu, int *m, double *w, double *z, const int *ldz,
                   const int *nzc, int *isuppz, int *tryrac, double *work, const int *lwork, int *iwork,
                   const int *liwork, int *info, size_t jobz_length, size_t range_length);
    void (*dormtr)(const char *side, const char *uplo, const char *trans, const int *m, const int *n, double *a,
                   const int *lda, const double *tau, double *c, const int *ldc, double *work, const int *lwork,
                   int *info, size_t side_length, size_t uplo_length, size_t trans_length);
    void (*set_threads)(int threads); /* NULL: not OpenBLAS */
    int (*get_threads)(void);
};

/* Takes LAPACK for this thread alone, held to so many threads of its own, until pm_lapack_leave gives it back as it
 * was. UNSUPPORTED when there is none on this machine. */
pomona_status pm_lapack_enter(uint32_t threads, const struct pm_lapack **lapack, pomona_error *error);
void pm_lapack_leave(void);

#endif
