/* SPDX-License-Identifier: Apache-2.0 */

/* Mean or maximum of each channel. */
#include "layers/global_pool.h"

#include <math.h>
#include <string.h>

#include "core/json.h"

/* The sums of rows are added in fp64: maps of squeeze-and-excite have 10^5 pixels, and fp32 would lose a bit with every
 * four times as many. */
static void mean(const struct pm_kernels *kernels, const struct pm_map *map, const float *block, float *result) {
    double total[PM_BLOCK] = {0};
    for (uint32_t y = 0; y < map->shape.height; y++) {
        float row[PM_BLOCK] = {0};
        kernels->sum(row, block + y * map->row_stride, map->shape.width);
        for (int c = 0; c < PM_BLOCK; c++) total[c] += row[c];
    }
    double pixels = (double)map->shape.height * map->shape.width;
    for (int c = 0; c < PM_BLOCK; c++) result[c] = (float)(total[c] / pixels);
}

void pm_global_pool(const struct pm_kernels *kernels, const struct pm_map *map, const float *block, int average,
                    float *result) {
    if (average) {
        mean(kernels, map, block, result);
        return;
    }
    for (int c = 0; c < PM_BLOCK; c++) result[c] = -INFINITY;
    for (uint32_t y = 0; y < map->shape.height; y++)
        kernels->maximum(result, block + y * map->row_stride, map->shape.width);
}

static const char *const kernel_names[] = {"maximum", "sum"}; /* [average] */

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    const char *kind;
    POMONA_TRY(pm_json_string(attributes, "kind", node->name, &kind, error));
    int average = !strcmp(kind, "avg");
    POMONA_RETURN_IF(!average && strcmp(kind, "max") != 0, error, POMONA_UNSUPPORTED,
                     "layer %s: global_pool `%.32s`; supported: avg, max", node->name, kind);
    node->kernel = kernel_names[average];
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    (void)error;
    node->shape = (struct pm_shape){1, 1, inputs->channels};
    return POMONA_OK;
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    const struct pm_map *in = &run->plan->maps[node->inputs[0]], *out = &run->plan->maps[node->value];
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t block = 0; block < pm_map_blocks(out); block++)
            pm_global_pool(run->plan->kernels, in, pm_value(run, node->inputs[0], i) + block * in->block_stride,
                           node->kernel == kernel_names[1], pm_value(run, node->value, i) + block * out->block_stride);
}

const struct pm_layer pm_layer_global_pool = {
    .name = "global_pool",
    .min_inputs = 1,
    .max_inputs = 1,
    .read = read,
    .infer = infer,
    .run = run,
};
