/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pca_tool.h"

static char *append(const char *a, const char *between, const char *b) {
    size_t size = strlen(a) + strlen(between) + strlen(b) + 1;
    char *text = malloc(size);
    if (text) snprintf(text, size, "%s%s%s", a, between, b);
    else tool_fail(EXIT_FAILED, "out of memory");
    return text;
}

char *tool_join(const char *folder, const char *name) { return append(folder, "/", name); }

int tool_output_begin(const char *path, struct tool_output *output) {
    struct stat info;
    *output = (struct tool_output){.path = path};
    if (stat(path, &info) || S_ISREG(info.st_mode)) {
        output->partial = append(path, ".partial", "");
        if (!output->partial) return EXIT_FAILED;
    }
    output->file = fopen(output->partial ? output->partial : path, "wb");
    if (output->file) return 0;
    int status = tool_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    free(output->partial);
    return status;
}

int tool_output_end(struct tool_output *output, int status) {
    int failed = status || fflush(output->file) || (output->partial && fsync(fileno(output->file)));
    int reason = errno;
    if (fclose(output->file) && !failed) failed = 1, reason = errno;
    if (!failed && output->partial && rename(output->partial, output->path)) failed = 1, reason = errno;
    if (failed && output->partial) remove(output->partial);
    if (failed && !status) status = tool_fail(EXIT_FAILED, "cannot write %s: %s", output->path, strerror(reason));
    free(output->partial);
    return status;
}
