/* SPDX-License-Identifier: Apache-2.0 */
#include "naive_layers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct naive_map new_map(int height, int width, int channels) {
    assert_true(height > 0 && width > 0 && channels > 0);
    size_t count = (size_t)height * (size_t)width * (size_t)channels;
    return (struct naive_map){height, width, channels, calloc(count, sizeof(double))};
}

double at(const struct naive_map *map, int y, int x, int c) {
    if (y < 0 || x < 0 || y >= map->height || x >= map->width) return 0;
    return map->values[(y * map->width + x) * map->channels + c];
}

double *slot(const struct naive_map *map, int y, int x, int c) {
    return &map->values[(y * map->width + x) * map->channels + c];
}

const float *weight(const struct model_maker *model, const cJSON *node, const char *role) {
    const cJSON *name = cJSON_GetObjectItem(cJSON_GetObjectItem(node, "weights"), role);
    return name ? maker_numbers(model, name->valuestring) : NULL;
}

int number(const cJSON *attributes, const char *key, int index, int otherwise) {
    const cJSON *array = cJSON_GetObjectItem(attributes, key);
    return array ? cJSON_GetArrayItem(array, index)->valueint : otherwise;
}

/* ---- pools ---- */

/* Along one axis. Places before `before` and from `before + input` up to `total` are padding. */
struct pool_axis {
    int kernel, stride, before, input, total, ceil;
};

static struct pool_axis pool_axis(const cJSON *attributes, int axis, int input) {
    const cJSON *padding = cJSON_GetObjectItem(attributes, "padding");
    struct pool_axis a = {.kernel = number(attributes, "pool", axis, 0), .input = input, .total = input};
    a.stride = number(attributes, "strides", axis, a.kernel);
    a.ceil = cJSON_IsTrue(cJSON_GetObjectItem(attributes, "ceil"));
    if (cJSON_IsArray(padding)) {
        a.before = number(attributes, "padding", 2 * axis, 0);
        a.total += a.before + number(attributes, "padding", 2 * axis + 1, 0);
    } else if (cJSON_IsString(padding) && !strcmp(padding->valuestring, "same")) {
        while (a.total < ((input - 1) / a.stride) * a.stride + a.kernel) a.total++;
        a.before = (a.total - input) / 2;
    }
    return a;
}

/* A window is there if it ends within the padding; with `ceil` also if the one before it ended before the padding did,
 * unless it would begin in the padding at the end. */
static int pool_outputs(const struct pool_axis *a) {
    int count = 0;
    for (;; count++) {
        int begin = count * a->stride, end = begin + a->kernel;
        if (end <= a->total) continue;
        if (!a->ceil || end - a->stride >= a->total || begin >= a->before + a->input) return count;
    }
}

struct pool_way {
    int maximum, count_padding;
};

static double pool_pixel(const struct naive_map *in, struct pool_way way, const struct pool_axis *v,
                         const struct pool_axis *h, int y, int x, int c) {
    double top = -INFINITY, sum = 0;
    int counted = 0;
    for (int py = y * v->stride; py < y * v->stride + v->kernel; py++)
        for (int px = x * h->stride; px < x * h->stride + h->kernel; px++) {
            int row = py - v->before, column = px - h->before;
            int there = row >= 0 && column >= 0 && row < in->height && column < in->width;
            if (there) top = fmax(top, at(in, row, column, c));
            sum += at(in, row, column, c);
            counted += there || (way.count_padding && py < v->total && px < h->total);
        }
    return way.maximum ? top : sum / counted;
}

static struct naive_map pool(const cJSON *node, const struct naive_map *in, int maximum) {
    const cJSON *attributes = cJSON_GetObjectItem(node, "attributes");
    struct pool_axis v = pool_axis(attributes, 0, in->height), h = pool_axis(attributes, 1, in->width);
    struct pool_way way = {maximum, cJSON_IsTrue(cJSON_GetObjectItem(attributes, "count_padding"))};
    struct naive_map map = new_map(pool_outputs(&v), pool_outputs(&h), in->channels);
    for (int y = 0; y < map.height; y++)
        for (int x = 0; x < map.width; x++)
            for (int c = 0; c < map.channels; c++) *slot(&map, y, x, c) = pool_pixel(in, way, &v, &h, y, x, c);
    return map;
}

static struct naive_map global_pool(const cJSON *node, const struct naive_map *in) {
    const char *kind = cJSON_GetObjectItem(cJSON_GetObjectItem(node, "attributes"), "kind")->valuestring;
    struct naive_map map = new_map(1, 1, in->channels);
    for (int c = 0; c < in->channels; c++) {
        double sum = 0, top = -INFINITY;
        for (int i = c; i < in->height * in->width * in->channels; i += in->channels) {
            sum += in->values[i];
            top = fmax(top, in->values[i]);
        }
        map.values[c] = strcmp(kind, "max") ? sum / (in->height * in->width) : top;
    }
    return map;
}

