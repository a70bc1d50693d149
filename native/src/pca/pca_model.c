/* SPDX-License-Identifier: Apache-2.0 */
#include "pca/pca_model.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "kernels/kernels.h"
#include "pca/pca_options.h"

double pm_pca_scale(double deviation) { return deviation >= DBL_MIN ? 1 / deviation : 0; }

static size_t panel_count(const struct pomona_pca_model *model) {
    return (model->k + (size_t)model->kernels->width - 1) / (size_t)model->kernels->width;
}

struct pomona_pca_model *pm_pca_model_new(uint32_t columns, uint32_t k, uint32_t variance_count) {
    struct pomona_pca_model *model = pm_allocate_zeroed(1, sizeof *model);
    if (!model) return NULL;
    *model = (struct pomona_pca_model){.columns = columns,
                                       .k = k,
                                       .variance_count = variance_count,
                                       .kernels = pm_kernels_at_most(pm_cpu_allowed())->moments};
    model->components = pm_allocate_zeroed((size_t)k * columns, sizeof(double));
    model->explained_variance = pm_allocate_zeroed(variance_count, sizeof(double));
    model->mean = pm_allocate_zeroed(columns, sizeof(double));
    model->deviation = pm_allocate_zeroed(columns, sizeof(double));
    model->scale = pm_allocate_zeroed(columns, sizeof(double));
    model->panels = pm_allocate_zeroed(panel_count(model) * (size_t)model->kernels->width * columns, sizeof(double));
    if (model->components && model->explained_variance && model->mean && model->deviation && model->scale &&
        model->panels)
        return model;
    pomona_pca_model_close(model);
    return NULL;
}

void pm_pca_model_finish(struct pomona_pca_model *model) {
    const size_t width = (size_t)model->kernels->width, columns = model->columns;
    for (size_t j = 0; j < columns; j++) model->scale[j] = model->standardize ? pm_pca_scale(model->deviation[j]) : 1;
    for (size_t i = 0; i < model->k; i++) {
        double *panel = model->panels + i / width * columns * width + i % width;
        for (size_t j = 0; j < columns; j++) panel[j * width] = model->components[i * columns + j];
    }
}

void pomona_pca_model_close(pomona_pca_model *model) {
    if (!model) return;
    pm_free(model->panels);
    pm_free(model->scale);
    pm_free(model->deviation);
    pm_free(model->mean);
    pm_free(model->explained_variance);
    pm_free(model->components);
    pm_free(model);
}

pomona_status pomona_pca_model_get_info(const pomona_pca_model *model, pomona_pca_model_info *info,
                                        pomona_error *error) {
    POMONA_RETURN_IF(!model, error, POMONA_INVALID_ARGUMENT, "the model is NULL");
    pomona_pca_model_info all = {.columns = model->columns,
                                 .k = model->k,
                                 .rows = model->rows,
                                 .standardize = model->standardize,
                                 .components = model->components,
                                 .explained_variance = model->explained_variance,
                                 .mean = model->mean,
                                 .deviation = model->deviation,
                                 .variance_count = model->variance_count};
    return pm_pca_write_info(info, &all, sizeof all, "pomona_pca_model_info", error);
}

static int all_finite(const double *values, size_t count) {
    for (size_t i = 0; values && i < count; i++)
        if (!isfinite(values[i])) return 0;
    return 1;
}

static pomona_status check_arrays(const pomona_pca_model_info *a, pomona_error *error) {
    POMONA_RETURN_IF(a->columns < 1 || a->columns > POMONA_PCA_MAX_COLUMNS || a->k < 1 || a->k > a->columns, error,
                     POMONA_INVALID_ARGUMENT, "%u components of %u columns: columns must be 1 to %u, k 1 to columns",
                     a->k, a->columns, POMONA_PCA_MAX_COLUMNS);
    POMONA_RETURN_IF(
        !a->components || !a->explained_variance || (a->variance_count != a->k && a->variance_count != a->columns),
        error, POMONA_INVALID_ARGUMENT, "needs components, and explained_variance of k or of `columns` numbers, not %u",
        a->variance_count);
    POMONA_RETURN_IF(a->standardize && (!a->mean || !a->deviation), error, POMONA_INVALID_ARGUMENT,
                     "a standardising model needs mean and deviation");
    POMONA_RETURN_IF(!all_finite(a->components, (size_t)a->k * a->columns) ||
                         !all_finite(a->explained_variance, a->variance_count) || !all_finite(a->mean, a->columns) ||
                         !all_finite(a->deviation, a->columns),
                     error, POMONA_INVALID_ARGUMENT, "the arrays of the model must be finite");
    return POMONA_OK;
}

pomona_status pomona_pca_model_open(const pomona_pca_model_info *arrays, pomona_pca_model **model,
                                    pomona_error *error) {
    pomona_pca_model_info a;
    POMONA_RETURN_IF(!arrays || !model, error, POMONA_INVALID_ARGUMENT, "arrays or `model` are NULL");
    POMONA_TRY(pm_pca_read_options(arrays, &a, sizeof a, "pomona_pca_model_info", error));
    POMONA_TRY(check_arrays(&a, error));
    struct pomona_pca_model *made = pm_pca_model_new(a.columns, a.k, a.variance_count);
    POMONA_RETURN_IF(!made, error, POMONA_OUT_OF_MEMORY, "no memory for %u components of %u columns", a.k, a.columns);
    memcpy(made->components, a.components, (size_t)a.k * a.columns * sizeof(double));
    memcpy(made->explained_variance, a.explained_variance, a.variance_count * sizeof(double));
    for (uint32_t j = 0; j < a.columns; j++) {
        made->mean[j] = a.mean ? a.mean[j] : 0;
        made->deviation[j] = a.deviation ? a.deviation[j] : 1;
    }
    made->rows = a.rows;
    made->standardize = a.standardize != 0;
    pm_pca_model_finish(made);
    *model = made;
    return POMONA_OK;
}
