/* SPDX-License-Identifier: Apache-2.0 */
#include "jni_util.h"

#include <stdlib.h>
#include <string.h>

/* Which exception a status becomes; a status without a row becomes FALLBACK. */
#define FALLBACK 0
static struct {
    pomona_status status;
    const char *name;
    jclass class; /* global reference */
    jmethodID constructor;
} exceptions[] = {
    {POMONA_INTERNAL, "pomona/PomonaException", NULL, NULL},
    {POMONA_INVALID_ARGUMENT, "java/lang/IllegalArgumentException", NULL, NULL},
    {POMONA_OUT_OF_MEMORY, "pomona/NativeOutOfMemoryException", NULL, NULL},
    {POMONA_BAD_MODEL, "pomona/ModelException", NULL, NULL},
    {POMONA_UNSUPPORTED, "pomona/UnsupportedException", NULL, NULL},
    {POMONA_LIMIT, "pomona/LimitException", NULL, NULL},
    {POMONA_IO, "pomona/NativeIOException", NULL, NULL},
};
enum { EXCEPTIONS = sizeof exceptions / sizeof *exceptions };

static jclass string_class;
static jmethodID string_from_bytes; /* String(byte[], String charset) */
static jstring utf8_name;

static jobject to_global(JNIEnv *env, jobject local) {
    if (!local) return NULL;
    jobject global = (*env)->NewGlobalRef(env, local);
    (*env)->DeleteLocalRef(env, local);
    return global;
}

static int cache_exceptions(JNIEnv *env) {
    for (int i = 0; i < EXCEPTIONS; i++) {
        exceptions[i].class = to_global(env, (*env)->FindClass(env, exceptions[i].name));
        if (!exceptions[i].class) return 0;
        exceptions[i].constructor = (*env)->GetMethodID(env, exceptions[i].class, "<init>", "(Ljava/lang/String;)V");
        if (!exceptions[i].constructor) return 0;
    }
    return 1;
}

int pj_cache_classes(JNIEnv *env) {
    string_class = to_global(env, (*env)->FindClass(env, "java/lang/String"));
    if (!string_class) return 0;
    string_from_bytes = (*env)->GetMethodID(env, string_class, "<init>", "([BLjava/lang/String;)V");
    if (!string_from_bytes) return 0;
    utf8_name = to_global(env, (*env)->NewStringUTF(env, "UTF-8"));
    return utf8_name && cache_exceptions(env);
}

void pj_release_classes(JNIEnv *env) {
    for (int i = 0; i < EXCEPTIONS; i++) (*env)->DeleteGlobalRef(env, exceptions[i].class);
    (*env)->DeleteGlobalRef(env, string_class);
    (*env)->DeleteGlobalRef(env, utf8_name);
}

void pj_throw(JNIEnv *env, pomona_status status, const char *message) {
    int row = FALLBACK;
    for (int i = 0; i < EXCEPTIONS; i++)
        if (exceptions[i].status == status) row = i;
    jstring text = pj_string(env, message);
    if (!text) return; /* the JVM's own OutOfMemoryError is pending */
    jobject exception = (*env)->NewObject(env, exceptions[row].class, exceptions[row].constructor, text);
    if (exception) (*env)->Throw(env, exception);
}

int pj_ok(JNIEnv *env, pomona_status status, const pomona_error *error) {
    if (status == POMONA_OK) return 1;
    pj_throw(env, status, error->message);
    return 0;
}

void *pj_allocate(JNIEnv *env, uint64_t size) {
    void *block = size <= SIZE_MAX ? malloc(size ? (size_t)size : 1) : NULL;
    if (!block)
        pj_throw(env, POMONA_OUT_OF_MEMORY,
                 "no native memory for a call's copy of its data: raise spark.executor.memoryOverhead");
    return block;
}

jstring pj_string(JNIEnv *env, const char *utf8) {
    size_t length = strlen(utf8);
    if (length > INT32_MAX) length = INT32_MAX;
    jbyteArray bytes = (*env)->NewByteArray(env, (jsize)length);
    if (!bytes) return NULL;
    (*env)->SetByteArrayRegion(env, bytes, 0, (jsize)length, (const jbyte *)utf8);
    jstring string = (*env)->NewObject(env, string_class, string_from_bytes, bytes, utf8_name);
    (*env)->DeleteLocalRef(env, bytes);
    return string;
}

