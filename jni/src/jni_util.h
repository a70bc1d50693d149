/* SPDX-License-Identifier: Apache-2.0 */

/* What the JNI files share. Every helper that can throw says so by its result: the caller returns at once, since no
 * JNI function but the releasing ones may be called while an exception is pending. */
#ifndef POMONA_JNI_UTIL_H
#define POMONA_JNI_UTIL_H

#include <jni.h>
#include <stdint.h>

#include "pomona.h"

/* Called by JNI_OnLoad and JNI_OnUnload alone. Returns 0 with an exception pending when a class is missing. */
int pj_cache_classes(JNIEnv *env);
void pj_release_classes(JNIEnv *env);

/* Throws the exception that belongs to the status. The one place where a status becomes an exception. */
void pj_throw(JNIEnv *env, pomona_status status, const char *message);

/* 1 when the status is OK; otherwise throws what `error` describes and returns 0. */
int pj_ok(JNIEnv *env, pomona_status status, const pomona_error *error);

/* malloc that throws: NULL means an exception is pending. Checked in 64 bits, so that 32-bit builds cannot wrap. */
void *pj_allocate(JNIEnv *env, uint64_t size);

/* A Java string from UTF-8, which NewStringUTF does not take (it wants Java's modified form). NULL: pending. */
jstring pj_string(JNIEnv *env, const char *utf8);

/* A NUL-terminated copy of a byte array, to be freed by the caller. NULL: pending. */
char *pj_copy_text(JNIEnv *env, jbyteArray bytes);

/* Element `index` of a byte[][] as a local reference that the caller deletes; its length goes to *length.
 * NULL: pending, also for a null element. */
jbyteArray pj_element(JNIEnv *env, jobjectArray arrays, jsize index, uint64_t *length);

/* Copies the first `length` bytes of a byte array to `target`; 0: pending. */
int pj_copy_bytes(JNIEnv *env, jbyteArray bytes, uint64_t length, uint8_t *target);

/* Copies to be freed by the caller: all bytes of an array, or its first `count` numbers. NULL: pending. */
uint8_t *pj_bytes(JNIEnv *env, jbyteArray array, uint64_t *length);
float *pj_floats(JNIEnv *env, jfloatArray array, uint64_t count);
double *pj_doubles(JNIEnv *env, jdoubleArray array, uint64_t count);

/* New Java arrays, of `length` bytes or with `count` numbers. NULL: pending, also for more than Java's arrays hold. */
jbyteArray pj_new_bytes(JNIEnv *env, uint64_t length);
jdoubleArray pj_new_doubles(JNIEnv *env, const double *numbers, uint64_t count);

/* Reads exactly `count` numbers of a long[]; 0: pending. */
int pj_read_longs(JNIEnv *env, jlongArray array, jlong *target, jsize count);

/* A handle travels as a jlong. 0 is never a live handle: NULL with an exception pending. */
void *pj_pointer(JNIEnv *env, jlong handle);
static inline jlong pj_handle(void *pointer) { return (jlong)(intptr_t)pointer; }

#endif
