/* SPDX-License-Identifier: Apache-2.0 */

/* A window of padding and pixels is cut down to its pixels, so that padding needs no value. The zeros of a zero_pad
 * before it are pixels: they are read from the halo, whose width is node->window.padding. */
#include "layers/pooling.h"

#include <string.h>

#include "core/json.h"
#include "core/memory.h"

struct pooling {
    uint32_t padding[4]; /* the layer's own, around the zeros */
    int count_padding;
};

static pomona_status read_flag(const struct pm_node *node, const cJSON *attributes, const char *key, int *flag,
                               pomona_error *error) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(attributes, key);
    POMONA_RETURN_IF(item && !cJSON_IsBool(item), error, POMONA_BAD_MODEL, "layer %s: `%s` must be true or false",
                     node->name, key);
    *flag = cJSON_IsTrue(item);
    return POMONA_OK;
}

pomona_status pm_pooling_read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct pm_window *window = &node->window;
    struct pooling *pooling = node->state = pm_allocate_zeroed(1, sizeof *pooling);
    POMONA_RETURN_IF(!pooling, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory", node->name);
    POMONA_TRY(pm_json_uints(attributes, "pool", node->name, 0, 1, PM_MAX_SIDE, window->kernel, 2, error));
    POMONA_TRY(pm_window_read(node, attributes, error));
    POMONA_RETURN_IF(window->dilation[0] != 1 || window->dilation[1] != 1, error, POMONA_UNSUPPORTED,
                     "layer %s: %s with dilations %ux%u; 1x1 is supported", node->name, node->layer->name,
                     window->dilation[0], window->dilation[1]);
    if (!cJSON_HasObjectItem(attributes, "strides")) memcpy(window->stride, window->kernel, sizeof window->stride);
    POMONA_TRY(read_flag(node, attributes, "ceil", &window->ceil, error));
    return read_flag(node, attributes, "count_padding", &pooling->count_padding, error);
}

pomona_status pm_pooling_infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    struct pm_window *window = &node->window;
    struct pooling *pooling = node->state;
    POMONA_TRY(pm_window_resolve(node, inputs, error));
    for (int side = 0; side < 4; side++)
        POMONA_RETURN_IF(window->padding[side] >= window->kernel[side / 2], error, POMONA_BAD_MODEL,
                         "layer %s: a window of %ux%u may lie in a padding of %u as a whole", node->name,
                         window->kernel[0], window->kernel[1], window->padding[side]);
    memcpy(pooling->padding, window->padding, sizeof pooling->padding);
    memset(window->padding, 0, sizeof window->padding);
    node->shape.channels = inputs->channels;
    return POMONA_OK;
}

/* One direction of the window, in pixels; the map with its zeros begins at 0 and ends at `end`. */
struct axis {
    ptrdiff_t kernel, stride, before, end, counted_end;
};

static struct axis axis_of(const struct pm_node *node, int direction, uint32_t input) {
    const struct pooling *pooling = node->state;
    const uint32_t *zeros = &node->window.padding[2 * direction], *padding = &pooling->padding[2 * direction];
    ptrdiff_t end = (ptrdiff_t)input + zeros[0] + zeros[1];
    return (struct axis){node->window.kernel[direction], node->window.stride[direction], padding[0], end,
                         end + padding[1]};
}

/* The pixels under window `i`, and how many of its places count for the mean. */
struct span {
    ptrdiff_t first;
    int length, counted;
};

static struct span span_at(const struct axis *axis, int count_padding, ptrdiff_t i) {
    ptrdiff_t begin = i * axis->stride - axis->before, end = begin + axis->kernel;
    ptrdiff_t first = begin > 0 ? begin : 0, last = end < axis->end ? end : axis->end;
    ptrdiff_t counted_end = end < axis->counted_end ? end : axis->counted_end;
    return (struct span){first, (int)(last - first), (int)(count_padding ? counted_end - begin : last - first)};
}

/* Windows from 0 on that do not reach past the end. */
static ptrdiff_t windows_before_end(const struct axis *axis) {
    ptrdiff_t room = axis->end + axis->before - axis->kernel;
    return room < 0 ? 0 : room / axis->stride + 1;
}

/* One row of outputs; `input` is the first pixel of the first row under it. */
static void run_row(const struct pm_node *node, struct pm_pool_row row, const float *input, const struct axis *across,
                    struct span down, pm_pool_kernel *kernel) {
    const struct pooling *pooling = node->state;
    ptrdiff_t inside = windows_before_end(across), width = node->shape.width;
    if (inside > width) inside = width;
    for (ptrdiff_t x = 0; x < width; x += row.pixels) {
        struct span span = span_at(across, pooling->count_padding, x);
        row.pixels = span.length == across->kernel ? inside - x : 1;
        row.input = input + span.first * PM_BLOCK;
        row.width = span.length;
        row.divisor = (float)down.counted * (float)span.counted;
        kernel(&row);
        row.output += row.pixels * PM_BLOCK;
        if (row.residual) row.residual += row.pixels * PM_BLOCK;
    }
}

static const float *residual_row(const struct pm_node *node, const struct pm_run *run, uint32_t image, ptrdiff_t block,
                                 ptrdiff_t y) {
    const int residual = node->epilogue.residual;
    if (residual < 0) return NULL;
    const struct pm_map *map = &run->plan->maps[residual];
    return pm_value(run, residual, image) + block * map->block_stride + y * map->row_stride;
}

void pm_pooling_run(const struct pm_node *node, const struct pm_run *run, pm_pool_kernel *kernel) {
    const struct pooling *pooling = node->state;
    const struct pm_map *in = &run->plan->maps[node->inputs[0]], *out = &run->plan->maps[node->value];
    const uint32_t *zeros = node->window.padding;
    struct axis down = axis_of(node, 0, in->shape.height), across = axis_of(node, 1, in->shape.width);
    ptrdiff_t corner = zeros[PM_TOP] * in->row_stride + (ptrdiff_t)zeros[PM_LEFT] * PM_BLOCK;
    struct pm_pool_row row = {.input_row = in->row_stride,
                              .input_pixel = across.stride * PM_BLOCK,
                              .low = node->epilogue.low,
                              .high = node->epilogue.high};
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t block = 0; block < pm_map_blocks(out); block++)
            for (ptrdiff_t y = 0; y < out->shape.height; y++) {
                struct span rows = span_at(&down, pooling->count_padding, y);
                row.height = rows.length;
                row.output = pm_value(run, node->value, i) + block * out->block_stride + y * out->row_stride;
                row.residual = residual_row(node, run, i, block, y);
                run_row(node, row,
                        pm_value(run, node->inputs[0], i) - corner + block * in->block_stride +
                            rows.first * in->row_stride,
                        &across, rows, kernel);
            }
}
