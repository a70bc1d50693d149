/* SPDX-License-Identifier: Apache-2.0 */
#include "pca/lapack.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* Debian and its kin keep LAPACKE apart, over the LAPACK that the machine has chosen; elsewhere OpenBLAS holds it too.
 */
static const char *const libraries[] = {"liblapacke.so.3", "libopenblas.so.0"};

#define LIBRARIES (sizeof libraries / sizeof *libraries)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pm_lapack routines;
static int loaded, threads_before;

/* ISO C has no cast from an object's address to a function's: the bytes are copied, as POSIX allows. */
static int find(void *library, const char *name, void *function, size_t size) {
    void *address = dlsym(library, name);
    if (address) memcpy(function, &address, size);
    return address != NULL;
}

#define FIND(name, member) find(library, name, &routines.member, sizeof routines.member)

static int find_all(void *library) {
    if (!FIND("openblas_set_num_threads", set_threads) || !FIND("openblas_get_num_threads", get_threads))
        routines.set_threads = NULL;
    return FIND("LAPACKE_dsytrd_work", dsytrd) && FIND("LAPACKE_dsterf_work", dsterf) &&
           FIND("LAPACKE_dstein_work", dstein) && FIND("LAPACKE_dstedc_work", dstedc) &&
           FIND("LAPACKE_dormtr_work", dormtr);
}

/* The library stays: OpenBLAS cannot be unloaded while its threads live. */
static pomona_status load(pomona_error *error) {
    char reasons[256] = "";
    for (size_t i = 0; !loaded && i < LIBRARIES; i++) {
        void *library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
        loaded = library && find_all(library);
        if (!loaded && !*reasons) strncat(reasons, library ? "it lacks LAPACKE" : dlerror(), sizeof reasons - 1);
    }
    POMONA_RETURN_IF(
        !loaded, error, POMONA_UNSUPPORTED,
        "solving needs OpenBLAS and LAPACKE (liblapacke.so.3, or a libopenblas.so.0 that holds it) on this "
        "machine; on Debian and Ubuntu: apt-get install liblapacke libopenblas0-pthread (%s)",
        reasons);
    return POMONA_OK;
}

pomona_status pm_lapack_enter(uint32_t threads, const struct pm_lapack **lapack, pomona_error *error) {
    pthread_mutex_lock(&lock);
    pomona_status status = load(error);
    if (status) {
        pthread_mutex_unlock(&lock);
        return status;
    }
    if (routines.set_threads) {
        threads_before = routines.get_threads();
        routines.set_threads((int)threads);
    }
    *lapack = &routines;
    return POMONA_OK;
}

void pm_lapack_leave(void) {
    if (routines.set_threads) routines.set_threads(threads_before);
    pthread_mutex_unlock(&lock);
}
