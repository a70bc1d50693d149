/* SPDX-License-Identifier: Apache-2.0 */

/* Pomona: JPEG bytes to CNN feature vectors.
 *
 * Objects
 *   pomona_model    immutable after opening; weights are packed once and shared by all threads.
 *   pomona_session  one a thread at a time: activation arena, decode state. Holds its model open.
 *
 * Conventions
 *   - Calls return a pomona_status; results come by out-parameter and are untouched on failure. A pomona_error, when
 *     given, receives the status and one line that names what failed, where, and the cure. It may be NULL.
 *   - Images fail one by one: a batch call returns POMONA_OK and a pomona_reason for each image.
 *   - Option structs begin with their own size, so that fields can be appended; zero in a field means its default, and
 *     a NULL struct means all defaults.
 *   - The library starts no threads, installs no handlers, writes nothing to stdout or stderr, and never aborts.
 *   - Every *_close takes NULL and may be called in any order.
 */
#ifndef POMONA_H
#define POMONA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The one place of the version: CMake, Maven and the Python package read it from here. */
#define POMONA_VERSION "0.1.0"

#define POMONA_API __attribute__((visibility("default")))

typedef enum pomona_status {
#define POMONA_STATUS(name, code, text) POMONA_##name = code,
#include "pomona_status.def"
#undef POMONA_STATUS
} pomona_status;

typedef enum pomona_reason {
#define POMONA_REASON(name, code, text) POMONA_REASON_##name = code,
#include "pomona_reasons.def"
#undef POMONA_REASON
} pomona_reason;

/* Caller-owned description of the last failure. `message` is NUL-terminated UTF-8. */
typedef struct pomona_error {
    pomona_status status;
    char message[512];
} pomona_error;

/* Stable names ("BAD_MODEL", "TRUNCATED") and one-line texts; "UNKNOWN" for a code outside the list. Static strings. */
POMONA_API const char *pomona_status_name(int status);
POMONA_API const char *pomona_status_text(int status);
POMONA_API const char *pomona_reason_name(int reason);
POMONA_API const char *pomona_reason_text(int reason);

/* "0.1.0", and an identifier of this build that the Java side compares with its own. Static strings. */
POMONA_API const char *pomona_version(void);
POMONA_API const char *pomona_build_id(void);

/* Bytes that the library holds now: models, sessions, scratch. libjpeg's own memory counts while an image is decoded.
 * Any thread. */
POMONA_API uint64_t pomona_memory_in_use(void);

/* The level in use: "scalar", "avx2", "avx512", on aarch64 "neon": the best that this CPU, its operating system and the
 * environment variable POMONA_CPU ("at most this level") allow. Read once per process. Any thread. */
POMONA_API const char *pomona_cpu_level(void);

/* Multiply-accumulates a second that this thread reaches at that level, measured on registers for about 50 ms. */
POMONA_API double pomona_cpu_peak(void);

/* Whose kernels run in POMONA_PRECISION_BF16: "amx" or "avx512"; NULL where none can. Asks the system for AMX tiles, as
 * opening a model in that precision does: the permission holds for the process. Any thread. */
POMONA_API const char *pomona_cpu_bf16(void);

/* Whether 1x1 convolutions in fp32 go by inner products at that level: 1 on AMD's CPUs with AVX-512 unless POMONA_CPU
 * says avx512 or less, else 0. Any thread. */
POMONA_API int pomona_cpu_inner(void);

/* ---- images ---------------------------------------------------------------------------------------------------- */

/* Pillow's filters. BICUBIC is the default, as in Image.resize. */
typedef enum pomona_resample {
    POMONA_RESAMPLE_DEFAULT = 0,
    POMONA_RESAMPLE_NEAREST,
    POMONA_RESAMPLE_BOX,
    POMONA_RESAMPLE_BILINEAR,
    POMONA_RESAMPLE_HAMMING,
    POMONA_RESAMPLE_BICUBIC,
    POMONA_RESAMPLE_LANCZOS
} pomona_resample;

/* SQUASH scales each side on its own; CROP scales so that the target is covered, then takes the centre. */
typedef enum pomona_fit { POMONA_FIT_DEFAULT = 0, POMONA_FIT_SQUASH, POMONA_FIT_CROP } pomona_fit;

/* What to do where libjpeg reports damaged data: REJECT gives the image a reason; ACCEPT keeps Pillow's pixels. */
typedef enum pomona_corrupt_data {
    POMONA_CORRUPT_DATA_DEFAULT = 0,
    POMONA_CORRUPT_DATA_REJECT,
    POMONA_CORRUPT_DATA_ACCEPT
} pomona_corrupt_data;

