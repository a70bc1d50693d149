/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const struct option all_options[] = {
    {"model", required_argument, NULL, OPTION_MODEL},
    {"pooling", required_argument, NULL, OPTION_POOLING},
    {"resample", required_argument, NULL, OPTION_RESAMPLE},
    {"fit", required_argument, NULL, OPTION_FIT},
    {"precision", required_argument, NULL, OPTION_PRECISION},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"top", required_argument, NULL, OPTION_TOP},
    {"mode", required_argument, NULL, OPTION_MODE},
    {"corrupt-data", required_argument, NULL, OPTION_CORRUPT_DATA},
    {"max-pixels", required_argument, NULL, OPTION_MAX_PIXELS},
    {"max-bytes", required_argument, NULL, OPTION_MAX_BYTES},
    {"max-scans", required_argument, NULL, OPTION_MAX_SCANS},
    {"out", required_argument, NULL, OPTION_OUT},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"fast-decode", no_argument, NULL, OPTION_FAST_DECODE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"layers", no_argument, NULL, OPTION_LAYERS},
    {"k", required_argument, NULL, OPTION_K},
    {"variance", required_argument, NULL, OPTION_VARIANCE},
    {"standardize", no_argument, NULL, OPTION_STANDARDIZE},
    {"center", no_argument, NULL, OPTION_CENTER},
    {"state", required_argument, NULL, OPTION_STATE},
    {"bad-rows", required_argument, NULL, OPTION_BAD_ROWS},
    {"overwrite", no_argument, NULL, OPTION_OVERWRITE},
    {"help", no_argument, NULL, OPTION_HELP},
};

#define OPTION_COUNT (sizeof all_options / sizeof *all_options)

/* Words in the order of the enums, whose 0 is the default. */
static const char *const poolings[] = {"avg", "max", "none", NULL};
static const char *const resamples[] = {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos", NULL};
static const char *const fits[] = {"squash", "crop", NULL};
static const char *const precisions[] = {"fp32", "fp32-split", "bf16", "auto", NULL};
static const char *const corrupt_datas[] = {"reject", "accept", NULL};
static const char *const bad_rows[] = {"reject", "skip", NULL};
static const char *const modes[] = {"permissive", "failfast", NULL};

/* 1 for the first word and so on. */
static int read_word(const char *option, const char *text, const char *const *words, int *value) {
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], text)) {
            *value = i + 1;
            return 0;
        }
    fprintf(stderr, "pomona: --%s %s: must be one of", option, text);
    for (int i = 0; words[i]; i++) fprintf(stderr, " %s", words[i]);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static int read_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value) {
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || number < low || number > high)
        return tool_fail(EXIT_USAGE, "--%s %s: must be a whole number from %llu to %llu", option, text,
                         (unsigned long long)low, (unsigned long long)high);
    *value = number;
    return 0;
}

static int read_u32(const char *option, const char *text, uint32_t low, uint32_t high, uint32_t *value) {
    uint64_t number = 0;
    int status = read_number(option, text, low, high, &number);
    if (!status) *value = (uint32_t)number;
    return status;
}

static int read_size(const char *text, struct tool_options *options) {
    char rest;
    if (sscanf(text, "%ux%u%c", &options->width, &options->height, &rest) != 2 || options->width < 1 ||
        options->height < 1 || options->width > UINT16_MAX || options->height > UINT16_MAX)
        return tool_fail(EXIT_USAGE, "--size %s: must be WIDTHxHEIGHT, sides of 1 to %d", text, UINT16_MAX);
    return 0;
}

static int read_variance(const char *text, double *variance) {
    char *end;
    *variance = strtod(text, &end);
    if (end == text || *end || !(*variance > 0 && *variance <= 1))
        return tool_fail(EXIT_USAGE, "--variance %s: must be a share above 0, at most 1, such as 0.9", text);
    return 0;
}

static int read_seconds(const char *text, double *seconds) {
    char *end;
    *seconds = strtod(text, &end);
    if (end == text || *end || !(*seconds > 0 && *seconds <= 3600))
        return tool_fail(EXIT_USAGE, "--seconds %s: must be a number above 0, at most 3600", text);
    return 0;
}

