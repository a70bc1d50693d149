/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pca_tool.h"

static const char help[] =
    "usage: pomona pca fit (--k K | --variance F) [OPTIONS] --out DIR IN.npy ...\n"
    "       pomona pca fit --state FILE [--bad-rows reject|skip] [--threads N] IN.npy ...\n"
    "       pomona pca merge --out FILE STATE ...\n"
    "       pomona pca transform --model DIR [--center] --out OUT.npy IN.npy ...\n\n"
    "Principal components of rows in .npy files (float32 or float64, C order, larger than memory too), by one pass.\n"
    "`pomona pca fit --help` and so on tell the options.\n";

static const struct {
    const char *name;
    tool_command *run;
} commands[] = {{"fit", tool_pca_fit}, {"merge", tool_pca_merge}, {"transform", tool_pca_transform}};

int tool_pca(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "--help")) {
        fputs(help, stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(name, commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    if (*name) tool_fail(EXIT_USAGE, "there is no command `pca %s`", name);
    fputs(help, stderr);
    return EXIT_USAGE;
}
