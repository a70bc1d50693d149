/* SPDX-License-Identifier: Apache-2.0 */

/* What the commands `pomona pca ...` share. */
#ifndef POMONA_TOOLS_PCA_TOOL_H
#define POMONA_TOOLS_PCA_TOOL_H

#include "tool.h"

tool_command tool_pca_fit, tool_pca_merge, tool_pca_transform;

/* ---- matrix.c ---- */

/* Rows of a .npy file, mapped, so that it may be larger than memory. */
struct tool_matrix {
    const char *path;
    void *map;
    size_t map_bytes;
    const void *data;
    size_t rows, columns;
    int axes; /* 1: columns is 1 */
    int is_double;
};

/* float32 or float64 in C order, one or two axes. EXIT_FAILED after a message. */
int tool_matrix_open(const char *path, struct tool_matrix *matrix);
void tool_matrix_close(struct tool_matrix *matrix);

/* The same for `count` files that must all hold rows of one length, at least one. */
int tool_matrices_open(char *const *paths, size_t count, struct tool_matrix **matrices);
void tool_matrices_close(struct tool_matrix *matrices, size_t count);

const void *tool_matrix_row(const struct tool_matrix *matrix, size_t row);

/* Writes float64 [rows][columns], or [rows] when columns is 0, as a whole or not at all. */
int tool_write_doubles(const char *path, const double *values, size_t rows, size_t columns);

/* ---- output.c ---- */

/* A file that takes its name when it is whole: until then it is `path`.partial. What is no plain file (/dev/null) is
 * written to directly. */
struct tool_output {
    const char *path;
    char *partial; /* NULL: none */
    FILE *file;
};

int tool_output_begin(const char *path, struct tool_output *output);

/* Closes; keeps the file when `status` is 0, else removes it. Returns `status` or EXIT_FAILED after a message. */
int tool_output_end(struct tool_output *output, int status);

/* "folder/name" in memory of malloc, or NULL after a message. */
char *tool_join(const char *folder, const char *name);

/* ---- states.c ---- */

/* *state is NULL when `path` is not there and `optional`. */
int tool_state_read(const char *path, int optional, pomona_pca **state);
int tool_state_write(const char *path, const pomona_pca *state);

/* ---- components.c ---- */

/* The folder that `fit` writes and `transform` reads: model.json, written last, and its arrays. */
int tool_refuse_existing(const char *folder);
int tool_components_prepare(const char *folder, int overwrite);
int tool_components_write(const char *folder, const pomona_pca_model_info *model, uint64_t skipped);
int tool_components_read(const char *folder, pomona_pca_model **model);

#endif
