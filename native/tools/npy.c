/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tool.h"

/* The format pads its header so that the data begins at a multiple of 64. */
#define ALIGNMENT 64

int tool_npy_start(FILE *file, const char *type, const size_t *shape, int rank) {
    char header[4 * ALIGNMENT] = "\x93NUMPY\x01";
    size_t used = 10;
    used += (size_t)snprintf(header + used, sizeof header - used, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                             type);
    for (int i = 0; i < rank; i++)
        used += (size_t)snprintf(header + used, sizeof header - used, "%zu,%s", shape[i], i + 1 < rank ? " " : "");
    used += (size_t)snprintf(header + used, sizeof header - used, "), }");
    size_t total = (used + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memset(header + used, ' ', total - used);
    header[total - 1] = '\n';
    header[8] = (char)((total - 10) & 0xff);
    header[9] = (char)((total - 10) >> 8);
    if (fwrite(header, 1, total, file) != total) return tool_fail(EXIT_FAILED, "cannot write the .npy header");
    return 0;
}
