/* SPDX-License-Identifier: Apache-2.0 */

/* pomona.Model */
#include <stdlib.h>

#include "jni_util.h"
#include "pomona_Model.h"
#include "pomona_ModelOptions.h"

_Static_assert(pomona_ModelOptions_FP32 == POMONA_PRECISION_FP32, "ModelOptions.java follows pomona.h");
_Static_assert(pomona_ModelOptions_FP32_SPLIT == POMONA_PRECISION_FP32_SPLIT, "ModelOptions.java follows pomona.h");
_Static_assert(pomona_ModelOptions_BF16 == POMONA_PRECISION_BF16, "ModelOptions.java follows pomona.h");
_Static_assert(pomona_ModelOptions_AUTO == POMONA_PRECISION_AUTO, "ModelOptions.java follows pomona.h");

static pomona_model_options options_of(jint precision) {
    return (pomona_model_options){.size = sizeof(pomona_model_options), .precision = (pomona_precision)precision};
}

JNIEXPORT jlong JNICALL Java_pomona_Model_openFile(JNIEnv *env, jclass class, jbyteArray path, jint precision) {
    (void)class;
    char *name = pj_copy_text(env, path);
    if (!name) return 0;
    pomona_model_options options = options_of(precision);
    pomona_model *model = NULL;
    pomona_error error = {0};
    pomona_status status = pomona_model_open(name, &options, &model, &error);
    free(name);
    return pj_ok(env, status, &error) ? pj_handle(model) : 0;
}

static int total_length(JNIEnv *env, jobjectArray chunks, jsize count, uint64_t *total) {
    *total = 0; /* at most 2^31 arrays of 2^31 bytes: fits 64 bits */
    for (jsize i = 0; i < count; i++) {
        uint64_t length;
        jbyteArray chunk = pj_element(env, chunks, i, &length);
        if (!chunk) return 0;
        (*env)->DeleteLocalRef(env, chunk);
        *total += length;
    }
    return 1;
}

/* `total` was measured before: an array swapped by another thread since then must not write past the end. */
static int join_chunks(JNIEnv *env, jobjectArray chunks, jsize count, uint8_t *target, uint64_t total) {
    for (jsize i = 0; i < count; i++) {
        uint64_t length;
        jbyteArray chunk = pj_element(env, chunks, i, &length);
        if (!chunk) return 0;
        if (length > total) {
            pj_throw(env, POMONA_INVALID_ARGUMENT, "the chunks of the model changed during the call");
            return 0;
        }
        int copied = pj_copy_bytes(env, chunk, length, target);
        (*env)->DeleteLocalRef(env, chunk);
        if (!copied) return 0;
        target += length;
        total -= length;
    }
    return 1;
}

JNIEXPORT jlong JNICALL Java_pomona_Model_openChunks(JNIEnv *env, jclass class, jobjectArray chunks, jint precision) {
    (void)class;
    jsize count = (*env)->GetArrayLength(env, chunks);
    uint64_t total;
    if (!total_length(env, chunks, count, &total)) return 0;
    uint8_t *bytes = pj_allocate(env, total);
    if (!bytes) return 0;
    pomona_model *model = NULL;
    if (join_chunks(env, chunks, count, bytes, total)) {
        pomona_model_options options = options_of(precision);
        pomona_error error = {0};
        pj_ok(env, pomona_model_open_memory(bytes, (size_t)total, &options, &model, &error), &error);
    }
    free(bytes);
    return pj_handle(model);
}

JNIEXPORT void JNICALL Java_pomona_Model_close(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_model *model = pj_pointer(env, handle);
    if (model) pomona_model_close(model);
}

static int get_info(JNIEnv *env, jlong handle, pomona_model_info *info) {
    pomona_model *model = pj_pointer(env, handle);
    if (!model) return 0;
    *info = (pomona_model_info){.size = sizeof *info};
    pomona_error error = {0};
    return pj_ok(env, pomona_model_get_info(model, info, &error), &error);
}

JNIEXPORT jstring JNICALL Java_pomona_Model_name(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_model_info info;
    return get_info(env, handle, &info) ? pj_string(env, info.name) : NULL;
}

JNIEXPORT jstring JNICALL Java_pomona_Model_provenance(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_model_info info;
    return get_info(env, handle, &info) ? pj_string(env, info.provenance) : NULL;
}

/* Puts the name of class `index` into the array; 0: pending. */
static int set_class_name(JNIEnv *env, jobjectArray names, const pomona_model *model, uint32_t index) {
    jstring name = pj_string(env, pomona_model_class_name(model, index));
    if (!name) return 0;
    (*env)->SetObjectArrayElement(env, names, (jsize)index, name);
    (*env)->DeleteLocalRef(env, name);
    return !(*env)->ExceptionCheck(env);
}

JNIEXPORT jobjectArray JNICALL Java_pomona_Model_classNames(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_model_info info;
    jclass string = get_info(env, handle, &info) ? (*env)->FindClass(env, "java/lang/String") : NULL;
    jobjectArray names = string ? (*env)->NewObjectArray(env, (jsize)info.class_count, string, NULL) : NULL;
    for (uint32_t i = 0; names && i < info.class_count; i++)
        if (!set_class_name(env, names, pj_pointer(env, handle), i)) return NULL;
    return names;
}

JNIEXPORT void JNICALL Java_pomona_Model_numbers(JNIEnv *env, jclass class, jlong handle, jlongArray numbers) {
    (void)class;
    pomona_model_info info;
    if (!get_info(env, handle, &info)) return;
    const jlong values[pomona_Model_NUMBERS] = {
        [pomona_Model_INPUT_HEIGHT] = info.input_height,
        [pomona_Model_INPUT_WIDTH] = info.input_width,
        [pomona_Model_FEATURE_HEIGHT] = info.feature_height,
        [pomona_Model_FEATURE_WIDTH] = info.feature_width,
        [pomona_Model_FEATURE_CHANNELS] = info.feature_channels,
        [pomona_Model_PARAMETERS] = (jlong)info.parameters,
        [pomona_Model_MACS] = (jlong)info.macs,
        [pomona_Model_WEIGHT_BYTES] = (jlong)info.weight_bytes,
        [pomona_Model_ARENA_BYTES] = (jlong)info.arena_bytes,
        [pomona_Model_SCRATCH_BYTES] = (jlong)info.scratch_bytes,
    };
    (*env)->SetLongArrayRegion(env, numbers, 0, pomona_Model_NUMBERS, values);
}
