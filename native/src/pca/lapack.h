/* SPDX-License-Identifier: Apache-2.0 */

/* The routines of LAPACKE that a solve needs, found at the first solve, so that a process that never solves (an
 * executor) neither needs it nor has the threads that OpenBLAS starts when it is loaded. */
#ifndef POMONA_PCA_LAPACK_H
#define POMONA_PCA_LAPACK_H

#include <lapacke.h>

#include "core/status.h"

/* LAPACKE's routines without checks and allocations of their own; results are LAPACK's info. */
struct pm_lapack {
    lapack_int (*dsytrd)(int order, char uplo, lapack_int n, double *a, lapack_int lda, double *d, double *e,
                         double *tau, double *work, lapack_int lwork);
    lapack_int (*dsterf)(lapack_int n, double *d, double *e);
    lapack_int (*dstein)(int order, lapack_int n, const double *d, const double *e, lapack_int m, const double *w,
                         const lapack_int *iblock, const lapack_int *isplit, double *z, lapack_int ldz, double *work,
                         lapack_int *iwork, lapack_int *ifailv);
    lapack_int (*dstedc)(int order, char compz, lapack_int n, double *d, double *e, double *z, lapack_int ldz,
                         double *work, lapack_int lwork, lapack_int *iwork, lapack_int liwork);
    lapack_int (*dormtr)(int order, char side, char uplo, char trans, lapack_int m, lapack_int n, const double *a,
                         lapack_int lda, const double *tau, double *c, lapack_int ldc, double *work, lapack_int lwork);
    void (*set_threads)(int threads); /* NULL: not OpenBLAS */
    int (*get_threads)(void);
};

/* Takes LAPACK for this thread alone, held to so many threads of its own, until pm_lapack_leave gives it back as it
 * was. UNSUPPORTED when there is none on this machine. */
pomona_status pm_lapack_enter(uint32_t threads, const struct pm_lapack **lapack, pomona_error *error);
void pm_lapack_leave(void);

#endif
