/* SPDX-License-Identifier: Apache-2.0 */

/* From a state to fitted components. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "pca/eigen.h"
#include "pca/pca_model.h"
#include "pca/pca_options.h"
#include "pca/pca_state.h"

static pomona_status read_options(const struct pomona_pca *pca, const pomona_pca_solve_options *options,
                                  pomona_pca_solve_options *all, pomona_error *error) {
    POMONA_RETURN_IF(!pca || !options, error, POMONA_INVALID_ARGUMENT, "state or options are NULL");
    POMONA_TRY(pm_pca_read_options(options, all, sizeof *all, "pomona_pca_solve_options", error));
    if (!all->threads) all->threads = 1;
    POMONA_RETURN_IF((all->k != 0) == (all->variance != 0), error, POMONA_INVALID_ARGUMENT,
                     "give one of k and variance (k %u, variance %g)", all->k, all->variance);
    POMONA_RETURN_IF(all->k > pca->columns, error, POMONA_INVALID_ARGUMENT, "k %u: must be 1 to the %u columns", all->k,
                     pca->columns);
    POMONA_RETURN_IF(!all->k && !(all->variance > 0 && all->variance <= 1), error, POMONA_INVALID_ARGUMENT,
                     "variance %g: must be above 0, at most 1", all->variance);
    POMONA_RETURN_IF(pca->rows + pca->pending < 2, error, POMONA_INVALID_ARGUMENT,
                     "%llu rows: components need at least two", (unsigned long long)(pca->rows + pca->pending));
    return POMONA_OK;
}

/* deviation[j] = sqrt(co-moment / (n - 1)); factor[j] scales row and column j of the co-moment: to a correlation, or to
 * covariances in a unit that keeps the largest at about 1. */
static void scale_columns(const struct pm_pca_view *view, int standardize, double *deviation, double *factor) {
    const struct pomona_pca *pca = view->pca;
    const size_t width = (size_t)pca->kernels->width;
    _Alignas(64) double tile[PM_TILE_MAX];
    double largest = 0;
    for (size_t p = 0; p < pca->panels; p++) {
        pm_pca_view_tile(view, p, p, tile);
        for (size_t i = 0, j = p * width; i < width && j < pca->columns; i++, j++) {
            const double root = sqrt(tile[i * width + i]);
            deviation[j] = root / sqrt((double)(view->rows - 1)) * view->unit[j];
            factor[j] = standardize ? (pm_pca_scale(deviation[j]) > 0 ? 1 / root : 0) : view->unit[j];
            largest = fmax(largest, deviation[j]);
        }
    }
    if (standardize || largest == 0) return;
    int exponent;
    frexp(largest, &exponent);
    for (size_t j = 0; j < pca->columns; j++) factor[j] = ldexp(factor[j], -exponent);
}

static void fill_matrix(const struct pm_pca_view *view, const double *factor, double *matrix) {
    const struct pomona_pca *pca = view->pca;
    const int width = pca->kernels->width;
    const size_t columns = pca->columns;
    _Alignas(64) double tile[PM_TILE_MAX];
    PM_EACH_TILE(p, q, pca->panels) {
        const size_t row = p * (size_t)width, first = q * (size_t)width;
        const size_t height = (size_t)pm_panel_columns(columns, width, p);
        const size_t length = (size_t)pm_panel_columns(columns, width, q);
        pm_pca_view_tile(view, p, q, tile);
        for (size_t i = 0; i < height; i++)
            for (size_t j = 0; j < length; j++)
                matrix[(row + i) * columns + first + j] =
                    tile[i * (size_t)width + j] * factor[row + i] * factor[first + j];
    }
}

/* Shares of the variance, largest first; rounding leaves zeros a little off, also below. Returns their sum: 1, or 0
 * when nothing varies. */
static double take_shares(const struct pm_eigen *eigen, double *shares) {
    const size_t n = (size_t)eigen->n;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += shares[i] = fmax(eigen->values[n - 1 - i], 0);
    for (size_t i = 0; i < n && sum > 0; i++) shares[i] /= sum;
    return sum > 0;
}