/* Limits are checked on the header, before memory is taken. UINT64_MAX / UINT32_MAX spell out "unlimited". */
#define POMONA_DEFAULT_MAX_PIXELS 89478485u          /* Pillow's decompression-bomb limit */
#define POMONA_DEFAULT_MAX_BYTES (64u * 1024 * 1024) /* encoded bytes of one image */
#define POMONA_DEFAULT_MAX_SCANS 100u                /* libjpeg-turbo's own fuzzing limit for progressive files */

typedef struct pomona_image_options {
    size_t size; /* sizeof(pomona_image_options) */
    pomona_resample resample;
    pomona_fit fit;
    pomona_corrupt_data corrupt_data;
    uint32_t max_scans;
    uint64_t max_pixels;
    uint64_t max_bytes;
    /* 1: an image that shrinks to a half, quarter or eighth or less is decoded at that size, which is faster and
     * changes pixels: they are no longer Pillow's. */
    int fast_decode;
} pomona_image_options;

/* Encoded bytes of one image, borrowed for the length of the call. `data` may be NULL when `length` is 0. */
typedef struct pomona_bytes {
    const uint8_t *data;
    size_t length;
} pomona_bytes;

/* Width and height from the header of a JPEG, with the limits applied; `reason` as for a decode. Any thread.
 * INVALID_ARGUMENT for NULL arguments or unknown options. */
POMONA_API pomona_status pomona_image_probe(pomona_bytes image, const pomona_image_options *options, uint32_t *width,
                                            uint32_t *height, pomona_reason *reason, pomona_error *error);

/* Decodes one JPEG and resizes it: writes height x width x 3 bytes of RGB to `rgb` (caller-owned), the pixels that
 * Pillow's Image.open(...).convert("RGB").resize((width, height), filter) gives unless fast_decode is set. `rgb` is
 * untouched unless the reason is OK. Any thread. Sides of 1 to 65535. */
POMONA_API pomona_status pomona_image_decode(pomona_bytes image, const pomona_image_options *options, uint32_t width,
                                             uint32_t height, uint8_t *rgb, pomona_reason *reason, pomona_error *error);

/* ---- models ---------------------------------------------------------------------------------------------------- */

typedef struct pomona_model pomona_model;

/* A promise, not a hint: where CPU or kernels refuse, opening fails with UNSUPPORTED. AUTO takes the fastest that keeps
 * fp32 accuracy. BF16 rounds inputs and weights of convolutions to bf16 and sums in fp32, where that is the faster way;
 * docs/numerics.md tells what it costs. FP32_SPLIT makes fp32's accuracy of several products of bf16; AMX alone. */
typedef enum pomona_precision {
    POMONA_PRECISION_DEFAULT = 0, /* FP32 */
    POMONA_PRECISION_FP32,
    POMONA_PRECISION_FP32_SPLIT,
    POMONA_PRECISION_BF16,
    POMONA_PRECISION_AUTO
} pomona_precision;

typedef struct pomona_model_options {
    size_t size; /* sizeof(pomona_model_options) */
    pomona_precision precision;
} pomona_model_options;

/* Opens a model file (docs/model-format.md): checks every checksum and limit, folds and packs the weights into private
 * memory, and lets the file go. The caller closes *model. Any thread.
 * IO, BAD_MODEL (tensor or layer named), UNSUPPORTED (operator or precision named), LIMIT, OUT_OF_MEMORY. */
POMONA_API pomona_status pomona_model_open(const char *path, const pomona_model_options *options, pomona_model **model,
                                           pomona_error *error);

/* The same from memory, which is borrowed for the length of the call. */
POMONA_API pomona_status pomona_model_open_memory(const void *data, size_t length, const pomona_model_options *options,
                                                  pomona_model **model, pomona_error *error);

/* Gives up the caller's reference. Sessions keep the weights until the last of them is closed. */
POMONA_API void pomona_model_close(pomona_model *model);

/* Strings live as long as the model. */
typedef struct pomona_model_info {
    size_t size; /* sizeof(pomona_model_info), set by the caller */
    const char *name;
    const char *provenance; /* the file's provenance object as JSON text */
    const char *cpu_level;
    uint32_t input_height, input_width;
    uint32_t feature_height, feature_width, feature_channels; /* before pooling */
    uint32_t layer_count;                                     /* after folding; see pomona_model_layer */
    uint64_t parameters;                                      /* numbers in the file's tensors */
    uint64_t macs;                                            /* multiply-accumulates for one image */
    uint64_t weight_bytes;                                    /* packed weights, once a process */
    uint64_t arena_bytes;   /* activations of one image that wait for the batch, once a session and image */
    uint64_t scratch_bytes; /* of layers at work, and activations before those, once a session */
    uint32_t class_count;   /* feature_channels of a classifier that names its classes, else 0 */
} pomona_model_info;

