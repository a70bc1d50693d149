/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "sum_rows.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Rows of a run: at 1,280 columns 0.5 s of work for a state of 10 MB; and of one call, between two looks at failure. */
#define RUN 16384
#define CALL 1024

struct run {
    const struct tool_matrix *matrix;
    size_t first, count;
};

struct job {
    struct run *runs;
    size_t count, next, merged; /* runs: all, to be taken, in the state */
    size_t rows, done;
    const struct tool_options *options;
    pomona_pca *state;
    int status;
    double begin;
    pthread_mutex_t lock;
    pthread_cond_t turn;
};

/* Cuts the files into runs. */
static int cut(const struct tool_matrix *matrices, size_t count, struct job *job) {
    size_t most = count;
    for (size_t i = 0; i < count; i++) most += matrices[i].rows / RUN;
    job->runs = malloc((most ? most : 1) * sizeof *job->runs);
    if (!job->runs) return tool_fail(EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < matrices[i].rows; row += RUN) {
            const size_t left = matrices[i].rows - row;
            job->runs[job->count++] = (struct run){&matrices[i], row, left < RUN ? left : RUN};
            job->rows += left < RUN ? left : RUN;
        }
    return 0;
}

/* The place of the first bad number among these rows, for the message. */
static int refuse(const struct run *run, size_t first, size_t count, const char *message) {
    const struct tool_matrix *m = run->matrix;
    for (size_t row = first; row < first + count; row++)
        for (size_t j = 0; j < m->columns; j++) {
            const void *at = tool_matrix_row(m, row);
            double value = m->is_double ? ((const double *)at)[j] : (double)((const float *)at)[j];
            if (!isfinite(value))
                return tool_fail(EXIT_FAILED,
                                 "%s: row %zu, column %zu (from 0) is %g: --bad-rows skip leaves such rows out",
                                 m->path, row, j, value);
        }
    return tool_fail(EXIT_FAILED, "%s, rows from %zu on: %s", m->path, first, message);
}

static void report(struct job *job, size_t rows) {
    pthread_mutex_lock(&job->lock);
    job->done += rows;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%zu of %zu rows, %.0f a second%s", job->done, job->rows,
                (double)job->done / (tool_seconds() - job->begin), job->done == job->rows ? "\n" : "");
    pthread_mutex_unlock(&job->lock);
}

static int failed(struct job *job) {
    pthread_mutex_lock(&job->lock);
    int status = job->status;
    pthread_mutex_unlock(&job->lock);
    return status;
}

static int sum_run(struct job *job, const struct run *run, pomona_pca *state) {
    const struct tool_matrix *m = run->matrix;
    pomona_error error;
    for (size_t i = 0; i < run->count; i += CALL) {
        const size_t count = run->count - i < CALL ? run->count - i : CALL;
        const void *rows = tool_matrix_row(m, run->first + i);
        if (m->is_double ? pomona_pca_update_double(state, rows, count, m->columns, &error)
                         : pomona_pca_update_float(state, rows, count, m->columns, &error))
            return refuse(run, run->first + i, count, error.message);
        report(job, count);
        if (failed(job)) return EXIT_FAILED;
    }
    return 0;
}

/* Waits until all earlier runs are in, then adds this one; `status` is how it went so far. */
static void merge_in_turn(struct job *job, size_t index, const pomona_pca *part, int status) {
    pomona_error error;
    pthread_mutex_lock(&job->lock);
    while (!status && !job->status && job->merged != index) pthread_cond_wait(&job->turn, &job->lock);
    if (!status && !job->status && pomona_pca_merge(job->state, part, &error))
        status = tool_fail(EXIT_FAILED, "%s", error.message);
    job->merged++;
    if (status && !job->status) job->status = status;
    pthread_cond_broadcast(&job->turn);
    pthread_mutex_unlock(&job->lock);
}

static size_t take(struct job *job) {
    pthread_mutex_lock(&job->lock);
    size_t index = job->status ? job->count : job->next++;
    pthread_mutex_unlock(&job->lock);
    return index;
}

static void *work(void *argument) {
    struct job *job = argument;
    const pomona_pca_options options = {.size = sizeof options, .bad_rows = job->options->bad_rows};
    for (size_t index; (index = take(job)) < job->count;) {
        const struct run *run = &job->runs[index];
        pomona_pca *part = NULL;
        pomona_error error;
        int status = pomona_pca_open((uint32_t)run->matrix->columns, &options, &part, &error)
                         ? tool_fail(EXIT_FAILED, "%s", error.message)
                         : sum_run(job, run, part);
        merge_in_turn(job, index, part, status);
        pomona_pca_close(part);
    }
    return NULL;
}

static int start_all(struct job *job) {
    uint32_t started = 0, wanted = job->options->threads;
    pthread_t *threads = malloc(wanted * sizeof *threads);
    if (!threads) return tool_fail(EXIT_FAILED, "out of memory");
    while (started < wanted && started < job->count && !pthread_create(&threads[started], NULL, work, job)) started++;
    if (!started) work(job); /* this thread can do it alone */
    for (uint32_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
    free(threads);
    return job->status;
}

int tool_sum_rows(const struct tool_matrix *matrices, size_t count, const struct tool_options *options,
                  pomona_pca *state) {
    struct job job = {.options = options, .state = state, .begin = tool_seconds()};
    pthread_mutex_init(&job.lock, NULL);
    pthread_cond_init(&job.turn, NULL);
    int status = cut(matrices, count, &job);
    if (!status) status = start_all(&job);
    free(job.runs);
    pthread_cond_destroy(&job.turn);
    pthread_mutex_destroy(&job.lock);
    return status;
}
