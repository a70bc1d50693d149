/* SPDX-License-Identifier: Apache-2.0 */

/* pomona.Session: a batch of byte arrays to vectors. The arrays are copied, not pinned: a decode takes milliseconds and
 * must not hold up the garbage collector. */
#include <stdlib.h>

#include "jni_util.h"
#include "pomona_Session.h"
#include "pomona_SessionOptions.h"

#define SAME(java, c) _Static_assert(pomona_SessionOptions_##java == POMONA_##c, "SessionOptions.java follows pomona.h")
SAME(POOLING_AVG, POOLING_AVG);
SAME(POOLING_MAX, POOLING_MAX);
SAME(POOLING_NONE, POOLING_NONE);
SAME(RESAMPLE_NEAREST, RESAMPLE_NEAREST);
SAME(RESAMPLE_BOX, RESAMPLE_BOX);
SAME(RESAMPLE_BILINEAR, RESAMPLE_BILINEAR);
SAME(RESAMPLE_HAMMING, RESAMPLE_HAMMING);
SAME(RESAMPLE_BICUBIC, RESAMPLE_BICUBIC);
SAME(RESAMPLE_LANCZOS, RESAMPLE_LANCZOS);
SAME(FIT_SQUASH, FIT_SQUASH);
SAME(FIT_CROP, FIT_CROP);
SAME(CORRUPT_DATA_REJECT, CORRUPT_DATA_REJECT);
SAME(CORRUPT_DATA_ACCEPT, CORRUPT_DATA_ACCEPT);
SAME(MAX_BATCH, MAX_BATCH);
#undef SAME

/* Native copies that one run holds: images and rows each stay under it, or are one image. */
#define SCRATCH_BYTES ((uint64_t)32 << 20)

/* One part of a call: consecutive images that fit the scratch. */
struct part {
    pomona_bytes *images;
    uint8_t *bytes; /* copies, end to end */
    float *rows;
    pomona_reason *reasons;
};

/* A call as it came from Java, checked. */
struct call {
    pomona_session *session;
    jobjectArray images;
    jsize count;
    uint64_t max_bytes;
    size_t row_length; /* floats */
    jsize part_limit;  /* images in a part */
    jfloatArray output;
    jintArray reasons;
};

static uint64_t in_bytes(jlong max_bytes) { return max_bytes ? (uint64_t)max_bytes : POMONA_DEFAULT_MAX_BYTES; }

JNIEXPORT jlong JNICALL Java_pomona_Session_open(JNIEnv *env, jclass class, jlong model_handle, jlongArray array) {
    (void)class;
    pomona_model *model = pj_pointer(env, model_handle);
    jlong fields[pomona_SessionOptions_FIELDS];
    if (!model || !pj_read_longs(env, array, fields, pomona_SessionOptions_FIELDS)) return 0;
    pomona_session_options options = {
        .size = sizeof options,
        .pooling = (pomona_pooling)fields[pomona_SessionOptions_FIELD_POOLING],
        .batch = (uint32_t)fields[pomona_SessionOptions_FIELD_BATCH],
        .image =
            {
                .size = sizeof options.image,
                .resample = (pomona_resample)fields[pomona_SessionOptions_FIELD_RESAMPLE],
                .fit = (pomona_fit)fields[pomona_SessionOptions_FIELD_FIT],
                .corrupt_data = (pomona_corrupt_data)fields[pomona_SessionOptions_FIELD_CORRUPT_DATA],
                .max_scans = (uint32_t)fields[pomona_SessionOptions_FIELD_MAX_SCANS],
                .max_pixels = (uint64_t)fields[pomona_SessionOptions_FIELD_MAX_PIXELS],
                .max_bytes = (uint64_t)fields[pomona_SessionOptions_FIELD_MAX_BYTES],
                .fast_decode = (int)fields[pomona_SessionOptions_FIELD_FAST_DECODE],
            },
    };
    pomona_session *session = NULL;
    pomona_error error = {0};
    return pj_ok(env, pomona_session_open(model, &options, &session, &error), &error) ? pj_handle(session) : 0;
}

JNIEXPORT void JNICALL Java_pomona_Session_close(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_session *session = pj_pointer(env, handle);
    if (session) pomona_session_close(session);
}

JNIEXPORT jlong JNICALL Java_pomona_Session_outputLength(JNIEnv *env, jclass class, jlong handle) {
    (void)class;
    pomona_session *session = pj_pointer(env, handle);
    return session ? (jlong)pomona_session_output_length(session) : 0;
}

/* Bytes of an image that are copied. One over the limit is cut just past it: that is enough to be refused. */
static uint64_t copied_length(const struct call *call, uint64_t length) {
    return length > call->max_bytes ? call->max_bytes + 1 : length;
}