static int read_image_option(int option, const char *text, pomona_image_options *image) {
    int word = 0, status;
    switch (option) {
    case OPTION_RESAMPLE:
        status = read_word("resample", text, resamples, &word);
        image->resample = (pomona_resample)word;
        return status;
    case OPTION_FIT:
        status = read_word("fit", text, fits, &word);
        image->fit = (pomona_fit)word;
        return status;
    case OPTION_CORRUPT_DATA:
        status = read_word("corrupt-data", text, corrupt_datas, &word);
        image->corrupt_data = (pomona_corrupt_data)word;
        return status;
    case OPTION_MAX_PIXELS: return read_number("max-pixels", text, 1, UINT64_MAX, &image->max_pixels);
    case OPTION_MAX_BYTES: return read_number("max-bytes", text, 1, UINT64_MAX, &image->max_bytes);
    default: return read_u32("max-scans", text, 1, UINT32_MAX, &image->max_scans);
    }
}

static int read_pca_option(int option, const char *text, struct tool_options *options) {
    int word = 0, status = 0;
    switch (option) {
    case OPTION_K: return read_u32("k", text, 1, POMONA_PCA_MAX_COLUMNS, &options->k);
    case OPTION_VARIANCE: return read_variance(text, &options->variance);
    case OPTION_STANDARDIZE: options->standardize = 1; return 0;
    case OPTION_CENTER: options->center = 1; return 0;
    case OPTION_STATE: options->state = text; return 0;
    case OPTION_BAD_ROWS:
        status = read_word("bad-rows", text, bad_rows, &word);
        options->bad_rows = (pomona_bad_rows)word;
        return status;
    default: return read_image_option(option, text, &options->session.image);
    }
}

static int read_option(int option, const char *text, struct tool_options *options) {
    int word = 0, status = 0;
    switch (option) {
    case OPTION_MODEL: options->model = text; return 0;
    case OPTION_OUT: options->out = text; return 0;
    case OPTION_JSON: options->json = 1; return 0;
    case OPTION_FAST_DECODE: options->session.image.fast_decode = 1; return 0;
    case OPTION_LAYERS: options->layers = 1; return 0;
    case OPTION_OVERWRITE: options->overwrite = 1; return 0;
    case OPTION_SIZE: return read_size(text, options);
    case OPTION_SECONDS: return read_seconds(text, &options->seconds);
    case OPTION_BATCH: return read_u32("batch", text, 1, POMONA_MAX_BATCH, &options->session.batch);
    case OPTION_THREADS: return read_u32("threads", text, 1, 256, &options->threads);
    case OPTION_TOP: return read_u32("top", text, 1, 1000, &options->top);
    case OPTION_POOLING:
        status = read_word("pooling", text, poolings, &word);
        options->session.pooling = (pomona_pooling)word;
        return status;
    case OPTION_PRECISION:
        status = read_word("precision", text, precisions, &word);
        options->model_options.precision = (pomona_precision)word;
        return status;
    case OPTION_MODE:
        status = read_word("mode", text, modes, &word);
        options->failfast = word == 2;
        return status;
    default: return read_pca_option(option, text, options);
    }
}

/* The options of one command, with a terminator; `chosen` has room for all. */
static void choose_options(const char *const *accepted, struct option *chosen) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        int take = all_options[i].val == OPTION_HELP;
        for (size_t j = 0; accepted[j]; j++) take |= !strcmp(accepted[j], all_options[i].name);
        if (take) *chosen++ = all_options[i];
    }
    *chosen = (struct option){0};
}

int tool_read_options(int argc, char **argv, const char *const *accepted, const char *help,
                      struct tool_options *options, int *first) {
    struct option chosen[OPTION_COUNT + 1];
    choose_options(accepted, chosen);
    *options = (struct tool_options){.threads = 1, .seconds = 3};
    options->model_options.size = sizeof options->model_options;
    options->session.size = sizeof options->session;
    options->session.image.size = sizeof options->session.image;
    for (int option; (option = getopt_long(argc, argv, "", chosen, NULL)) != -1;) {
        if (option == OPTION_HELP) {
            fputs(help, stdout);
            return -1;
        }
        int status = option == '?' ? EXIT_USAGE : read_option(option, optarg, options);
        if (status) return status;
    }
    *first = optind;
    return 0;
}
