/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/memory.h"

#define PM_LAYER(op) extern const struct pm_layer pm_layer_##op;
#include "layers/layers.def"
#undef PM_LAYER

static const struct pm_layer *const layers[] = {
#define PM_LAYER(op) &pm_layer_##op,
#include "layers/layers.def"
#undef PM_LAYER
};

#define LAYER_COUNT (sizeof layers / sizeof *layers)

const struct pm_layer *pm_layer_find(const char *name) {
    for (size_t i = 0; i < LAYER_COUNT; i++)
        if (!strcmp(layers[i]->name, name)) return layers[i];
    return NULL;
}

void pm_layer_names(char *text, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < LAYER_COUNT && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", layers[i]->name);
}

const struct pm_tensor *pm_weight(const struct pm_node *node, const char *role) {
    for (int i = 0; i < PM_MAX_ROLES && node->layer->roles[i]; i++)
        if (!strcmp(node->layer->roles[i] + (node->layer->roles[i][0] == '?'), role)) return node->weights[i];
    return NULL;
}

pomona_status pm_check_vector(const struct pm_node *node, const char *role, uint64_t count, pomona_error *error) {
    const struct pm_tensor *tensor = pm_weight(node, role);
    POMONA_RETURN_IF(tensor && (tensor->rank != 1 || tensor->dims[0] != count), error, POMONA_BAD_MODEL,
                     "layer %s: `%s` (tensor %s) must have the shape [%llu]", node->name, role, tensor->name,
                     (unsigned long long)count);
    return POMONA_OK;
}

pomona_status pm_window_read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct pm_window *window = &node->window;
    const cJSON *padding = cJSON_GetObjectItemCaseSensitive(attributes, "padding");
    for (int i = 0; i < 2; i++) window->stride[i] = window->dilation[i] = 1;
    POMONA_TRY(pm_json_uints(attributes, "strides", node->name, 1, 1, PM_MAX_SIDE, window->stride, 2, error));
    POMONA_TRY(pm_json_uints(attributes, "dilations", node->name, 1, 1, PM_MAX_SIDE, window->dilation, 2, error));
    if (!padding || !cJSON_IsString(padding))
        return pm_json_uints(attributes, "padding", node->name, 1, 0, PM_MAX_SIDE, window->padding, 4, error);
    if (!strcmp(padding->valuestring, "same")) window->padding_rule = PM_PADDING_SAME;
    else
        POMONA_RETURN_IF(strcmp(padding->valuestring, "valid") != 0, error, POMONA_BAD_MODEL,
                         "layer %s: `padding` must be \"valid\", \"same\" or four numbers", node->name);
    return POMONA_OK;
}

/* Outputs along one axis; pads[0] before, pads[1] after. 0 when the window does not fit. */
static uint64_t resolve_axis(const struct pm_window *window, int axis, uint32_t input, uint32_t *pads) {
    uint64_t stride = window->stride[axis];
    uint64_t reach = (uint64_t)(window->kernel[axis] - 1) * window->dilation[axis] + 1;
    if (window->padding_rule == PM_PADDING_SAME) {
        uint64_t needed = ((input + stride - 1) / stride - 1) * stride + reach;
        uint64_t total = needed > input ? needed - input : 0;
        if (total > PM_MAX_SIDE) return 0;
        pads[0] = (uint32_t)(total / 2);
        pads[1] = (uint32_t)(total - total / 2);
    }
    uint64_t padded = (uint64_t)input + pads[0] + pads[1] + (window->ceil ? stride - 1 : 0);
    if (padded < reach) return 0;
    uint64_t outputs = (padded - reach) / stride + 1;
    int ends = window->ceil && (outputs - 1) * stride >= (uint64_t)input + pads[0];
    return ends ? outputs - 1 : outputs;
}

pomona_status pm_window_resolve(struct pm_node *node, const struct pm_shape *input, pomona_error *error) {
    struct pm_window *window = &node->window;
    uint64_t height = resolve_axis(window, 0, input->height, &window->padding[PM_TOP]);
    uint64_t width = resolve_axis(window, 1, input->width, &window->padding[PM_LEFT]);
    POMONA_RETURN_IF(height == 0 || width == 0 || height > PM_MAX_SIDE || width > PM_MAX_SIDE, error, POMONA_BAD_MODEL,
                     "layer %s: a window of %ux%u does not fit its input of %ux%u", node->name, window->kernel[0],
                     window->kernel[1], input->height, input->width);
    node->shape.height = (uint32_t)height;
    node->shape.width = (uint32_t)width;
    return POMONA_OK;
}

int pm_window_is_pixel(const struct pm_window *window) {
    for (int side = 0; side < 4; side++)
        if (window->padding[side]) return 0;
    return window->kernel[0] == 1 && window->kernel[1] == 1;
}