/* How many images from `begin` make the next part, and the bytes to copy for them. 0: pending. */
static jsize measure_part(JNIEnv *env, const struct call *call, jsize begin, uint64_t *bytes) {
    jsize images = 0;
    *bytes = 0;
    while (images < call->part_limit && begin + images < call->count) {
        uint64_t length;
        jbyteArray element = pj_element(env, call->images, begin + images, &length);
        if (!element) return 0;
        (*env)->DeleteLocalRef(env, element);
        uint64_t copied = copied_length(call, length);
        if (images > 0 && *bytes + copied > SCRATCH_BYTES) break;
        *bytes += copied;
        images++;
    }
    return images;
}

/* Copies the images of the part; `bytes` was measured, and an element may have been swapped since. 0: pending. */
static int copy_part(JNIEnv *env, const struct call *call, jsize begin, jsize images, struct part *part,
                     uint64_t bytes) {
    uint64_t used = 0;
    for (jsize i = 0; i < images; i++) {
        uint64_t length;
        jbyteArray element = pj_element(env, call->images, begin + i, &length);
        if (!element) return 0;
        uint64_t copied = copied_length(call, length);
        if (copied > bytes - used) {
            pj_throw(env, POMONA_INVALID_ARGUMENT, "the images changed during the call");
            return 0;
        }
        int done = pj_copy_bytes(env, element, copied, part->bytes + used);
        (*env)->DeleteLocalRef(env, element);
        if (!done) return 0;
        part->images[i] = (pomona_bytes){.data = part->bytes + used, .length = (size_t)copied};
        used += copied;
    }
    return 1;
}

/* Runs the part and hands rows and reasons to Java. 0: pending. */
static int run_part(JNIEnv *env, const struct call *call, jsize begin, jsize images, struct part *part) {
    pomona_error error = {0};
    pomona_status status =
        pomona_session_run(call->session, part->images, (size_t)images, part->rows, part->reasons, &error);
    if (!pj_ok(env, status, &error)) return 0;
    jsize length = (jsize)call->row_length;
    (*env)->SetFloatArrayRegion(env, call->output, begin * length, images * length, part->rows);
    if ((*env)->ExceptionCheck(env)) return 0;
    for (jsize i = 0; i < images; i++) {
        jint code = (jint)part->reasons[i];
        (*env)->SetIntArrayRegion(env, call->reasons, begin + i, 1, &code);
        if ((*env)->ExceptionCheck(env)) return 0;
    }
    return 1;
}

/* Allocates the part, runs it, frees it. Returns the images done; 0: pending. */
static jsize next_part(JNIEnv *env, const struct call *call, jsize begin) {
    uint64_t bytes;
    jsize images = measure_part(env, call, begin, &bytes);
    if (!images) return 0;
    struct part part = {0};
    int done = (part.images = pj_allocate(env, (uint64_t)images * sizeof *part.images)) != NULL &&
               (part.reasons = pj_allocate(env, (uint64_t)images * sizeof *part.reasons)) != NULL &&
               (part.rows = pj_allocate(env, (uint64_t)images * call->row_length * sizeof *part.rows)) != NULL &&
               (part.bytes = pj_allocate(env, bytes)) != NULL && copy_part(env, call, begin, images, &part, bytes) &&
               run_part(env, call, begin, images, &part);
    free(part.bytes);
    free(part.rows);
    free(part.reasons);
    free(part.images);
    return done ? images : 0;
}

/* Lengths against each other, in 64 bits. Java checks the same and says which argument; this guards the memory. */
static int lengths_fit(JNIEnv *env, const struct call *call) {
    uint64_t count = (uint64_t)call->count;
    int fit = call->count >= 0 && call->row_length <= INT32_MAX &&
              count <= (uint64_t)(*env)->GetArrayLength(env, call->images) &&
              count <= (uint64_t)(*env)->GetArrayLength(env, call->reasons) &&
              count * call->row_length <= (uint64_t)(*env)->GetArrayLength(env, call->output);
    if (!fit) pj_throw(env, POMONA_INVALID_ARGUMENT, "the arrays are shorter than the count asks for");
    return fit;
}

static jsize part_limit(size_t row_length) {
    uint64_t rows = SCRATCH_BYTES / (row_length * sizeof(float) + 1);
    return rows < 1 ? 1 : rows > POMONA_MAX_BATCH ? (jsize)POMONA_MAX_BATCH : (jsize)rows;
}

JNIEXPORT void JNICALL Java_pomona_Session_run(JNIEnv *env, jclass class, jlong handle, jobjectArray images, jint count,
                                               jfloatArray output, jintArray reasons, jlong max_bytes) {
    (void)class;
    pomona_session *session = pj_pointer(env, handle);
    if (!session) return;
    size_t row_length = pomona_session_output_length(session);
    struct call call = {
        .session = session,
        .images = images,
        .count = count,
        .max_bytes = in_bytes(max_bytes),
        .row_length = row_length,
        .part_limit = part_limit(row_length),
        .output = output,
        .reasons = reasons,
    };
    if (!images || !output || !reasons) {
        pj_throw(env, POMONA_INVALID_ARGUMENT, "an array of the call is null");
        return;
    }
    if (!lengths_fit(env, &call)) return;
    jsize done = 0;
    while (done < count) {
        jsize images_done = next_part(env, &call, done);
        if (!images_done) return;
        done += images_done;
    }
}
