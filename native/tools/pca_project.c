/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pca_tool.h"

static const char help[] =
    "usage: pomona pca transform --model DIR [--center] --out OUT.npy IN.npy ...\n\n"
    "Projects the rows onto the components in DIR: float64 [rows, k], in the order given. A row with NaN or infinity\n"
    "gives a row of NaN, is counted on stderr, and the exit status is 1.\n\n"
    "  --center        subtract the mean first, as scikit-learn does; Spark's PCAModel does not. A model that was\n"
    "                  fitted with --standardize always centres and scales\n";

static const char *const accepted[] = {"model", "center", "out", NULL};

/* Rows of one call. */
#define CALL 1024

struct projection {
    const pomona_pca_model *model;
    const struct tool_options *options;
    uint32_t columns, k;
    double *rows; /* [CALL][k] */
    size_t all, done, bad;
};

static int write_rows(struct projection *p, const struct tool_matrix *m, size_t first, size_t count, FILE *out) {
    const pomona_pca_transform_options options = {.size = sizeof options, .center = p->options->center};
    const void *rows = tool_matrix_row(m, first);
    pomona_error error;
    if (m->is_double ? pomona_pca_transform_double(p->model, &options, rows, count, m->columns, p->rows, &error)
                     : pomona_pca_transform_float(p->model, &options, rows, count, m->columns, p->rows, &error))
        return tool_fail(EXIT_FAILED, "%s: %s", m->path, error.message);
    for (size_t i = 0; i < count; i++) p->bad += isnan(p->rows[i * p->k]) != 0;
    p->done += count;
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%zu of %zu rows%s", p->done, p->all, p->done == p->all ? "\n" : "");
    if (fwrite(p->rows, sizeof(double) * p->k, count, out) == count) return 0;
    return tool_fail(EXIT_FAILED, "cannot write %s: %s", p->options->out, strerror(errno));
}

static int write_all(struct projection *p, const struct tool_matrix *matrices, size_t count, FILE *out) {
    const size_t shape[] = {p->all, p->k};
    int status = tool_npy_start(out, "<f8", shape, 2);
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; !status && row < matrices[i].rows; row += CALL) {
            const size_t left = matrices[i].rows - row;
            status = write_rows(p, &matrices[i], row, left < CALL ? left : CALL, out);
        }
    return status;
}

static int project(struct projection *p, const struct tool_matrix *matrices, size_t count) {
    struct tool_output output;
    if (matrices[0].columns != p->columns)
        return tool_fail(EXIT_FAILED, "%s: rows of %zu numbers, the model has %u columns", matrices[0].path,
                         matrices[0].columns, p->columns);
    for (size_t i = 0; i < count; i++) p->all += matrices[i].rows;
    p->rows = malloc(sizeof(double) * CALL * p->k);
    int status = p->rows ? tool_output_begin(p->options->out, &output) : tool_fail(EXIT_FAILED, "out of memory");
    if (!status) status = tool_output_end(&output, write_all(p, matrices, count, output.file));
    free(p->rows);
    if (!status && p->bad) status = tool_fail(EXIT_SOME_FAILED, "%zu rows hold NaN or infinity", p->bad);
    return status;
}

int tool_pca_transform(int argc, char **argv) {
    struct tool_options options;
    struct tool_matrix *matrices;
    pomona_pca_model *model;
    int first, status = tool_read_options(argc, argv, accepted, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    const size_t count = (size_t)(argc - first);
    if (!options.model || !options.out || !count)
        return tool_fail(EXIT_USAGE, "transform needs --model DIR, --out OUT.npy and at least one IN.npy");
    if ((status = tool_matrices_open(argv + first, count, &matrices))) return status;
    if (!(status = tool_components_read(options.model, &model))) {
        pomona_pca_model_info info = {.size = sizeof info};
        pomona_pca_model_get_info(model, &info, NULL);
        struct projection p = {.model = model, .options = &options, .columns = info.columns, .k = info.k};
        status = project(&p, matrices, count);
        pomona_pca_model_close(model);
    }
    tool_matrices_close(matrices, count);
    return status;
}