/* ---- by channel and by pixel ---- */

static struct naive_map pair(const struct naive_map *a, const struct naive_map *b, int multiply) {
    struct naive_map map = new_map(a->height, a->width, a->channels);
    int spread = b->height == 1 && b->width == 1;
    for (int i = 0; i < a->height * a->width * a->channels; i++) {
        double second = b->values[spread ? i % b->channels : i];
        map.values[i] = multiply ? a->values[i] * second : a->values[i] + second;
    }
    return map;
}

static struct naive_map affine(const struct model_maker *model, const cJSON *node, const struct naive_map *in) {
    const float *scale = weight(model, node, "scale"), *shift = weight(model, node, "shift");
    struct naive_map map = new_map(in->height, in->width, in->channels);
    for (int i = 0; i < in->height * in->width * in->channels; i++) {
        int c = i % in->channels;
        map.values[i] = in->values[i] * (scale ? scale[c] : 1) + (shift ? shift[c] : 0);
    }
    return map;
}

static struct naive_map layer_norm(const struct model_maker *model, const cJSON *node, const struct naive_map *in) {
    const float *gamma = weight(model, node, "gamma"), *beta = weight(model, node, "beta");
    double epsilon = cJSON_GetObjectItem(cJSON_GetObjectItem(node, "attributes"), "epsilon")->valuedouble;
    struct naive_map map = new_map(in->height, in->width, in->channels);
    for (int p = 0; p < in->height * in->width; p++) {
        const double *x = in->values + p * in->channels;
        double mean = 0, variance = 0;
        for (int c = 0; c < in->channels; c++) mean += x[c] / in->channels;
        for (int c = 0; c < in->channels; c++) variance += (x[c] - mean) * (x[c] - mean) / in->channels;
        for (int c = 0; c < in->channels; c++)
            map.values[p * in->channels + c] =
                (x[c] - mean) / sqrt(variance + epsilon) * (gamma ? gamma[c] : 1) + (beta ? beta[c] : 0);
    }
    return map;
}

static struct naive_map softmax(const struct naive_map *in) {
    struct naive_map map = new_map(in->height, in->width, in->channels);
    for (int i = 0; i < in->height * in->width * in->channels; i++) {
        const double *pixel = in->values + i / in->channels * in->channels;
        double sum = 0;
        for (int c = 0; c < in->channels; c++) sum += exp(pixel[c] - in->values[i]);
        map.values[i] = 1 / sum;
    }
    return map;
}

static struct naive_map concat(const struct naive_map *const *inputs, int count) {
    int channels = 0, first = 0;
    for (int i = 0; i < count; i++) channels += inputs[i]->channels;
    struct naive_map map = new_map(inputs[0]->height, inputs[0]->width, channels);
    for (int i = 0; i < count; first += inputs[i++]->channels)
        for (int y = 0; y < map.height; y++)
            for (int x = 0; x < map.width; x++)
                for (int c = 0; c < inputs[i]->channels; c++) *slot(&map, y, x, first + c) = at(inputs[i], y, x, c);
    return map;
}

static struct naive_map crop(const cJSON *node, const struct naive_map *in) {
    const cJSON *attributes = cJSON_GetObjectItem(node, "attributes");
    int c[4];
    for (int i = 0; i < 4; i++) c[i] = number(attributes, "cropping", i, 0);
    struct naive_map map = new_map(in->height - c[0] - c[1], in->width - c[2] - c[3], in->channels);
    for (int y = 0; y < map.height; y++)
        for (int x = 0; x < map.width; x++)
            for (int i = 0; i < map.channels; i++) *slot(&map, y, x, i) = at(in, y + c[0], x + c[2], i);
    return map;
}

struct naive_map naive_layer(const struct model_maker *model, const cJSON *node, const struct naive_map *const *inputs,
                             int count) {
    const char *op = cJSON_GetObjectItem(node, "op")->valuestring;
    if (!strcmp(op, "max_pool") || !strcmp(op, "avg_pool")) return pool(node, inputs[0], op[0] == 'm');
    if (!strcmp(op, "global_pool")) return global_pool(node, inputs[0]);
    if (!strcmp(op, "add") || !strcmp(op, "multiply")) return pair(inputs[0], inputs[1], op[0] == 'm');
    if (!strcmp(op, "affine")) return affine(model, node, inputs[0]);
    if (!strcmp(op, "layer_norm")) return layer_norm(model, node, inputs[0]);
    if (!strcmp(op, "softmax")) return softmax(inputs[0]);
    if (!strcmp(op, "concat")) return concat(inputs, count);
    if (!strcmp(op, "crop")) return crop(node, inputs[0]);
    return (struct naive_map){0};
}
