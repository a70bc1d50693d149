/* SPDX-License-Identifier: Apache-2.0 */

/* Files to vectors. The images go through in rounds: threads of our own read and run their share of a round, then its
 * rows are written in order, so that memory stays bounded. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
    "usage: pomona features --model FILE [OPTIONS] IMAGE|DIR ...\n\n"
    "One vector an image, in the order given (a DIR: its .jpg and .jpeg files, sorted, recursive). A bad image gives "
    "a\n"
    "row of NaN and its reason on stderr.\n\n"
    "  --out FILE      .npy (float32 [images, length]) or .csv (path, numbers); default: CSV on stdout\n"
    "  --pooling       avg (default), max or none (height x width x channels)\n"
    "  --resample      nearest, box, bilinear, hamming, bicubic (default) or lanczos\n"
    "  --fit           squash (default) or crop\n"
    "  --precision     fp32 (default), fp32-split, bf16 or auto\n"
    "  --batch N       images that go through a layer together; never changes results\n"
    "  --threads N     default 1\n"
    "  --mode          permissive (default) or failfast: stop at the first bad image\n"
    "  --top K         K class names with their probabilities instead of a vector, for models with a classifier:\n"
    "                  path, class, probability, class, probability ...; the likeliest first\n"
    "  --fast-decode   decode large images at a half, quarter or eighth of their size: faster, other vectors\n"
    "  --corrupt-data  reject (default) or accept damaged data\n"
    "  --max-pixels, --max-bytes, --max-scans   limits, checked on the header\n";

static const char *const accepted[] = {
    "model", "pooling",      "resample",   "fit",       "precision", "batch",       "threads", "top",
    "mode",  "corrupt-data", "max-pixels", "max-bytes", "max-scans", "fast-decode", "out",     NULL};

/* Images that a thread takes at once, unless a batch has more, and in one round. */
#define SHARE 8
#define ROUND 64

struct round {
    const pomona_model *model;
    uint32_t top; /* classes to name, 0 for vectors */
    char *const *paths;
    size_t count, length; /* images, numbers in a vector */
    size_t share, most;   /* images that a thread takes at once, and of one round */
    float *rows;
    pomona_reason *reasons;
    atomic_size_t next;
    atomic_int failed;
};

struct worker {
    pthread_t thread;
    pomona_session *session;
    struct round *round;
};

static int run_share(struct worker *worker, size_t first, size_t count) {
    struct round *round = worker->round;
    uint8_t *data[POMONA_MAX_BATCH] = {0};
    pomona_bytes images[POMONA_MAX_BATCH] = {0};
    pomona_error error;
    int status = 0;
    for (size_t i = 0; !status && i < count; i++) {
        size_t length;
        status = tool_read_file(round->paths[first + i], &data[i], &length);
        if (!status) images[i] = (pomona_bytes){data[i], length};
    }
    if (!status && pomona_session_run(worker->session, images, count, round->rows + first * round->length,
                                      round->reasons + first, &error))
        status = tool_fail(EXIT_FAILED, "%s", error.message);
    for (size_t i = 0; i < count; i++) free(data[i]);
    return status;
}

static void *run_worker(void *argument) {
    struct worker *worker = argument;
    struct round *round = worker->round;
    for (size_t first;
         (first = atomic_fetch_add(&round->next, round->share)) < round->count && !atomic_load(&round->failed);) {
        size_t count = round->count - first < round->share ? round->count - first : round->share;
        if (run_share(worker, first, count)) atomic_store(&round->failed, 1);
    }
    return NULL;
}

