/* SPDX-License-Identifier: Apache-2.0 */

/* Fitted components. */
#ifndef POMONA_PCA_MODEL_H
#define POMONA_PCA_MODEL_H

#include "core/status.h"
#include "kernels/moments.h"

struct pomona_pca_model {
    uint32_t columns, k, variance_count;
    uint64_t rows;
    int standardize;
    const struct pm_moment_kernels *kernels;
    double *components, *explained_variance, *mean, *deviation; /* as in pomona_pca_model_info */
    double *scale;  /* [columns] 1 / deviation, 0 for a column without variance; all 1 unless standardising */
    double *panels; /* [panels of k][columns][width]: the components for the kernels */
};

/* A model with memory for its arrays, all 0, or NULL. */
struct pomona_pca_model *pm_pca_model_new(uint32_t columns, uint32_t k, uint32_t variance_count);

/* What a transform reads, from the arrays. */
void pm_pca_model_finish(struct pomona_pca_model *model);

/* 1 / deviation; 0 where that is no number: such a column counts as one without variance. */
double pm_pca_scale(double deviation);

#endif
