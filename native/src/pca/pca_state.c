/* SPDX-License-Identifier: Apache-2.0 */
#include "pca/pca_state.h"

#include "core/memory.h"
#include "kernels/kernels.h"
#include "pca/pca_options.h"

static pomona_status read_options(const pomona_pca_options *options, pomona_bad_rows *bad_rows, pomona_error *error) {
    pomona_pca_options all;
    POMONA_TRY(pm_pca_read_options(options, &all, sizeof all, "pomona_pca_options", error));
    POMONA_RETURN_IF((unsigned)all.bad_rows > POMONA_BAD_ROWS_SKIP, error, POMONA_INVALID_ARGUMENT,
                     "bad_rows %d: must be POMONA_BAD_ROWS_REJECT or POMONA_BAD_ROWS_SKIP", (int)all.bad_rows);
    *bad_rows = all.bad_rows;
    return POMONA_OK;
}

static int allocate(struct pomona_pca *pca) {
    const size_t width = (size_t)pca->kernels->width, tiles = pca->panels * (pca->panels + 1) / 2;
    pca->mean = pm_allocate_zeroed(pca->padded, sizeof(double));
    pca->low = pm_allocate_zeroed(pca->padded, sizeof(double));
    pca->unit = pm_allocate_zeroed(pca->padded, sizeof(double));
    pca->ratio = pm_allocate_zeroed(pca->padded, sizeof(double));
    pca->moment = pm_allocate_zeroed(tiles * width * width, sizeof(double));
    pca->block = pm_allocate_zeroed(pca->padded * PM_PANEL_ROWS, sizeof(double));
    return pca->mean && pca->low && pca->unit && pca->ratio && pca->moment && pca->block;
}

pomona_status pomona_pca_open(uint32_t columns, const pomona_pca_options *options, pomona_pca **result,
                              pomona_error *error) {
    pomona_bad_rows bad_rows = POMONA_BAD_ROWS_DEFAULT;
    POMONA_RETURN_IF(!result, error, POMONA_INVALID_ARGUMENT, "no place for the state: `pca` is NULL");
    POMONA_RETURN_IF(columns < 1 || columns > POMONA_PCA_MAX_COLUMNS, error, POMONA_INVALID_ARGUMENT,
                     "%u columns: must be 1 to %u", columns, POMONA_PCA_MAX_COLUMNS);
    POMONA_TRY(read_options(options, &bad_rows, error));
    pomona_pca *pca = pm_allocate_zeroed(1, sizeof *pca);
    if (pca) {
        pca->columns = columns;
        pca->bad_rows = bad_rows;
        pca->kernels = pm_kernels_at_most(pm_cpu_allowed())->moments;
        const size_t width = (size_t)pca->kernels->width;
        pca->panels = (columns + width - 1) / width;
        pca->padded = pca->panels * width;
    }
    if (!pca || !allocate(pca)) {
        pomona_pca_close(pca);
        return pm_fail(error, POMONA_OUT_OF_MEMORY, "no memory for the state of %u columns, about %.0f MiB", columns,
                       (4.0 * columns + 8.0 * PM_BLOCK_ROWS) * columns / 0x100000);
    }
    *result = pca;
    return POMONA_OK;
}

void pomona_pca_close(pomona_pca *pca) {
    if (!pca) return;
    pm_free(pca->block);
    pm_free(pca->moment);
    pm_free(pca->ratio);
    pm_free(pca->unit);
    pm_free(pca->low);
    pm_free(pca->mean);
    pm_free(pca);
}

pomona_status pomona_pca_get_info(const pomona_pca *pca, pomona_pca_info *info, pomona_error *error) {
    POMONA_RETURN_IF(!pca, error, POMONA_INVALID_ARGUMENT, "the state is NULL");
    pomona_pca_info all = {.columns = pca->columns,
                           .rows = pca->rows + pca->pending,
                           .skipped = pca->skipped,
                           .state_bytes = pm_pca_state_bytes(pca->columns)};
    return pm_pca_write_info(info, &all, sizeof all, "pomona_pca_info", error);
}
