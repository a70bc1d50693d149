/* SPDX-License-Identifier: Apache-2.0 */
#include "naive_net.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "naive_activations.h"
#include "naive_layers.h"

#define MAX_VALUES 64

struct value {
    const char *name;
    struct naive_map map;
};

static int side_of(const struct model_maker *model, const cJSON *node, int axis) {
    const cJSON *name = cJSON_GetObjectItem(cJSON_GetObjectItem(node, "weights"), "kernel");
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(model->header, name->valuestring);
    return cJSON_GetArrayItem(cJSON_GetObjectItem(entry, "shape"), axis)->valueint;
}

/* Along one axis (0 vertical, 1 horizontal). */
struct axis {
    int kernel, stride, dilation, before, outputs;
};

static struct axis read_axis(const struct model_maker *model, const cJSON *node, int axis, int input) {
    const cJSON *attributes = cJSON_GetObjectItem(node, "attributes");
    const cJSON *padding = cJSON_GetObjectItem(attributes, "padding");
    struct axis a = {.kernel = side_of(model, node, axis),
                     .stride = number(attributes, "strides", axis, 1),
                     .dilation = number(attributes, "dilations", axis, 1)};
    int reach = (a.kernel - 1) * a.dilation + 1, after = 0;
    if (cJSON_IsString(padding) && !strcmp(padding->valuestring, "same")) {
        int total = ((input + a.stride - 1) / a.stride - 1) * a.stride + reach - input;
        if (total < 0) total = 0;
        a.before = total / 2;
        after = total - a.before;
    } else if (cJSON_IsArray(padding)) {
        a.before = number(attributes, "padding", 2 * axis, 0);
        after = number(attributes, "padding", 2 * axis + 1, 0);
    }
    a.outputs = (a.before + input + after - reach) / a.stride + 1;
    return a;
}

/* Adds to sums[outputs] what the window of output pixel (y, x) takes at its place (ky, kx): group g has `count` of the
 * inputs and `each` of the outputs. Kernel: [count][outputs]. */
static void add_place(const struct naive_map *in, const float *kernel, int y, int x, int count, int each, int outputs,
                      double *sums) {
    for (int group = 0; group < outputs / each; group++)
        for (int c = 0; c < count; c++) {
            double value = at(in, y, x, group * count + c);
            for (int out = group * each; out < (group + 1) * each; out++)
                sums[out] += value * kernel[c * outputs + out];
        }
}

/* A depthwise convolution has as many groups as its input has channels, of one channel each. */
static struct naive_map convolve(const struct model_maker *model, const cJSON *node, const struct naive_map *in) {
    int depthwise = !strcmp(cJSON_GetObjectItem(node, "op")->valuestring, "depthwise_conv2d");
    const cJSON *groups = cJSON_GetObjectItem(cJSON_GetObjectItem(node, "attributes"), "groups");
    struct axis v = read_axis(model, node, 0, in->height), h = read_axis(model, node, 1, in->width);
    const float *kernel = weight(model, node, "kernel"), *bias = weight(model, node, "bias");
    int count = depthwise ? 1 : side_of(model, node, 2);
    int outputs = side_of(model, node, 3) * (depthwise ? in->channels : 1);
    int each = outputs / (depthwise ? in->channels : groups ? groups->valueint : 1);
    struct naive_map map = new_map(v.outputs, h.outputs, outputs);
    for (int y = 0; y < v.outputs; y++)
        for (int x = 0; x < h.outputs; x++) {
            double *sums = slot(&map, y, x, 0);
            for (int ky = 0; ky < v.kernel; ky++)
                for (int kx = 0; kx < h.kernel; kx++)
                    add_place(in, kernel + (ky * h.kernel + kx) * count * outputs,
                              y * v.stride - v.before + ky * v.dilation, x * h.stride - h.before + kx * h.dilation,
                              count, each, outputs, sums);
            for (int c = 0; bias && c < outputs; c++) sums[c] += bias[c];
        }
    return map;
}

