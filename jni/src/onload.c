/* SPDX-License-Identifier: Apache-2.0 */

/* Loading and unloading. The handshake comes first: a library of another build is turned away here, before any of its
 * functions can bind to a class, so that the loader can go on to its next source. */
#include "jni_util.h"

enum { JAVA_VERSION = JNI_VERSION_1_8 };

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved);
JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved);

/* Asks NativeLoader.accepts(buildId), which remembers the id for its message. */
static int accepted(JNIEnv *env) {
    jclass loader = (*env)->FindClass(env, "pomona/NativeLoader");
    if (!loader) return 0;
    jmethodID accepts = (*env)->GetStaticMethodID(env, loader, "accepts", "(Ljava/lang/String;)Z");
    if (!accepts) return 0;
    jstring build_id = (*env)->NewStringUTF(env, pomona_build_id()); /* ASCII */
    if (!build_id) return 0;
    jboolean answer = (*env)->CallStaticBooleanMethod(env, loader, accepts, build_id);
    return !(*env)->ExceptionCheck(env) && answer;
}

jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
    (void)reserved;
    JNIEnv *env;
    if ((*vm)->GetEnv(vm, (void **)&env, JAVA_VERSION) != JNI_OK) return JNI_ERR;
    if (!accepted(env) || !pj_cache_classes(env)) return JNI_ERR;
    return JAVA_VERSION;
}

void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved) {
    (void)reserved;
    JNIEnv *env;
    if ((*vm)->GetEnv(vm, (void **)&env, JAVA_VERSION) == JNI_OK) pj_release_classes(env);
}
