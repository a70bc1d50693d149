/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "tool.h"

static const struct {
    const char *name, *summary;
    tool_command *run;
} commands[] = {
    {"features", "JPEG files to feature vectors", tool_features},
    {"decode", "JPEG files to pixels, as Pillow decodes and resizes them", tool_decode},
    {"pca", "rows of vectors to principal components", tool_pca},
    {"bench", "images a second of a network alone", tool_bench},
    {"model", "what a model file holds, and whether it is whole", tool_model},
    {"doctor", "what this machine offers and what the library makes of it", tool_doctor},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

int tool_fail(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("pomona: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

double tool_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void print_help(FILE *to) {
    fprintf(to, "pomona %s: JPEG bytes to CNN feature vectors\n\nusage: pomona COMMAND [OPTIONS] ...\n\n",
            pomona_version());
    for (size_t i = 0; i < COMMAND_COUNT; i++) fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`pomona COMMAND --help` tells the options.\n"
          "Exit status: 0 all well; 1 some images failed; 2 usage; 3 bad model, input or I/O.\n",
          to);
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "";
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
        print_help(stdout);
        return EXIT_OK;
    }
    if (!strcmp(name, "--version")) {
        printf("pomona %s (build %s)\n", pomona_version(), pomona_build_id());
        return EXIT_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(name, commands[i].name)) return commands[i].run(argc - 1, argv + 1);
    if (*name) tool_fail(EXIT_USAGE, "there is no command `%s`", name);
    print_help(stderr);
    return EXIT_USAGE;
}