POMONA_API pomona_status pomona_model_get_info(const pomona_model *model, pomona_model_info *info, pomona_error *error);

/* What number `index` of the vector stands for, or NULL when there is no such class. Lives as long as the model. */
POMONA_API const char *pomona_model_class_name(const pomona_model *model, uint32_t index);

/* One step of the planned graph, in the order of execution. Strings live as long as the model. */
typedef struct pomona_layer_info {
    size_t size; /* sizeof(pomona_layer_info), set by the caller */
    const char *name;
    const char *operation;
    const char *kernel; /* the routine chosen, by its symbol */
    uint32_t height, width, channels;
    uint64_t macs;
} pomona_layer_info;

POMONA_API pomona_status pomona_model_get_layer(const pomona_model *model, uint32_t index, pomona_layer_info *info,
                                                pomona_error *error);

/* ---- sessions -------------------------------------------------------------------------------------------------- */

typedef struct pomona_session pomona_session;

/* AVG and MAX give feature_channels numbers; NONE gives the feature map, height x width x channels in that order. */
typedef enum pomona_pooling {
    POMONA_POOLING_DEFAULT = 0, /* AVG */
    POMONA_POOLING_AVG,
    POMONA_POOLING_MAX,
    POMONA_POOLING_NONE
} pomona_pooling;

#define POMONA_MAX_BATCH 256u

typedef struct pomona_session_options {
    size_t size; /* sizeof(pomona_session_options) */
    pomona_pooling pooling;
    uint32_t batch; /* images that go through a layer together, 1 to POMONA_MAX_BATCH, default 2; same results */
    pomona_image_options image;
} pomona_session_options;

POMONA_API pomona_status pomona_session_open(pomona_model *model, const pomona_session_options *options,
                                             pomona_session **session, pomona_error *error);
POMONA_API void pomona_session_close(pomona_session *session);

/* Numbers in the vector of one image. */
POMONA_API size_t pomona_session_output_length(const pomona_session *session);

/* `count` JPEGs to vectors, any count. Row i of `output` (caller-owned, count x output_length floats) is written, and
 * reasons[i] set to OK, or the row is filled with NaN and reasons[i] says why. One thread at a time per session.
 * Allocates nothing but libjpeg's memory, which is freed with each image. */
POMONA_API pomona_status pomona_session_run(pomona_session *session, const pomona_bytes *images, size_t count,
                                            float *output, pomona_reason *reasons, pomona_error *error);

/* The same from pixels that are decoded and sized already: `rgb` holds count x input_height x input_width x 3 bytes. */
POMONA_API pomona_status pomona_session_run_pixels(pomona_session *session, const uint8_t *rgb, size_t count,
                                                   float *output, pomona_error *error);

/* The same, and adds the seconds that layer i (pomona_model_get_layer) took to seconds[i]. */
POMONA_API pomona_status pomona_session_profile_pixels(pomona_session *session, const uint8_t *rgb, size_t count,
                                                       float *output, double *seconds, pomona_error *error);

/* ---- principal components -------------------------------------------------------------------------------------- */

/* What one pass over rows leaves: their number, mean and centred co-moment in fp64. States of parts of the rows merge
 * into the state of all. The same rows in the same calls give the same bits. One thread at a time per state. */
typedef struct pomona_pca pomona_pca;

#define POMONA_PCA_MAX_COLUMNS 32768u

/* What to do with a row that holds NaN or infinity: REJECT fails the call, naming row and column, and leaves the state
 * as it was; SKIP leaves the row out and counts it. */
typedef enum pomona_bad_rows {
    POMONA_BAD_ROWS_DEFAULT = 0, /* REJECT */
    POMONA_BAD_ROWS_REJECT,
    POMONA_BAD_ROWS_SKIP
} pomona_bad_rows;

typedef struct pomona_pca_options {
    size_t size; /* sizeof(pomona_pca_options) */
    pomona_bad_rows bad_rows;
} pomona_pca_options;

