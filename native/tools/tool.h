/* SPDX-License-Identifier: Apache-2.0 */

/* What the commands of the CLI share. The CLI is a user of pomona.h like any other. */
#ifndef POMONA_TOOLS_TOOL_H
#define POMONA_TOOLS_TOOL_H

#include <getopt.h>
#include <stdio.h>

#include "pomona.h"

/* Exit statuses of the command line contract. */
enum { EXIT_OK = 0, EXIT_SOME_FAILED = 1, EXIT_USAGE = 2, EXIT_FAILED = 3 };

/* A command reads its own argv, whose first word is its name, and returns an exit status. */
typedef int tool_command(int argc, char **argv);
tool_command tool_features, tool_decode, tool_bench, tool_model, tool_doctor, tool_pca;

/* "pomona: <text>" on stderr; returns `status`. */
int tool_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- options.c: each returns 0, or EXIT_USAGE after a message ---- */

/* Options that several commands take, numbered past the letters for getopt_long. */
enum {
    OPTION_MODEL = 256,
    OPTION_POOLING,
    OPTION_RESAMPLE,
    OPTION_FIT,
    OPTION_PRECISION,
    OPTION_BATCH,
    OPTION_THREADS,
    OPTION_TOP,
    OPTION_MODE,
    OPTION_CORRUPT_DATA,
    OPTION_MAX_PIXELS,
    OPTION_MAX_BYTES,
    OPTION_MAX_SCANS,
    OPTION_OUT,
    OPTION_SIZE,
    OPTION_SECONDS,
    OPTION_FAST_DECODE,
    OPTION_JSON,
    OPTION_LAYERS,
    OPTION_K,
    OPTION_VARIANCE,
    OPTION_STANDARDIZE,
    OPTION_CENTER,
    OPTION_STATE,
    OPTION_BAD_ROWS,
    OPTION_OVERWRITE,
    OPTION_HELP
};

struct tool_options {
    const char *model, *out;
    pomona_model_options model_options;
    pomona_session_options session;
    int failfast, json, layers, standardize, center, overwrite;
    const char *state;
    uint32_t k;
    double variance;
    pomona_bad_rows bad_rows;
    uint32_t threads, top, width, height;
    double seconds;
};

/* Reads the options named in `accepted` (a NULL-terminated list) into `options`; *first becomes the index of the first
 * operand. Returns -1 after printing `help` for --help. */
int tool_read_options(int argc, char **argv, const char *const *accepted, const char *help,
                      struct tool_options *options, int *first);

/* ---- files.c ---- */

/* A growing list of paths, owned. */
struct tool_paths {
    char **paths;
    size_t count, capacity;
};

/* Adds a file, or the JPEG files under a folder, sorted, recursively. EXIT_FAILED after a message. */
int tool_add_paths(struct tool_paths *list, const char *path);
void tool_free_paths(struct tool_paths *list);

/* Bytes that look like nothing; the same ones each time. NULL when out of memory, else for free(). */
uint8_t *tool_noise(size_t size);

/* The whole file in memory of malloc, or EXIT_FAILED after a message. */
int tool_read_file(const char *path, uint8_t **data, size_t *length);

/* Removes an output that was not finished; leaves alone what is no plain file (/dev/stdout). */
void tool_discard(const char *path);

/* ---- rows.c: a line of CSV each ---- */

/* The path, then the numbers. */
void tool_write_vector(const char *path, const float *row, size_t length, FILE *out);

/* The path, then name and value of the `top` largest, largest first, of equals the first. A row of NaN, which is that
 * of a bad image, gives empty names and NaN. */
void tool_write_top(const char *path, const float *row, size_t length, const pomona_model *model, uint32_t top,
                    FILE *out);

/* ---- npy.c ---- */

/* Starts a version 1.0 .npy file of C order; `type` is "<f4" or "|u1". 0 or EXIT_FAILED after a message. */
int tool_npy_start(FILE *file, const char *type, const size_t *shape, int rank);

/* Seconds of a monotonic clock. */
double tool_seconds(void);

/* ---- bench_layers.c ---- */

/* A name as bench prints it, with --json a JSON string with its quotes: for free(). NULL when out of memory. */
char *tool_bench_text(const struct tool_options *options, const char *text);

/* The table of `bench --layers`; returns an exit status. */
int tool_bench_layers(const struct tool_options *options, pomona_model *model);

#endif
