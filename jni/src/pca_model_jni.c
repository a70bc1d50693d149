/* SPDX-License-Identifier: Apache-2.0 */

/* pomona.PcaModel */
#include <stdlib.h>

#include "jni_util.h"
#include "pomona_PcaModel.h"

static int get_info(JNIEnv *env, const pomona_pca_model *model, pomona_pca_model_info *info) {
    if (!model) return 0;
    *info = (pomona_pca_model_info){.size = sizeof *info};
    pomona_error error = {0};
    return pj_ok(env, pomona_pca_model_get_info(model, info, &error), &error);
}

/* The four arrays of a model as they came from Java; Java has checked that their lengths fit together. */
struct arrays {
    double *components, *variance, *mean, *deviation;
};

static void free_arrays(struct arrays *arrays) {
    free(arrays->deviation);
    free(arrays->mean);
    free(arrays->variance);
    free(arrays->components);
}

static uint32_t length_of(JNIEnv *env, jdoubleArray array) { return (uint32_t)(*env)->GetArrayLength(env, array); }

JNIEXPORT jlong JNICALL Java_pomona_PcaModel_open(JNIEnv *env, jclass class, jdoubleArray components,
                                                  jdoubleArray variance, jdoubleArray mean, jdoubleArray deviation,
                                                  jlong rows, jint standardize) {
    (void)class;
    uint32_t columns = length_of(env, mean), numbers = length_of(env, components), shares = length_of(env, variance);
    struct arrays copy = {0};
    pomona_pca_model *model = NULL;
    if ((copy.components = pj_doubles(env, components, numbers)) &&
        (copy.variance = pj_doubles(env, variance, shares)) && (copy.mean = pj_doubles(env, mean, columns)) &&
        (copy.deviation = pj_doubles(env, deviation, columns))) {
        const pomona_pca_model_info info = {
            .size = sizeof info,
            .columns = columns,
            .k = numbers / columns,
            .rows = (uint64_t)rows,
            .standardize = standardize,
            .components = copy.components,
            .explained_variance = copy.variance,
            .mean = copy.mean,
            .deviation = copy.deviation,
            .variance_count = shares,
        };
        pomona_error error = {0};
        pj_ok(env, pomona_pca_model_open(&info, &model, &error), &error);
    }
    free_arrays(&copy);
    return pj_handle(model);
}

JNIEXPORT void JNICALL Java_pomona_PcaModel_close(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_pca_model *model = pj_pointer(env, handle);
    if (model) pomona_pca_model_close(model);
}

JNIEXPORT void JNICALL Java_pomona_PcaModel_numbers(JNIEnv *env, jclass class, jlong handle, jlongArray numbers) {
    (void)class;
    pomona_pca_model_info info;
    if (!get_info(env, pj_pointer(env, handle), &info)) return;
    const jlong values[pomona_PcaModel_NUMBERS] = {
        [pomona_PcaModel_COLUMNS] = info.columns,
        [pomona_PcaModel_K] = info.k,
        [pomona_PcaModel_ROWS] = (jlong)info.rows,
        [pomona_PcaModel_STANDARDIZE] = info.standardize,
    };
    (*env)->SetLongArrayRegion(env, numbers, 0, pomona_PcaModel_NUMBERS, values);
}

JNIEXPORT jdoubleArray JNICALL Java_pomona_PcaModel_array(JNIEnv *env, jclass class, jlong handle, jint which) {
    (void)class;
    pomona_pca_model_info info;
    if (!get_info(env, pj_pointer(env, handle), &info)) return NULL;
    switch (which) {
    case pomona_PcaModel_COMPONENTS: return pj_new_doubles(env, info.components, (uint64_t)info.k * info.columns);
    case pomona_PcaModel_EXPLAINED_VARIANCE: return pj_new_doubles(env, info.explained_variance, info.variance_count);
    case pomona_PcaModel_MEAN: return pj_new_doubles(env, info.mean, info.columns);
    default: return pj_new_doubles(env, info.deviation, info.columns);
    }
}

/* Rows of either type; the other pointer is NULL. */
struct call {
    const float *floats;
    const double *doubles;
    size_t count;
    jboolean center;
};

/* Projects the rows and hands them to Java; Java has checked that `output` holds them. */
static void project(JNIEnv *env, const pomona_pca_model *model, const struct call *call, jdoubleArray output) {
    pomona_pca_model_info info;
    if (!get_info(env, model, &info)) return;
    uint64_t numbers = (uint64_t)call->count * info.k;
    double *projected = pj_allocate(env, numbers * sizeof *projected);
    if (!projected) return;
    const pomona_pca_transform_options options = {.size = sizeof options, .center = call->center};
    pomona_error error = {0};
    pomona_status status =
        call->floats
            ? pomona_pca_transform_float(model, &options, call->floats, call->count, info.columns, projected, &error)
            : pomona_pca_transform_double(model, &options, call->doubles, call->count, info.columns, projected, &error);
    if (pj_ok(env, status, &error)) (*env)->SetDoubleArrayRegion(env, output, 0, (jsize)numbers, projected);
    free(projected);
}

/* 0: pending. */
static uint64_t rows_length(JNIEnv *env, const pomona_pca_model *model, jint count) {
    pomona_pca_model_info info;
    return get_info(env, model, &info) ? (uint64_t)count * info.columns : 0;
}

JNIEXPORT void JNICALL Java_pomona_PcaModel_transformFloats(JNIEnv *env, jclass class, jlong handle, jfloatArray rows,
                                                            jint count, jboolean center, jdoubleArray output) {
    (void)class;
    const pomona_pca_model *model = pj_pointer(env, handle);
    uint64_t numbers = rows_length(env, model, count);
    float *copy = numbers ? pj_floats(env, rows, numbers) : NULL;
    if (!copy) return;
    project(env, model, &(struct call){.floats = copy, .count = (size_t)count, .center = center}, output);
    free(copy);
}

JNIEXPORT void JNICALL Java_pomona_PcaModel_transformDoubles(JNIEnv *env, jclass class, jlong handle, jdoubleArray rows,
                                                             jint count, jboolean center, jdoubleArray output) {
    (void)class;
    const pomona_pca_model *model = pj_pointer(env, handle);
    uint64_t numbers = rows_length(env, model, count);
    double *copy = numbers ? pj_doubles(env, rows, numbers) : NULL;
    if (!copy) return;
    project(env, model, &(struct call){.doubles = copy, .count = (size_t)count, .center = center}, output);
    free(copy);
}
