/* SPDX-License-Identifier: Apache-2.0 */

/* pomona.Library: facts about the library itself. */
#include "jni_util.h"
#include "pomona_Library.h"

JNIEXPORT jstring JNICALL Java_pomona_Library_version(JNIEnv *env, jclass class) {
    (void)class;
    return pj_string(env, pomona_version());
}

JNIEXPORT jstring JNICALL Java_pomona_Library_buildId(JNIEnv *env, jclass class) {
    (void)class;
    return pj_string(env, pomona_build_id());
}

JNIEXPORT jstring JNICALL Java_pomona_Library_cpuLevel(JNIEnv *env, jclass class) {
    (void)class;
    return pj_string(env, pomona_cpu_level());
}

JNIEXPORT jlong JNICALL Java_pomona_Library_memoryInUse(JNIEnv *env, jclass class) {
    (void)env;
    (void)class;
    return (jlong)pomona_memory_in_use();
}

JNIEXPORT jstring JNICALL Java_pomona_Library_reasonName(JNIEnv *env, jclass class, jint code) {
    (void)class;
    return pj_string(env, pomona_reason_name(code));
}

JNIEXPORT jstring JNICALL Java_pomona_Library_reasonText(JNIEnv *env, jclass class, jint code) {
    (void)class;
    return pj_string(env, pomona_reason_text(code));
}
