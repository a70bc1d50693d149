/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pca_tool.h"

#define FORMAT "pomona-pca"
#define MODEL "model.json"

int tool_refuse_existing(const char *folder) {
    return access(folder, F_OK) ? 0 : tool_fail(EXIT_FAILED, "%s exists: give another --out, or --overwrite", folder);
}

/* Without model.json a folder is no model: it goes first and comes last. */
int tool_components_prepare(const char *folder, int overwrite) {
    if (!mkdir(folder, 0777)) return 0;
    if (errno != EEXIST) return tool_fail(EXIT_FAILED, "cannot make %s: %s", folder, strerror(errno));
    if (!overwrite) return tool_refuse_existing(folder);
    char *path = tool_join(folder, MODEL);
    int status = path ? 0 : EXIT_FAILED;
    if (path && unlink(path) && errno != ENOENT)
        status = tool_fail(EXIT_FAILED, "cannot replace %s: %s", path, strerror(errno));
    free(path);
    return status;
}

static int write_array(const char *folder, const char *name, const double *values, size_t rows, size_t columns) {
    char *path = tool_join(folder, name);
    int status = path ? tool_write_doubles(path, values, rows, columns) : EXIT_FAILED;
    free(path);
    return status;
}

static int write_model(const char *folder, const pomona_pca_model_info *model, uint64_t skipped) {
    struct tool_output output;
    char *path = tool_join(folder, MODEL);
    int status = path ? tool_output_begin(path, &output) : EXIT_FAILED;
    if (!status) {
        int written = fprintf(output.file,
                              "{\"format\": \"" FORMAT "\", \"version\": 1, \"library\": \"%s\", \"columns\": %u, "
                              "\"k\": %u, \"rows\": %llu, \"skipped\": %llu, \"standardize\": %s}\n",
                              pomona_version(), model->columns, model->k, (unsigned long long)model->rows,
                              (unsigned long long)skipped, model->standardize ? "true" : "false");
        status = tool_output_end(&output, written < 0 ? tool_fail(EXIT_FAILED, "cannot write %s", path) : 0);
    }
    free(path);
    return status;
}

int tool_components_write(const char *folder, const pomona_pca_model_info *model, uint64_t skipped) {
    int status = write_array(folder, "components.npy", model->components, model->k, model->columns);
    if (!status) status = write_array(folder, "mean.npy", model->mean, model->columns, 0);
    if (!status) status = write_array(folder, "std.npy", model->deviation, model->columns, 0);
    if (!status) status = write_array(folder, "explained_variance.npy", model->explained_variance, model->k, 0);
    if (!status) status = write_array(folder, "spectrum.npy", model->explained_variance, model->columns, 0);
    return status ? status : write_model(folder, model, skipped);
}

/* Whether the model standardises. */
static int read_model(const char *folder, int *standardize) {
    uint8_t *text;
    size_t length;
    char *path = tool_join(folder, MODEL);
    int status = path ? tool_read_file(path, &text, &length) : EXIT_FAILED;
    if (!status) {
        cJSON *json = cJSON_ParseWithLength((const char *)text, length);
        const char *format = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "format"));
        const cJSON *flag = cJSON_GetObjectItemCaseSensitive(json, "standardize");
        if (!format || strcmp(format, FORMAT) != 0 || !cJSON_IsBool(flag))
            status = tool_fail(EXIT_FAILED, "%s: not what `pomona pca fit` wrote", path);
        *standardize = cJSON_IsTrue(flag);
        cJSON_Delete(json);
        free(text);
    }
    free(path);
    return status;
}

/* One array of the folder; `rows` and `columns` are what it must have, 0: any. */
static int read_array(const char *folder, const char *name, size_t rows, size_t columns, struct tool_matrix *array) {
    char *path = tool_join(folder, name);
    int status = path ? tool_matrix_open(path, array) : EXIT_FAILED;
    if (!status && (!array->is_double || (rows && array->rows != rows) || (columns && array->columns != columns)))
        status = tool_fail(EXIT_FAILED, "%s: not of this model, or damaged", path);
    free(path);
    return status;
}

int tool_components_read(const char *folder, pomona_pca_model **model) {
    struct tool_matrix arrays[4] = {0}; /* components, shares, mean, deviation */
    int standardize, status = read_model(folder, &standardize);
    pomona_error error;
    if (!status) status = read_array(folder, "components.npy", 0, 0, &arrays[0]);
    if (!status) status = read_array(folder, "explained_variance.npy", arrays[0].rows, 1, &arrays[1]);
    if (!status) status = read_array(folder, "mean.npy", arrays[0].columns, 1, &arrays[2]);
    if (!status) status = read_array(folder, "std.npy", arrays[0].columns, 1, &arrays[3]);
    if (!status && arrays[0].columns > POMONA_PCA_MAX_COLUMNS)
        status = tool_fail(EXIT_FAILED, "%s: more than %u columns", folder, POMONA_PCA_MAX_COLUMNS);
    if (!status) {
        pomona_pca_model_info info = {.size = sizeof info,
                                      .columns = (uint32_t)arrays[0].columns,
                                      .k = (uint32_t)arrays[0].rows,
                                      .standardize = standardize,
                                      .components = arrays[0].data,
                                      .explained_variance = arrays[1].data,
                                      .mean = arrays[2].data,
                                      .deviation = arrays[3].data,
                                      .variance_count = (uint32_t)arrays[0].rows};
        if (pomona_pca_model_open(&info, model, &error))
            status = tool_fail(EXIT_FAILED, "%s: %s", folder, error.message);
    }
    for (int i = 0; i < 4; i++) tool_matrix_close(&arrays[i]);
    return status;
}