pomona_status pm_kernel_infer(struct pm_node *node, const struct pm_shape *input, uint64_t in, uint32_t out,
                              pomona_error *error) {
    POMONA_RETURN_IF(in != input->channels, error, POMONA_BAD_MODEL,
                     "layer %s: its kernel takes %llu channels, its input has %u", node->name, (unsigned long long)in,
                     input->channels);
    POMONA_TRY(pm_check_vector(node, "bias", out, error));
    POMONA_TRY(pm_window_resolve(node, input, error));
    node->shape.channels = out;
    uint64_t weights = pm_weight(node, "kernel")->count;
    POMONA_RETURN_IF(!pm_multiply(weights, (uint64_t)node->shape.height * node->shape.width, &node->macs), error,
                     POMONA_LIMIT, "layer %s: more multiplications than 64 bits count", node->name);
    return POMONA_OK;
}

pomona_status pm_pair_infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    const struct pm_shape *a = &inputs[0], *b = &inputs[1];
    int same = a->height == b->height && a->width == b->width;
    int fits = a->channels == b->channels && (same || (b->height == 1 && b->width == 1));
    POMONA_RETURN_IF(!fits, error, POMONA_BAD_MODEL,
                     "layer %s: %s of %ux%ux%u and %ux%ux%u; the second must be as the first or 1x1x%u", node->name,
                     node->layer->name, a->height, a->width, a->channels, b->height, b->width, b->channels,
                     a->channels);
    node->shape = *a;
    node->spread = !same;
    return POMONA_OK;
}

int pm_epilogue_is_linear(const struct pm_epilogue *epilogue) {
    return epilogue->low == -INFINITY && epilogue->high == INFINITY && !epilogue->activation.function;
}

pomona_status pm_view_prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    (void)error;
    node->kernel = pm_is_view(node, plan) ? "in place" : "copy";
    return POMONA_OK;
}

void pm_epilogue_activate(const struct pm_node *node, const struct pm_run *run, float *values, ptrdiff_t count) {
    const struct pm_activation *activation = &node->epilogue.activation;
    pm_activation_kernel *kernel = run->plan->kernels->activations[activation->function];
    if (kernel) kernel(values, count, activation->alpha, activation->beta);
}

void pm_epilogue_clamp_row(const struct pm_node *node, const struct pm_run *run, float *out, const float *in) {
    static const float ones[PM_BLOCK] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, zeros[PM_BLOCK];
    const struct pm_epilogue *epilogue = &node->epilogue;
    run->plan->kernels->affine(out, in, ones, zeros, node->shape.width, epilogue->low, epilogue->high);
}

int pm_epilogue_affine(struct pm_node *node, struct pm_node *from) {
    struct pm_epilogue *epilogue = &node->epilogue, *more = &from->epilogue;
    if (!more->scale) return 1;
    if (epilogue->residual >= 0 || !pm_epilogue_is_linear(epilogue)) return 0;
    if (!epilogue->scale) {
        epilogue->scale = more->scale;
        epilogue->shift = more->shift;
        more->scale = more->shift = NULL;
        return 1;
    }
    for (uint32_t c = 0; c < node->shape.channels; c++) {
        epilogue->scale[c] *= more->scale[c];
        epilogue->shift[c] = epilogue->shift[c] * more->scale[c] + more->shift[c];
    }
    return 1;
}

void pm_epilogue_clamp(struct pm_node *node, float low, float high) {
    struct pm_epilogue *epilogue = &node->epilogue;
    epilogue->low = fminf(fmaxf(epilogue->low, low), high);
    epilogue->high = fmaxf(fminf(epilogue->high, high), low);
}

void pm_epilogue_pack(const struct pm_node *node, uint32_t first, uint32_t count, float *to_scale, float *to_shift) {
    const struct pm_epilogue *epilogue = &node->epilogue;
    const struct pm_tensor *bias = pm_weight(node, "bias");
    uint32_t channels = node->shape.channels, there = channels - first < count ? channels - first : count;
    memset(to_scale, 0, count * sizeof *to_scale);
    memset(to_shift, 0, count * sizeof *to_shift);
    for (uint32_t i = 0, c = first; i < there; i++, c++) {
        double scale = epilogue->scale ? epilogue->scale[c] : 1, shift = epilogue->scale ? epilogue->shift[c] : 0;
        to_scale[i] = (float)scale;
        to_shift[i] = (float)((bias ? bias->data[c] : 0) * scale + shift);
    }
}

static const float *input_row(const struct pm_node *node, const struct pm_run *run, uint32_t input, uint32_t image,
                              ptrdiff_t block, ptrdiff_t y) {
    if (input >= node->input_count) return NULL;
    const struct pm_map *map = &run->plan->maps[node->inputs[input]];
    if (input == 1 && node->spread) y = 0;
    return pm_value(run, node->inputs[input], image) + block * map->block_stride + y * map->row_stride;
}

void pm_each_row(const struct pm_node *node, const struct pm_run *run, pm_row *row) {
    const struct pm_map *out = &run->plan->maps[node->value];
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t block = 0; block < pm_map_blocks(out); block++)
            for (ptrdiff_t y = 0; y < out->shape.height; y++) {
                float *values = pm_value(run, node->value, i) + block * out->block_stride + y * out->row_stride;
                row(node, run, block, values, input_row(node, run, 0, i, block, y),
                    input_row(node, run, 1, i, block, y));
                pm_epilogue_activate(node, run, values, (ptrdiff_t)out->shape.width * PM_BLOCK);
            }
}