/* The first worker is this thread. */
static int run_round(struct round *round, struct worker *workers, uint32_t threads) {
    uint32_t started = 1;
    atomic_store(&round->next, 0);
    atomic_store(&round->failed, 0);
    for (; started < threads; started++)
        if (pthread_create(&workers[started].thread, NULL, run_worker, &workers[started])) break;
    run_worker(&workers[0]);
    for (uint32_t i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
    return atomic_load(&round->failed) ? EXIT_FAILED : 0;
}

static int write_rows(const struct round *round, int csv, FILE *out) {
    if (!csv) return fwrite(round->rows, round->length * sizeof(float), round->count, out) == round->count ? 0 : -1;
    for (size_t i = 0; i < round->count; i++) {
        const float *row = round->rows + i * round->length;
        if (round->top) tool_write_top(round->paths[i], row, round->length, round->model, round->top, out);
        else tool_write_vector(round->paths[i], row, round->length, out);
    }
    return ferror(out) ? -1 : 0;
}

/* Reports the bad images of a round; returns how many. */
static size_t report(const struct round *round) {
    size_t bad = 0;
    for (size_t i = 0; i < round->count; i++) {
        if (round->reasons[i] == POMONA_REASON_OK) continue;
        fprintf(stderr, "%s: %s: %s\n", round->paths[i], pomona_reason_name(round->reasons[i]),
                pomona_reason_text(round->reasons[i]));
        bad++;
    }
    return bad;
}

static void progress(size_t done, size_t all, double begin) {
    if (!isatty(STDERR_FILENO)) return;
    fprintf(stderr, "\r%zu of %zu images, %.1f a second%s", done, all, (double)done / (tool_seconds() - begin),
            done == all ? "\n" : "");
}

static int is_npy(const char *out) {
    size_t length = out ? strlen(out) : 0;
    return length >= 4 && !strcmp(out + length - 4, ".npy");
}

static int run_all(const struct tool_options *options, const struct tool_paths *list, struct worker *workers,
                   struct round *round, FILE *out) {
    size_t shape[] = {list->count, round->length}, bad = 0;
    int csv = !is_npy(options->out);
    double begin = tool_seconds();
    if (!csv && tool_npy_start(out, "<f4", shape, 2)) return EXIT_FAILED;
    for (size_t first = 0; first < list->count; first += round->count) {
        round->paths = list->paths + first;
        round->count = list->count - first < round->most ? list->count - first : round->most;
        if (run_round(round, workers, options->threads)) return EXIT_FAILED;
        bad += report(round);
        if (bad && options->failfast) return tool_fail(EXIT_FAILED, "stopped at a bad image (--mode failfast)");
        if (write_rows(round, csv, out)) return tool_fail(EXIT_FAILED, "cannot write: %s", strerror(errno));
        progress(first + round->count, list->count, begin);
    }
    return bad ? EXIT_SOME_FAILED : EXIT_OK;
}

/* The model, and that it can name its classes when they are asked for. */
static int open_model(const struct tool_options *options, pomona_model **model) {
    pomona_model_info info = {.size = sizeof info};
    pomona_error error;
    if (pomona_model_open(options->model, &options->model_options, model, &error) ||
        pomona_model_get_info(*model, &info, &error))
        return tool_fail(EXIT_FAILED, "%s: %s", options->model, error.message);
    if (options->top && !info.class_count)
        return tool_fail(EXIT_FAILED, "--top: the model %s has no classifier with named classes", options->model);
    if (options->top > info.class_count)
        return tool_fail(EXIT_FAILED, "--top %u: the model %s has %u classes", options->top, options->model,
                         info.class_count);
    return 0;
}

static int open_sessions(const struct tool_options *options, pomona_model *model, struct worker *workers,
                         struct round *round) {
    pomona_error error;
    for (uint32_t i = 0; i < options->threads; i++) {
        if (pomona_session_open(model, &options->session, &workers[i].session, &error))
            return tool_fail(EXIT_FAILED, "%s", error.message);
        workers[i].round = round;
    }
    round->model = model;
    round->share = options->session.batch > SHARE ? options->session.batch : SHARE;
    round->most = options->threads * (round->share > ROUND ? round->share : ROUND);
    round->length = pomona_session_output_length(workers[0].session);
    round->rows = malloc(round->most * round->length * sizeof *round->rows);
    round->reasons = malloc(round->most * sizeof *round->reasons);
    return round->rows && round->reasons ? 0 : tool_fail(EXIT_FAILED, "out of memory");
}

/* To a file that is removed again when the run fails, or to stdout. */
static int run_to(const struct tool_options *options, const struct tool_paths *list, struct worker *workers,
                  struct round *round) {
    FILE *out = options->out ? fopen(options->out, "wb") : stdout;
    const char *name = options->out ? options->out : "to stdout";
    if (!out) return tool_fail(EXIT_FAILED, "cannot write %s: %s", name, strerror(errno));
    int status = run_all(options, list, workers, round, out);
    if ((options->out ? fclose(out) : fflush(out)) && status <= EXIT_SOME_FAILED)
        status = tool_fail(EXIT_FAILED, "cannot write %s: %s", name, strerror(errno));
    if (options->out && status > EXIT_SOME_FAILED) tool_discard(options->out);
    return status;
}

static int features(const struct tool_options *options, const struct tool_paths *list) {
    struct round round = {.top = options->top};
    pomona_model *model = NULL;
    struct worker *workers = calloc(options->threads, sizeof *workers);
    int status = workers ? 0 : tool_fail(EXIT_FAILED, "out of memory");
    if (!status) status = open_model(options, &model);
    if (!status) status = open_sessions(options, model, workers, &round);
    if (!status) status = run_to(options, list, workers, &round);
    for (uint32_t i = 0; workers && i < options->threads; i++) pomona_session_close(workers[i].session);
    pomona_model_close(model);
    free(round.rows);
    free(round.reasons);
    free(workers);
    return status;
}

int tool_features(int argc, char **argv) {
    struct tool_options options;
    struct tool_paths list = {0};
    int first, status = tool_read_options(argc, argv, accepted, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    if (!options.model || first == argc)
        return tool_fail(EXIT_USAGE, "features needs --model FILE and at least one image or folder");
    if (options.top && is_npy(options.out))
        return tool_fail(EXIT_USAGE, "--top gives names, which %s cannot hold: take a .csv", options.out);
    for (int i = first; !status && i < argc; i++) status = tool_add_paths(&list, argv[i]);
    if (!status && list.count == 0) status = tool_fail(EXIT_FAILED, "no .jpg or .jpeg file found");
    if (!status) status = features(&options, &list);
    tool_free_paths(&list);
    return status;
}
