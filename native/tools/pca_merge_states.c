/* SPDX-License-Identifier: Apache-2.0 */
#include "pca_tool.h"

static const char help[] =
    "usage: pomona pca merge --out FILE STATE ...\n\n"
    "Joins states that `pomona pca fit --state` wrote into one, in the order given: the state of all their rows.\n"
    "`pomona pca fit --state FILE --k K --out DIR` then solves it. FILE may be one of the inputs.\n";

static const char *const accepted[] = {"out", NULL};

/* Adds the state in a file to *all, which is the first one at first. */
static int add(const char *path, pomona_pca **all) {
    pomona_pca *state;
    pomona_error error;
    int status = tool_state_read(path, 0, &state);
    if (status) return status;
    if (!*all) {
        *all = state;
        return 0;
    }
    if (pomona_pca_merge(*all, state, &error)) status = tool_fail(EXIT_FAILED, "%s: %s", path, error.message);
    pomona_pca_close(state);
    return status;
}

int tool_pca_merge(int argc, char **argv) {
    struct tool_options options;
    pomona_pca *all = NULL;
    pomona_pca_info info = {.size = sizeof info};
    int first, status = tool_read_options(argc, argv, accepted, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    if (!options.out || first >= argc) return tool_fail(EXIT_USAGE, "merge needs --out FILE and at least one state");
    for (int i = first; !status && i < argc; i++) status = add(argv[i], &all);
    if (!status) status = tool_state_write(options.out, all);
    if (!status && !pomona_pca_get_info(all, &info, NULL))
        printf("rows=%llu columns=%u skipped=%llu state=%s\n", (unsigned long long)info.rows, info.columns,
               (unsigned long long)info.skipped, options.out);
    pomona_pca_close(all);
    return status;
}
