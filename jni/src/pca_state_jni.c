/* SPDX-License-Identifier: Apache-2.0 */

/* pomona.PcaState: rows are copied, not pinned: an update takes milliseconds and must not hold up the garbage
 * collector. */
#include <stdlib.h>

#include "jni_util.h"
#include "pomona_PcaState.h"

_Static_assert(pomona_PcaState_BAD_ROWS_REJECT == POMONA_BAD_ROWS_REJECT, "PcaState.java follows pomona.h");
_Static_assert(pomona_PcaState_BAD_ROWS_SKIP == POMONA_BAD_ROWS_SKIP, "PcaState.java follows pomona.h");

JNIEXPORT jlong JNICALL Java_pomona_PcaState_open(JNIEnv *env, jclass class, jint columns, jint bad_rows) {
    (void)class;
    pomona_pca_options options = {.size = sizeof options, .bad_rows = (pomona_bad_rows)bad_rows};
    pomona_pca *state = NULL;
    pomona_error error = {0};
    return pj_ok(env, pomona_pca_open((uint32_t)columns, &options, &state, &error), &error) ? pj_handle(state) : 0;
}

JNIEXPORT jlong JNICALL Java_pomona_PcaState_loadBytes(JNIEnv *env, jclass class, jbyteArray array) {
    (void)class;
    uint64_t length;
    uint8_t *bytes = pj_bytes(env, array, &length);
    if (!bytes) return 0;
    pomona_pca *state = NULL;
    pomona_error error = {0};
    pomona_status status = pomona_pca_load(bytes, (size_t)length, &state, &error);
    free(bytes);
    return pj_ok(env, status, &error) ? pj_handle(state) : 0;
}

JNIEXPORT void JNICALL Java_pomona_PcaState_close(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_pca *state = pj_pointer(env, handle);
    if (state) pomona_pca_close(state);
}

static int get_info(JNIEnv *env, const pomona_pca *state, pomona_pca_info *info) {
    if (!state) return 0;
    *info = (pomona_pca_info){.size = sizeof *info};
    pomona_error error = {0};
    return pj_ok(env, pomona_pca_get_info(state, info, &error), &error);
}

JNIEXPORT void JNICALL Java_pomona_PcaState_numbers(JNIEnv *env, jclass class, jlong handle, jlongArray numbers) {
    (void)class;
    pomona_pca_info info;
    if (!get_info(env, pj_pointer(env, handle), &info)) return;
    const jlong values[pomona_PcaState_NUMBERS] = {
        [pomona_PcaState_COLUMNS] = info.columns,
        [pomona_PcaState_ROWS] = (jlong)info.rows,
        [pomona_PcaState_SKIPPED] = (jlong)info.skipped,
        [pomona_PcaState_STATE_BYTES] = (jlong)info.state_bytes,
    };
    (*env)->SetLongArrayRegion(env, numbers, 0, pomona_PcaState_NUMBERS, values);
}

/* Numbers of `count` rows, or 0 with an exception pending; Java has checked that the array holds them. */
static int rows_length(JNIEnv *env, const pomona_pca *state, jint count, uint32_t *columns, uint64_t *numbers) {
    pomona_pca_info info;
    if (!get_info(env, state, &info)) return 0;
    *columns = info.columns;
    *numbers = (uint64_t)count * info.columns;
    return 1;
}

JNIEXPORT void JNICALL Java_pomona_PcaState_updateFloats(JNIEnv *env, jclass class, jlong handle, jfloatArray rows,
                                                         jint count) {
    (void)class;
    pomona_pca *state = pj_pointer(env, handle);
    uint32_t columns;
    uint64_t numbers;
    if (!rows_length(env, state, count, &columns, &numbers)) return;
    float *copy = pj_floats(env, rows, numbers);
    if (!copy) return;
    pomona_error error = {0};
    pomona_status status = pomona_pca_update_float(state, copy, (size_t)count, columns, &error);
    free(copy);
    pj_ok(env, status, &error);
}

JNIEXPORT void JNICALL Java_pomona_PcaState_updateDoubles(JNIEnv *env, jclass class, jlong handle, jdoubleArray rows,
                                                          jint count) {
    (void)class;
    pomona_pca *state = pj_pointer(env, handle);
    uint32_t columns;
    uint64_t numbers;
    if (!rows_length(env, state, count, &columns, &numbers)) return;
    double *copy = pj_doubles(env, rows, numbers);
    if (!copy) return;
    pomona_error error = {0};
    pomona_status status = pomona_pca_update_double(state, copy, (size_t)count, columns, &error);
    free(copy);
    pj_ok(env, status, &error);
}

JNIEXPORT void JNICALL Java_pomona_PcaState_merge(JNIEnv *env, jclass class, jlong handle, jlong other) {
    (void)class;
    pomona_pca *state = pj_pointer(env, handle);
    const pomona_pca *source = state ? pj_pointer(env, other) : NULL;
    if (!source) return;
    pomona_error error = {0};
    pj_ok(env, pomona_pca_merge(state, source, &error), &error);
}

JNIEXPORT jbyteArray JNICALL Java_pomona_PcaState_saveBytes(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    const pomona_pca *state = pj_pointer(env, handle);
    pomona_pca_info info;
    if (!get_info(env, state, &info)) return NULL;
    jbyteArray array = pj_new_bytes(env, info.state_bytes);
    void *bytes = array ? pj_allocate(env, info.state_bytes) : NULL;
    if (!bytes) return NULL;
    pomona_error error = {0};
    pomona_status status = pomona_pca_save(state, bytes, (size_t)info.state_bytes, &error);
    if (pj_ok(env, status, &error)) (*env)->SetByteArrayRegion(env, array, 0, (jsize)info.state_bytes, bytes);
    free(bytes);
    return (*env)->ExceptionCheck(env) ? NULL : array;
}

JNIEXPORT jlong JNICALL Java_pomona_PcaState_solve(JNIEnv *env, jclass class, jlong handle, jint components,
                                                   jdouble variance, jboolean standardize, jint threads) {
    (void)class;
    const pomona_pca *state = pj_pointer(env, handle);
    if (!state) return 0;
    pomona_pca_solve_options options = {
        .size = sizeof options,
        .k = (uint32_t)components,
        .variance = variance,
        .standardize = standardize,
        .threads = (uint32_t)threads,
    };
    pomona_pca_model *model = NULL;
    pomona_error error = {0};
    return pj_ok(env, pomona_pca_solve(state, &options, &model, &error), &error) ? pj_handle(model) : 0;
}
