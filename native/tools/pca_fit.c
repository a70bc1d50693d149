/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "pca_tool.h"
#include "sum_rows.h"

static const char help[] =
    "usage: pomona pca fit (--k K | --variance F) [--standardize] [--state FILE] --out DIR [IN.npy ...]\n"
    "       pomona pca fit --state FILE [IN.npy ...]\n\n"
    "Writes DIR/components.npy [k, columns], mean.npy, std.npy (n - 1), explained_variance.npy (the k shares of the\n"
    "variance), spectrum.npy (the shares of all columns) and model.json, and prints the k that reach 80, 90, 95 and\n"
    "99 % of the variance.\n\n"
    "  --k K           components to keep\n"
    "  --variance F    instead: as many as reach this share of the variance, such as 0.9\n"
    "  --standardize   divide each column by its deviation; one without variance becomes 0\n"
    "  --state FILE    what the rows leave behind. Where FILE exists, the rows of IN.npy are added to those it has\n"
    "                  seen; it is written back after DIR. Next month: the same command with the new files. Without\n"
    "                  --k and --variance the state is all that is written; without IN.npy nothing is added\n"
    "  --bad-rows      reject (default): stop at a row with NaN or infinity; skip: leave it out and count it\n"
    "  --threads N     default 1; the result does not depend on it, but for the last bits of the components\n"
    "  --overwrite     replace DIR\n";

static const char *const accepted[] = {"k",        "variance", "standardize", "state", "out",
                                       "bad-rows", "threads",  "overwrite",   NULL};

/* The state to begin with, which is that of --state or an empty one. */
static int begin_state(const struct tool_options *options, const struct tool_matrix *matrices, size_t count,
                       pomona_pca **state) {
    const pomona_pca_options pca_options = {.size = sizeof pca_options, .bad_rows = options->bad_rows};
    pomona_pca_info info = {.size = sizeof info};
    pomona_pca *before = NULL;
    pomona_error error;
    int status = options->state ? tool_state_read(options->state, count > 0, &before) : 0;
    if (status) return status;
    if (before) pomona_pca_get_info(before, &info, NULL);
    const size_t columns = count ? matrices[0].columns : info.columns;
    if (before && columns != info.columns)
        status = tool_fail(EXIT_FAILED, "%s: a state of %u columns, %s has %zu", options->state, info.columns,
                           matrices[0].path, columns);
    else if (columns > POMONA_PCA_MAX_COLUMNS)
        status =
            tool_fail(EXIT_FAILED, "%s: %zu columns, at most %u", matrices[0].path, columns, POMONA_PCA_MAX_COLUMNS);
    else if (before) *state = before, before = NULL;
    else if (pomona_pca_open((uint32_t)columns, &pca_options, state, &error))
        status = tool_fail(EXIT_FAILED, "%s", error.message);
    pomona_pca_close(before);
    return status;
}

/* The fewest components that reach a share, told to within the rounding of the sum. */
static uint32_t reach(const pomona_pca_model_info *info, double share) {
    double sum = 0;
    uint32_t k = 0;
    while (k < info->variance_count && sum < share - 1e-12) sum += info->explained_variance[k++];
    return k;
}

static void print(const struct tool_options *options, const pomona_pca_info *state, const pomona_pca_model_info *m) {
    printf("rows=%llu columns=%u skipped=%llu", (unsigned long long)state->rows, state->columns,
           (unsigned long long)state->skipped);
    if (m) {
        double variance = 0;
        for (uint32_t i = 0; i < m->k; i++) variance += m->explained_variance[i];
        printf(" k=%u variance=%.6f k80=%u k90=%u k95=%u k99=%u out=%s", m->k, variance, reach(m, 0.8), reach(m, 0.9),
               reach(m, 0.95), reach(m, 0.99), options->out);
    }
    if (options->state) printf(" state=%s", options->state);
    putchar('\n');
}

/* Components into DIR, then the state: a run that fails between the two may be repeated. */
static int finish(const struct tool_options *options, const pomona_pca *state) {
    const pomona_pca_solve_options solve = {.size = sizeof solve,
                                            .k = options->k,
                                            .variance = options->variance,
                                            .standardize = options->standardize,
                                            .threads = options->threads};
    pomona_pca_info info = {.size = sizeof info};
    pomona_pca_model_info model_info = {.size = sizeof model_info};
    pomona_pca_model *model = NULL;
    pomona_error error;
    int status = 0;
    pomona_pca_get_info(state, &info, NULL);
    if (options->out) {
        if (pomona_pca_solve(state, &solve, &model, &error)) return tool_fail(EXIT_FAILED, "%s", error.message);
        pomona_pca_model_get_info(model, &model_info, NULL);
        status = tool_components_prepare(options->out, options->overwrite);
        if (!status) status = tool_components_write(options->out, &model_info, info.skipped);
    }
    if (!status && options->state) status = tool_state_write(options->state, state);
    if (!status) print(options, &info, model ? &model_info : NULL);
    pomona_pca_model_close(model);
    return status;
}

static int check_usage(const struct tool_options *options, size_t count) {
    const int targets = (options->k != 0) + (options->variance != 0);
    if (targets > 1) return tool_fail(EXIT_USAGE, "fit takes --k or --variance, not both");
    if (targets != (options->out != NULL) || (!options->out && !options->state))
        return tool_fail(EXIT_USAGE, "fit needs --k K or --variance F, with --out DIR; or --state FILE alone");
    if (!count && !options->state) return tool_fail(EXIT_USAGE, "fit needs rows: IN.npy ..., or --state FILE");
    return 0;
}

int tool_pca_fit(int argc, char **argv) {
    struct tool_options options;
    struct tool_matrix *matrices;
    pomona_pca *state = NULL;
    int first, status = tool_read_options(argc, argv, accepted, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    const size_t count = (size_t)(argc - first);
    if ((status = check_usage(&options, count))) return status;
    if (options.out && !options.overwrite && (status = tool_refuse_existing(options.out))) return status;
    if ((status = tool_matrices_open(argv + first, count, &matrices))) return status;
    status = begin_state(&options, matrices, count, &state);
    if (!status) status = tool_sum_rows(matrices, count, &options, state);
    if (!status) status = finish(&options, state);
    pomona_pca_close(state);
    tool_matrices_close(matrices, count);
    return status;
}
