/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* madvise */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pca_tool.h"

/* Longest header that is read: numpy refuses more than 10,000 bytes too. */
#define HEADER_MAX 10000

static int map_file(const char *path, struct tool_matrix *matrix) {
    struct stat info = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC), known = file >= 0 && !fstat(file, &info);
    void *map = MAP_FAILED;
    if (known && info.st_size > 0) map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    int reason = errno;
    if (file >= 0) close(file);
    if (map == MAP_FAILED)
        return tool_fail(EXIT_FAILED, "cannot read %s: %s", path, known && !info.st_size ? "empty" : strerror(reason));
    madvise(map, (size_t)info.st_size, MADV_SEQUENTIAL);
    *matrix = (struct tool_matrix){.path = path, .map = map, .map_bytes = (size_t)info.st_size};
    return 0;
}

/* The value behind a key of the header, a Python dictionary as numpy writes it. */
static const char *find_value(const char *header, const char *key) {
    const char *at = strstr(header, key);
    if (!at) return "";
    at += strlen(key);
    return at + strspn(at, " :");
}

/* The text of the header, NUL-terminated, and where the data begins. */
static int read_header(const struct tool_matrix *matrix, char *text, size_t *data) {
    const uint8_t *bytes = matrix->map;
    size_t length = 0, begin = 10;
    if (matrix->map_bytes < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3) return -1;
    length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1) {
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
        begin = 12;
    }
    if (length > HEADER_MAX || begin + length > matrix->map_bytes) return -1;
    memcpy(text, bytes + begin, length);
    text[length] = 0;
    text[strcspn(text, "\n")] = 0;
    *data = begin + length;
    return 0;
}

/* "(rows, columns)", or "(rows,)" for one axis. */
static int read_shape(const char *text, struct tool_matrix *matrix) {
    unsigned long long rows = 0, columns = 1;
    int end = 0;
    if (strchr(text, '-')) return -1;
    matrix->axes = sscanf(text, "(%llu, %llu%n", &rows, &columns, &end);
    if (matrix->axes == 1) sscanf(text, "(%*u,%n", &end);
    end += end && text[end] == ',';
    if (!end || text[end] != ')') return -1;
    matrix->rows = rows;
    matrix->columns = columns;
    return 0;
}

static int understand(struct tool_matrix *matrix) {
    char text[HEADER_MAX + 1];
    size_t data, bytes;
    if (read_header(matrix, text, &data)) return tool_fail(EXIT_FAILED, "%s: not a .npy file", matrix->path);
    const char *type = find_value(text, "'descr'");
    matrix->is_double = !strncmp(type, "'<f8'", 5);
    if ((!matrix->is_double && strncmp(type, "'<f4'", 5) != 0) ||
        strncmp(find_value(text, "'fortran_order'"), "False", 5) != 0 ||
        read_shape(find_value(text, "'shape'"), matrix))
        return tool_fail(EXIT_FAILED, "%s: must hold rows x columns of float32 or float64 in C order, not %s",
                         matrix->path, text);
    size_t size = matrix->is_double ? sizeof(double) : sizeof(float);
    if (__builtin_mul_overflow(matrix->rows, matrix->columns, &bytes) || __builtin_mul_overflow(bytes, size, &bytes) ||
        bytes > matrix->map_bytes - data)
        return tool_fail(EXIT_FAILED, "%s: cut short: %zu rows of %zu numbers do not fit into %zu bytes", matrix->path,
                         matrix->rows, matrix->columns, matrix->map_bytes);
    if (data % size)
        return tool_fail(EXIT_FAILED, "%s: its numbers are not aligned: write it with numpy.save", matrix->path);
    matrix->data = (const char *)matrix->map + data;
    return 0;
}

int tool_matrix_open(const char *path, struct tool_matrix *matrix) {
    int status = map_file(path, matrix);
    if (!status && (status = understand(matrix))) tool_matrix_close(matrix);
    return status;
}

void tool_matrix_close(struct tool_matrix *matrix) {
    if (matrix->map) munmap(matrix->map, matrix->map_bytes);
    matrix->map = NULL;
}

int tool_matrices_open(char *const *paths, size_t count, struct tool_matrix **matrices) {
    struct tool_matrix *all = calloc(count ? count : 1, sizeof *all);
    int status = all ? 0 : tool_fail(EXIT_FAILED, "out of memory for the list of files");
    for (size_t i = 0; !status && i < count; i++) {
        status = tool_matrix_open(paths[i], &all[i]);
        if (!status && all[i].axes != 2)
            status = tool_fail(EXIT_FAILED, "%s: has one axis; rows x columns are needed", paths[i]);
        if (!status && all[i].columns != all[0].columns)
            status = tool_fail(EXIT_FAILED, "%s: rows of %zu numbers, those of %s have %zu", paths[i], all[i].columns,
                               paths[0], all[0].columns);
    }
    if (status) tool_matrices_close(all, count);
    else *matrices = all;
    return status;
}

void tool_matrices_close(struct tool_matrix *matrices, size_t count) {
    for (size_t i = 0; matrices && i < count; i++) tool_matrix_close(&matrices[i]);
    free(matrices);
}

const void *tool_matrix_row(const struct tool_matrix *matrix, size_t row) {
    return (const char *)matrix->data + row * matrix->columns * (matrix->is_double ? sizeof(double) : sizeof(float));
}

int tool_write_doubles(const char *path, const double *values, size_t rows, size_t columns) {
    struct tool_output output;
    size_t shape[] = {rows, columns}, count = rows * (columns ? columns : 1);
    int status = tool_output_begin(path, &output);
    if (status) return status;
    status = tool_npy_start(output.file, "<f8", shape, columns ? 2 : 1);
    if (!status && fwrite(values, sizeof *values, count, output.file) != count)
        status = tool_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    return tool_output_end(&output, status);
}