static struct naive_map normalise(const struct model_maker *model, const cJSON *node, const struct naive_map *in) {
    const float *gamma = weight(model, node, "gamma"), *beta = weight(model, node, "beta");
    const float *mean = weight(model, node, "mean"), *variance = weight(model, node, "variance");
    double epsilon = cJSON_GetObjectItem(cJSON_GetObjectItem(node, "attributes"), "epsilon")->valuedouble;
    struct naive_map map = new_map(in->height, in->width, in->channels);
    for (int i = 0; i < in->height * in->width * in->channels; i++) {
        int c = i % in->channels;
        double normal = (in->values[i] - mean[c]) / sqrt(variance[c] + epsilon);
        map.values[i] = normal * (gamma ? gamma[c] : 1) + (beta ? beta[c] : 0);
    }
    return map;
}

static struct naive_map activate(const cJSON *node, const struct naive_map *in) {
    struct naive_map map = new_map(in->height, in->width, in->channels);
    for (int i = 0; i < in->height * in->width * in->channels; i++)
        map.values[i] = naive_activation(cJSON_GetObjectItem(node, "attributes"), in->values[i]);
    return map;
}

static struct naive_map pad(const cJSON *node, const struct naive_map *in) {
    const cJSON *attributes = cJSON_GetObjectItem(node, "attributes");
    int p[4];
    for (int i = 0; i < 4; i++) p[i] = number(attributes, "padding", i, 0);
    struct naive_map map = new_map(in->height + p[0] + p[1], in->width + p[2] + p[3], in->channels);
    for (int y = 0; y < map.height; y++)
        for (int x = 0; x < map.width; x++)
            for (int c = 0; c < map.channels; c++) *slot(&map, y, x, c) = at(in, y - p[0], x - p[2], c);
    return map;
}

static struct naive_map enter(const struct model_maker *model, const uint8_t *rgb) {
    const cJSON *input = cJSON_GetObjectItem(model->graph, "input");
    struct naive_map map =
        new_map(cJSON_GetObjectItem(input, "height")->valueint, cJSON_GetObjectItem(input, "width")->valueint, 3);
    const cJSON *preprocess = cJSON_GetObjectItem(model->graph, "preprocess");
    const cJSON *divide = cJSON_GetObjectItem(preprocess, "divide");
    const cJSON *subtract = cJSON_GetObjectItem(preprocess, "subtract");
    for (int i = 0; i < map.height * map.width * 3; i++) { /* the format prescribes fp32 here */
        float scaled = (float)rgb[i] / (float)cJSON_GetArrayItem(divide, i % 3)->valuedouble;
        map.values[i] = (double)(scaled - (float)cJSON_GetArrayItem(subtract, i % 3)->valuedouble);
    }
    return map;
}

static const struct naive_map *find(const struct value *values, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (!strcmp(values[i].name, name)) return &values[i].map;
    fail_msg("no value %s", name);
    return NULL;
}

static struct naive_map run_node(const struct model_maker *model, const cJSON *node, const struct value *values,
                                 int count) {
    const char *op = cJSON_GetObjectItem(node, "op")->valuestring;
    const struct naive_map *inputs[MAX_VALUES], *in;
    const cJSON *name;
    int input_count = 0;
    cJSON_ArrayForEach(name, cJSON_GetObjectItem(node, "inputs")) {
        assert_in_range(input_count, 0, MAX_VALUES - 1);
        inputs[input_count++] = find(values, count, name->valuestring);
    }
    in = inputs[0];
    if (!strcmp(op, "batch_norm")) return normalise(model, node, in);
    if (!strcmp(op, "activation")) return activate(node, in);
    if (!strcmp(op, "zero_pad")) return pad(node, in);
    if (strstr(op, "conv2d")) return convolve(model, node, in);
    struct naive_map map = naive_layer(model, node, inputs, input_count);
    assert_non_null(map.values);
    return map;
}

struct naive_map naive_run(const struct model_maker *model, const uint8_t *rgb) {
    struct value values[MAX_VALUES] = {{"input", enter(model, rgb)}};
    const char *features = cJSON_GetObjectItem(cJSON_GetObjectItem(model->graph, "outputs"), "features")->valuestring;
    const cJSON *node;
    int count = 1;
    struct naive_map result = {0};
    cJSON_ArrayForEach(node, cJSON_GetObjectItem(model->graph, "nodes")) {
        assert_in_range(count, 1, MAX_VALUES - 1);
        struct naive_map map = run_node(model, node, values, count);
        values[count++] = (struct value){cJSON_GetObjectItem(node, "name")->valuestring, map};
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(values[i].name, features)) free(values[i].map.values);
        else result = values[i].map;
    }
    return result;
}