typedef struct pomona_pca_info {
    size_t size; /* sizeof(pomona_pca_info), set by the caller */
    uint32_t columns;
    uint64_t rows;        /* in mean and co-moment */
    uint64_t skipped;     /* left out by SKIP */
    uint64_t state_bytes; /* length of the serialised state */
} pomona_pca_info;

POMONA_API pomona_status pomona_pca_open(uint32_t columns, const pomona_pca_options *options, pomona_pca **pca,
                                         pomona_error *error);
POMONA_API void pomona_pca_close(pomona_pca *pca);
POMONA_API pomona_status pomona_pca_get_info(const pomona_pca *pca, pomona_pca_info *info, pomona_error *error);

/* Adds `count` rows; row i begins at rows + i x stride (in numbers, >= columns). */
POMONA_API pomona_status pomona_pca_update_float(pomona_pca *pca, const float *rows, size_t count, size_t stride,
                                                 pomona_error *error);
POMONA_API pomona_status pomona_pca_update_double(pomona_pca *pca, const double *rows, size_t count, size_t stride,
                                                  pomona_error *error);

/* Adds what `other` holds, by Chan's formula; `other` stays as it is. */
POMONA_API pomona_status pomona_pca_merge(pomona_pca *pca, const pomona_pca *other, pomona_error *error);

/* The state as state_bytes bytes, checksummed, the same on every machine; and back. A damaged or foreign one is
 * refused with BAD_MODEL before memory is taken for it. */
POMONA_API pomona_status pomona_pca_save(const pomona_pca *pca, void *bytes, size_t length, pomona_error *error);
POMONA_API pomona_status pomona_pca_load(const void *bytes, size_t length, pomona_pca **pca, pomona_error *error);

/* ---- fitted components ---- */

/* Immutable; any number of threads. */
typedef struct pomona_pca_model pomona_pca_model;

typedef struct pomona_pca_solve_options {
    size_t size;      /* sizeof(pomona_pca_solve_options) */
    uint32_t k;       /* components to keep; 0: by variance */
    double variance;  /* smallest share of the variance to keep, in (0, 1]; 0: by k */
    int standardize;  /* columns divided by their deviation (n - 1); a column without variance becomes 0, as in Spark */
    uint32_t threads; /* at most, for this call; default 1 */
} pomona_pca_solve_options;

/* Arrays live as long as the model. */
typedef struct pomona_pca_model_info {
    size_t size; /* sizeof(pomona_pca_model_info), set by the caller */
    uint32_t columns, k;
    uint64_t rows;
    int standardize;
    const double *components;         /* k x columns; in each the entry of largest magnitude is positive */
    const double *explained_variance; /* all `columns` shares of the variance, largest first; of a fitted model */
    const double *mean, *deviation;   /* by column, n - 1 */
    uint32_t variance_count;          /* numbers in explained_variance: columns, or k for a model made of arrays */
} pomona_pca_model_info;

/* Reduces the co-moment to tridiagonal form once, takes all its eigenvalues, and the vectors asked for.
 * INVALID_ARGUMENT for fewer than two rows, k outside 1..columns, or no variance at all with a variance target. */
POMONA_API pomona_status pomona_pca_solve(const pomona_pca *pca, const pomona_pca_solve_options *options,
                                          pomona_pca_model **model, pomona_error *error);

/* A model from arrays (copied), for one that was saved elsewhere. */
POMONA_API pomona_status pomona_pca_model_open(const pomona_pca_model_info *arrays, pomona_pca_model **model,
                                               pomona_error *error);
POMONA_API void pomona_pca_model_close(pomona_pca_model *model);
POMONA_API pomona_status pomona_pca_model_get_info(const pomona_pca_model *model, pomona_pca_model_info *info,
                                                   pomona_error *error);

typedef struct pomona_pca_transform_options {
    size_t size; /* sizeof(pomona_pca_transform_options) */
    int center;  /* subtract the mean first; Spark's PCAModel does not, scikit-learn does; a standardising model always
                    centres and scales */
} pomona_pca_transform_options;

/* Projects `count` rows: writes count x k numbers. A row with NaN or infinity gives a row of NaN. */
POMONA_API pomona_status pomona_pca_transform_float(const pomona_pca_model *model,
                                                    const pomona_pca_transform_options *options, const float *rows,
                                                    size_t count, size_t stride, double *output, pomona_error *error);
POMONA_API pomona_status pomona_pca_transform_double(const pomona_pca_model *model,
                                                     const pomona_pca_transform_options *options, const double *rows,
                                                     size_t count, size_t stride, double *output, pomona_error *error);

#ifdef __cplusplus
}
#endif

#endif