/* The fewest components whose shares reach the target, which the rounding of their sum may not make one more. */
static uint32_t reach(const double *shares, uint32_t count, double target) {
    double sum = 0;
    uint32_t k = 0;
    while (k < count && sum < target - count * DBL_EPSILON) sum += shares[k++];
    return k ? k : 1;
}

/* Largest first, and the entry of largest magnitude positive. */
static void order_components(const double *vectors, uint32_t k, size_t columns, double *components) {
    for (uint32_t i = 0; i < k; i++) {
        const double *from = vectors + (k - 1 - i) * columns;
        double *to = components + i * columns;
        size_t largest = 0;
        for (size_t j = 1; j < columns; j++)
            if (fabs(from[j]) > fabs(from[largest])) largest = j;
        const double sign = from[largest] < 0 ? -1 : 1;
        for (size_t j = 0; j < columns; j++) to[j] = sign * from[j];
    }
}

/* What a solve holds on its way. */
struct solve {
    const struct pm_pca_view *view;
    const pomona_pca_solve_options *options;
    struct pm_eigen eigen;
    double *deviation, *factor, *shares; /* [columns] each */
    double *vectors;                     /* [k][columns] */
};

static pomona_status make_model(struct solve *s, uint32_t k, pomona_pca_model **model, pomona_error *error) {
    const size_t columns = s->view->pca->columns, size = columns * sizeof(double);
    struct pomona_pca_model *made = pm_pca_model_new((uint32_t)columns, k, (uint32_t)columns);
    s->vectors = pm_allocate(k * size);
    pomona_status status = made && s->vectors ? pm_eigen_vectors(&s->eigen, k, s->options->threads, s->vectors, error)
                                              : pm_fail(error, POMONA_OUT_OF_MEMORY,
                                                        "no memory for %u components of %zu columns", k, columns);
    if (status) {
        pomona_pca_model_close(made);
        return status;
    }
    order_components(s->vectors, k, columns, made->components);
    memcpy(made->explained_variance, s->shares, size);
    memcpy(made->mean, s->view->mean, size);
    memcpy(made->deviation, s->deviation, size);
    made->rows = s->view->rows;
    made->standardize = s->options->standardize != 0;
    pm_pca_model_finish(made);
    *model = made;
    return POMONA_OK;
}

static pomona_status solve(struct solve *s, pomona_pca_model **model, pomona_error *error) {
    const uint32_t columns = s->view->pca->columns;
    s->deviation = pm_allocate_zeroed(3 * (size_t)columns, sizeof(double));
    POMONA_RETURN_IF(!s->deviation, error, POMONA_OUT_OF_MEMORY, "no memory to solve for %u columns", columns);
    s->factor = s->deviation + columns;
    s->shares = s->factor + columns;
    POMONA_TRY(pm_eigen_open(columns, &s->eigen, error));
    scale_columns(s->view, s->options->standardize, s->deviation, s->factor);
    fill_matrix(s->view, s->factor, s->eigen.matrix);
    POMONA_TRY(pm_eigen_reduce(&s->eigen, s->options->threads, error));
    const double sum = take_shares(&s->eigen, s->shares);
    POMONA_RETURN_IF(sum == 0 && !s->options->k, error, POMONA_INVALID_ARGUMENT,
                     "all %llu rows are equal: there is no variance to reach, give k",
                     (unsigned long long)s->view->rows);
    return make_model(s, s->options->k ? s->options->k : reach(s->shares, columns, s->options->variance), model, error);
}

pomona_status pomona_pca_solve(const pomona_pca *pca, const pomona_pca_solve_options *options, pomona_pca_model **model,
                               pomona_error *error) {
    pomona_pca_solve_options all;
    struct pm_pca_view view;
    POMONA_RETURN_IF(!model, error, POMONA_INVALID_ARGUMENT, "no place for the model: `model` is NULL");
    POMONA_TRY(read_options(pca, options, &all, error));
    POMONA_TRY(pm_pca_view_open(pca, &view, error));
    struct solve s = {.view = &view, .options = &all};
    pomona_status status = solve(&s, model, error);
    pm_free(s.vectors);
    pm_free(s.deviation);
    pm_eigen_close(&s.eigen);
    pm_pca_view_close(&view);
    return status;
}
