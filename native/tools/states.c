/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pca_tool.h"

int tool_state_read(const char *path, int optional, pomona_pca **state) {
    uint8_t *bytes;
    size_t length;
    pomona_error error;
    *state = NULL;
    if (optional && access(path, F_OK) && errno == ENOENT) return 0;
    if (tool_read_file(path, &bytes, &length)) return EXIT_FAILED;
    pomona_status status = pomona_pca_load(bytes, length, state, &error);
    free(bytes);
    return status ? tool_fail(EXIT_FAILED, "%s: %s", path, error.message) : 0;
}

int tool_state_write(const char *path, const pomona_pca *state) {
    pomona_pca_info info = {.size = sizeof info};
    struct tool_output output;
    pomona_error error;
    pomona_pca_get_info(state, &info, NULL);
    void *bytes = malloc(info.state_bytes);
    if (!bytes) return tool_fail(EXIT_FAILED, "out of memory for the state");
    int status = 0;
    if (pomona_pca_save(state, bytes, info.state_bytes, &error)) status = tool_fail(EXIT_FAILED, "%s", error.message);
    else if (!(status = tool_output_begin(path, &output))) {
        if (fwrite(bytes, 1, info.state_bytes, output.file) != info.state_bytes)
            status = tool_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
        status = tool_output_end(&output, status);
    }
    free(bytes);
    return status;
}
