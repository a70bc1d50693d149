/* SPDX-License-Identifier: Apache-2.0 */

/* The network alone, on pixels drawn once. Each thread has a session of its own and is timed by itself. */
#include <pthread.h>
#include <stdlib.h>

#include "tool.h"

static const char help[] =
    "usage: pomona bench --model FILE [--batch N] [--threads N] [--precision P] [--seconds S] [--json] [--layers]\n\n"
    "Images a second of the network alone (no decoding): median and best call, the CPU level, and the share of the\n"
    "multiply-add peak that the same thread measured just before. Pin it for comparisons: taskset -c 0 pomona bench "
    "...\n--layers: the time of each layer instead, with its kernel and share of the peak, one thread.\n";

static const char *const accepted[] = {"model", "batch", "threads", "precision", "seconds", "json", "layers", NULL};

#define MAX_CALLS 100000
#define MIN_CALLS 5

struct measurement {
    pthread_t thread;
    const struct tool_options *options;
    pomona_model *model;
    double median, best; /* images a second */
    double peak;         /* multiply-accumulates a second */
    int status;
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Calls until the time is over; times[] gets the seconds of each. */
static size_t time_calls(pomona_session *session, const uint8_t *pixels, float *vectors, uint32_t batch, double seconds,
                         double *times) {
    size_t count = 0;
    double begin = tool_seconds();
    while (count < MAX_CALLS && (count < MIN_CALLS || tool_seconds() - begin < seconds)) {
        double start = tool_seconds();
        pomona_session_run_pixels(session, pixels, batch, vectors, NULL);
        times[count++] = tool_seconds() - start;
    }
    qsort(times, count, sizeof *times, by_value);
    return count;
}

static int measure_session(struct measurement *m, const pomona_model_info *info, pomona_session *session) {
    uint32_t batch = m->options->session.batch;
    size_t size = (size_t)info->input_height * info->input_width * 3 * batch;
    uint8_t *pixels = tool_noise(size);
    float *vectors = malloc(pomona_session_output_length(session) * batch * sizeof *vectors);
    double *times = malloc(MAX_CALLS * sizeof *times);
    int ok = pixels && vectors && times;
    if (ok) {
        m->peak = pomona_cpu_peak();
        pomona_session_run_pixels(session, pixels, batch, vectors, NULL); /* first touch */
        size_t count = time_calls(session, pixels, vectors, batch, m->options->seconds, times);
        m->median = batch / times[count / 2];
        m->best = batch / times[0];
    }
    free(pixels);
    free(vectors);
    free(times);
    return ok ? 0 : tool_fail(EXIT_FAILED, "out of memory");
}

static void *measure(void *argument) {
    struct measurement *m = argument;
    pomona_model_info info = {.size = sizeof info};
    pomona_session *session = NULL;
    pomona_error error;
    if (pomona_model_get_info(m->model, &info, &error) ||
        pomona_session_open(m->model, &m->options->session, &session, &error))
        m->status = tool_fail(EXIT_FAILED, "%s", error.message);
    else m->status = measure_session(m, &info, session);
    pomona_session_close(session);
    return NULL;
}

static int print(const struct measurement *all, const struct tool_options *options, const pomona_model_info *info) {
    char *name = tool_bench_text(options, info->name);
    if (!name) return tool_fail(EXIT_FAILED, "out of memory");
    double median = 0, best = 0, peak = 0;
    for (uint32_t i = 0; i < options->threads; i++) median += all[i].median, best += all[i].best, peak += all[i].peak;
    double share = median * (double)info->macs / peak;
    printf(options->json ? "{\"model\": %s, \"batch\": %u, \"threads\": %u, \"isa\": \"%s\", "
                           "\"images_per_second\": %.2f, \"best\": %.2f, \"peak_gmacs\": %.1f, \"peak_share\": %.3f}\n"
                         : "%s batch=%u threads=%u isa=%s images_per_second=%.2f best=%.2f peak_gmacs=%.1f "
                           "peak_share=%.3f\n",
           name, options->session.batch, options->threads, info->cpu_level, median, best, peak * 1e-9, share);
    free(name);
    return EXIT_OK;
}

static int run(const struct tool_options *options, pomona_model *model) {
    pomona_model_info info = {.size = sizeof info};
    struct measurement *all = calloc(options->threads, sizeof *all);
    uint32_t started = 0;
    int status = all && !pomona_model_get_info(model, &info, NULL) ? 0 : tool_fail(EXIT_FAILED, "out of memory");
    for (; !status && started < options->threads; started++) {
        all[started] = (struct measurement){.options = options, .model = model};
        if (pthread_create(&all[started].thread, NULL, measure, &all[started])) {
            status = tool_fail(EXIT_FAILED, "cannot start thread %u", started);
            break;
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(all[i].thread, NULL);
        if (all[i].status) status = all[i].status;
    }
    if (!status) status = print(all, options, &info);
    free(all);
    return status;
}

int tool_bench(int argc, char **argv) {
    struct tool_options options;
    pomona_model *model;
    pomona_error error;
    int first, status = tool_read_options(argc, argv, accepted, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    if (!options.model || first < argc) return tool_fail(EXIT_USAGE, "bench needs --model FILE and nothing else");
    if (!options.session.batch) options.session.batch = 1;
    if (pomona_model_open(options.model, &options.model_options, &model, &error))
        return tool_fail(EXIT_FAILED, "%s", error.message);
    status = options.layers ? tool_bench_layers(&options, model) : run(&options, model);
    pomona_model_close(model);
    return status;
}