char *pj_copy_text(JNIEnv *env, jbyteArray bytes) {
    if (!bytes) {
        pj_throw(env, POMONA_INVALID_ARGUMENT, "a text argument is null");
        return NULL;
    }
    uint64_t length = (uint64_t)(*env)->GetArrayLength(env, bytes);
    char *text = pj_allocate(env, length + 1);
    if (!text) return NULL;
    if (!pj_copy_bytes(env, bytes, length, (uint8_t *)text)) {
        free(text);
        return NULL;
    }
    text[length] = 0;
    return text;
}

jbyteArray pj_element(JNIEnv *env, jobjectArray arrays, jsize index, uint64_t *length) {
    jbyteArray element = (*env)->GetObjectArrayElement(env, arrays, index);
    if ((*env)->ExceptionCheck(env)) return NULL;
    if (!element) {
        pj_throw(env, POMONA_INVALID_ARGUMENT, "an element of the byte arrays is null: leave such rows out");
        return NULL;
    }
    *length = (uint64_t)(*env)->GetArrayLength(env, element);
    return element;
}

int pj_copy_bytes(JNIEnv *env, jbyteArray bytes, uint64_t length, uint8_t *target) {
    if (length > INT32_MAX) {
        pj_throw(env, POMONA_INVALID_ARGUMENT, "a byte array is longer than Java allows");
        return 0;
    }
    (*env)->GetByteArrayRegion(env, bytes, 0, (jsize)length, (jbyte *)target);
    return !(*env)->ExceptionCheck(env);
}

/* Whether a copy of `count` numbers can be made of the array; false: pending. */
static int holds(JNIEnv *env, jarray array, uint64_t count) {
    if (array && count <= (uint64_t)(*env)->GetArrayLength(env, array)) return 1;
    pj_throw(env, POMONA_INVALID_ARGUMENT, "an array of the call is null or shorter than the count asks for");
    return 0;
}

/* `block`, or NULL after an exception. */
static void *unless_pending(JNIEnv *env, void *block) {
    if (!(*env)->ExceptionCheck(env)) return block;
    free(block);
    return NULL;
}

uint8_t *pj_bytes(JNIEnv *env, jbyteArray array, uint64_t *length) {
    if (!holds(env, array, 0)) return NULL;
    *length = (uint64_t)(*env)->GetArrayLength(env, array);
    uint8_t *copy = pj_allocate(env, *length);
    if (copy) pj_copy_bytes(env, array, *length, copy);
    return unless_pending(env, copy);
}

float *pj_floats(JNIEnv *env, jfloatArray array, uint64_t count) {
    if (!holds(env, array, count)) return NULL;
    float *copy = pj_allocate(env, count * sizeof *copy);
    if (copy) (*env)->GetFloatArrayRegion(env, array, 0, (jsize)count, copy);
    return unless_pending(env, copy);
}

double *pj_doubles(JNIEnv *env, jdoubleArray array, uint64_t count) {
    if (!holds(env, array, count)) return NULL;
    double *copy = pj_allocate(env, count * sizeof *copy);
    if (copy) (*env)->GetDoubleArrayRegion(env, array, 0, (jsize)count, copy);
    return unless_pending(env, copy);
}

/* Whether a Java array can be so long; false: pending. */
static int fits(JNIEnv *env, uint64_t length) {
    if (length <= INT32_MAX - 8) return 1; /* the longest array that JVMs give */
    pj_throw(env, POMONA_LIMIT, "the result is longer than a Java array can be: take fewer columns or components");
    return 0;
}

jbyteArray pj_new_bytes(JNIEnv *env, uint64_t length) {
    return fits(env, length) ? (*env)->NewByteArray(env, (jsize)length) : NULL;
}

jdoubleArray pj_new_doubles(JNIEnv *env, const double *numbers, uint64_t count) {
    jdoubleArray array = fits(env, count) ? (*env)->NewDoubleArray(env, (jsize)count) : NULL;
    if (array) (*env)->SetDoubleArrayRegion(env, array, 0, (jsize)count, numbers);
    return array;
}

int pj_read_longs(JNIEnv *env, jlongArray array, jlong *target, jsize count) {
    if (!array || (*env)->GetArrayLength(env, array) != count) {
        pj_throw(env, POMONA_INVALID_ARGUMENT, "the options array has the wrong length");
        return 0;
    }
    (*env)->GetLongArrayRegion(env, array, 0, count, target);
    return !(*env)->ExceptionCheck(env);
}

void *pj_pointer(JNIEnv *env, jlong handle) {
    if (handle == 0) pj_throw(env, POMONA_INVALID_ARGUMENT, "the native handle is null");
    return (void *)(intptr_t)handle;
}
