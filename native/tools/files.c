/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tool.h"

static int add(struct tool_paths *list, char *path) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        char **paths = realloc(list->paths, capacity * sizeof *paths);
        if (!paths) return tool_fail(EXIT_FAILED, "out of memory for the list of files");
        list->paths = paths;
        list->capacity = capacity;
    }
    if (!path) return tool_fail(EXIT_FAILED, "out of memory for the list of files");
    list->paths[list->count++] = path;
    return 0;
}

static int is_jpeg(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

static char *join(const char *folder, const char *name) {
    size_t length = strlen(folder), size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    return path;
}

static int add_folder(struct tool_paths *list, const char *folder) {
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), status = 0;
    if (count < 0) return tool_fail(EXIT_FAILED, "cannot list %s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char *path = name[0] == '.' || status ? NULL : join(folder, name);
        struct stat info;
        if (path && !stat(path, &info) && S_ISDIR(info.st_mode)) {
            status = add_folder(list, path);
            free(path);
        } else if (path && is_jpeg(name)) {
            status = add(list, path);
        } else {
            free(path);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

int tool_add_paths(struct tool_paths *list, const char *path) {
    struct stat info;
    if (stat(path, &info)) return tool_fail(EXIT_FAILED, "cannot open %s: %s", path, strerror(errno));
    return S_ISDIR(info.st_mode) ? add_folder(list, path) : add(list, strdup(path));
}

void tool_free_paths(struct tool_paths *list) {
    for (size_t i = 0; i < list->count; i++) free(list->paths[i]);
    free(list->paths);
}

int tool_read_file(const char *path, uint8_t **data, size_t *length) {
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (!file || fstat(fileno(file), &info)) {
        int reason = errno;
        if (file) fclose(file);
        return tool_fail(EXIT_FAILED, "cannot open %s: %s", path, strerror(reason));
    }
    size_t size = (size_t)info.st_size;
    uint8_t *bytes = malloc(size ? size : 1);
    size_t got = bytes ? fread(bytes, 1, size, file) : 0;
    fclose(file);
    if (!bytes || got != size) {
        free(bytes);
        return tool_fail(EXIT_FAILED, "cannot read %s", path);
    }
    *data = bytes;
    *length = size;
    return 0;
}

void tool_discard(const char *path) {
    struct stat info;
    if (!lstat(path, &info) && S_ISREG(info.st_mode)) remove(path);
}

uint8_t *tool_noise(size_t size) {
    uint8_t *bytes = malloc(size);
    uint32_t state = 1; /* Numerical Recipes' linear congruential generator */
    for (size_t i = 0; bytes && i < size; i++) bytes[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    return bytes;
}
