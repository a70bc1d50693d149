/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "model_maker.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define PREFIX_BYTES 8
#define ALIGNMENT 64

static const char graph_start[] =
    "{\"version\": 1, \"name\": \"Made\", \"input\": {\"name\": \"input\", \"height\": %u, \"width\": %u, "
    "\"channels\": 3}, \"preprocess\": {\"mode\": \"tf\", \"channels\": \"rgb\", \"divide\": [127.5, 127.5, 127.5], "
    "\"subtract\": [1, 1, 1], \"std\": [1, 1, 1]}, \"nodes\": [], \"outputs\": {}, \"crc32\": {}, \"provenance\": {}}";

void maker_begin(struct model_maker *model, uint32_t height, uint32_t width, uint32_t seed) {
    char text[1024];
    snprintf(text, sizeof text, graph_start, height, width);
    *model = (struct model_maker){.header = cJSON_CreateObject(), .graph = cJSON_Parse(text), .random = seed};
    assert_non_null(model->graph);
}

void maker_end(struct model_maker *model) {
    cJSON_Delete(model->header);
    cJSON_Delete(model->graph);
    free(model->tensors);
    *model = (struct model_maker){0};
}

static uint32_t next(uint32_t *random) { return (*random = *random * 1664525u + 1013904223u) >> 8; }

float maker_random(struct model_maker *model, float low, float high) {
    return low + (high - low) * (float)next(&model->random) / (float)(1 << 24);
}

void maker_tensor(struct model_maker *model, const char *name, const uint32_t *dims, float low, float high) {
    cJSON *entry = cJSON_AddObjectToObject(model->header, name);
    size_t count = 1, begin = model->tensor_bytes;
    cJSON_AddStringToObject(entry, "dtype", "F32");
    cJSON *shape = cJSON_AddArrayToObject(entry, "shape"), *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
    for (; *dims; dims++) {
        count *= *dims;
        cJSON_AddItemToArray(shape, cJSON_CreateNumber(*dims));
    }
    model->tensor_bytes += count * sizeof(float);
    cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)begin));
    cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)model->tensor_bytes));
    model->tensors = realloc(model->tensors, model->tensor_bytes);
    float *numbers = (float *)(void *)(model->tensors + begin);
    for (size_t i = 0; i < count; i++) numbers[i] = maker_random(model, low, high);
    maker_sum(model, name);
}

static double offset(const struct model_maker *model, const char *name, int which) {
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(model->header, name);
    assert_non_null(entry);
    return cJSON_GetArrayItem(cJSON_GetObjectItem(entry, "data_offsets"), which)->valuedouble;
}

float *maker_numbers(const struct model_maker *model, const char *name) {
    return (float *)(void *)(model->tensors + (size_t)offset(model, name, 0));
}

void maker_sum(struct model_maker *model, const char *name) {
    cJSON *sums = cJSON_GetObjectItem(model->graph, "crc32");
    uInt length = (uInt)(offset(model, name, 1) - offset(model, name, 0));
    cJSON_DeleteItemFromObjectCaseSensitive(sums, name);
    cJSON_AddNumberToObject(sums, name, (double)crc32(0, (const Bytef *)maker_numbers(model, name), length));
}

cJSON *maker_node(struct model_maker *model, const char *op, const char *name, const char *inputs,
                  const char *attributes) {
    cJSON *node = cJSON_CreateObject();
    cJSON_AddStringToObject(node, "name", name);
    cJSON_AddStringToObject(node, "op", op);
    cJSON *array = cJSON_AddArrayToObject(node, "inputs");
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", inputs);
    for (char *word; (word = strtok_r(rest, ",", &rest));) cJSON_AddItemToArray(array, cJSON_CreateString(word));
    cJSON_AddObjectToObject(node, "weights");
    cJSON_AddItemToObject(node, "attributes", attributes ? cJSON_Parse(attributes) : cJSON_CreateObject());
    cJSON_AddItemToArray(cJSON_GetObjectItem(model->graph, "nodes"), node);
    return node;
}

/* A tensor named layer/role, and the reference to it. */
static void add_weight(struct model_maker *model, cJSON *node, const char *role, const uint32_t *dims, float low,
                       float high) {
    char name[128];
    snprintf(name, sizeof name, "%s/%s", cJSON_GetObjectItem(node, "name")->valuestring, role);
    maker_tensor(model, name, dims, low, high);
    cJSON_AddStringToObject(cJSON_GetObjectItem(node, "weights"), role, name);
}

/* Uniform with variance 2 / terms. */
static void add_kernel(struct model_maker *model, cJSON *node, const uint32_t *dims, uint32_t terms) {
    float bound = sqrtf(6.0f / (float)terms);
    add_weight(model, node, "kernel", dims, -bound, bound);
}

void maker_conv(struct model_maker *model, const char *name, const char *input, const uint32_t *kernel, uint32_t in,
                uint32_t out, int bias, const char *attributes) {
    cJSON *node = maker_node(model, "conv2d", name, input, attributes);
    add_kernel(model, node, (uint32_t[]){kernel[0], kernel[1], in, out, 0}, kernel[0] * kernel[1] * in);
    if (bias) add_weight(model, node, "bias", (uint32_t[]){out, 0}, -1, 1);
}

void maker_multiplied(struct model_maker *model, const char *name, const char *input, const uint32_t *kernel,
                      uint32_t channels, uint32_t multiplier, int bias, const char *attributes) {
    cJSON *node = maker_node(model, "depthwise_conv2d", name, input, attributes);
    add_kernel(model, node, (uint32_t[]){kernel[0], kernel[1], channels, multiplier, 0}, kernel[0] * kernel[1]);
    if (bias) add_weight(model, node, "bias", (uint32_t[]){channels * multiplier, 0}, -1, 1);
}

void maker_depthwise(struct model_maker *model, const char *name, const char *input, const uint32_t *kernel,
                     uint32_t channels, int bias, const char *attributes) {
    maker_multiplied(model, name, input, kernel, channels, 1, bias, attributes);
}

void maker_norm(struct model_maker *model, const char *name, const char *input, uint32_t channels) {
    cJSON *node = maker_node(model, "batch_norm", name, input, "{\"epsilon\": 0.001}");
    const uint32_t dims[] = {channels, 0};
    add_weight(model, node, "gamma", dims, 0.5f, 1.5f);
    add_weight(model, node, "beta", dims, -0.5f, 0.5f);
    add_weight(model, node, "mean", dims, -0.5f, 0.5f);
    add_weight(model, node, "variance", dims, 0.5f, 1.5f);
}

/* A layer by channel whose two weights may be left out: bit 0 of `which` asks for the first, bit 1 for the second. */
static void add_by_channel(struct model_maker *model, cJSON *node, const char *first, const char *second,
                           uint32_t channels, int which) {
    const uint32_t dims[] = {channels, 0};
    if (which & 1) add_weight(model, node, first, dims, -1.5f, 1.5f);
    if (which & 2) add_weight(model, node, second, dims, -0.5f, 0.5f);
}

void maker_affine(struct model_maker *model, const char *name, const char *input, uint32_t channels, int which) {
    add_by_channel(model, maker_node(model, "affine", name, input, NULL), "scale", "shift", channels, which);
}

void maker_layer_norm(struct model_maker *model, const char *name, const char *input, uint32_t channels, int which) {
    cJSON *node = maker_node(model, "layer_norm", name, input, "{\"epsilon\": 1e-6}");
    add_by_channel(model, node, "gamma", "beta", channels, which);
}

void maker_features(struct model_maker *model, const char *name) {
    cJSON *outputs = cJSON_GetObjectItem(model->graph, "outputs");
    cJSON_DeleteItemFromObject(outputs, "features");
    cJSON_AddStringToObject(outputs, "features", name);
}

struct model_file maker_write_raw(const struct model_maker *model, uint64_t announced, const char *header,
                                  size_t length) {
    struct model_file file = {.length = PREFIX_BYTES + length + model->tensor_bytes};
    void *memory = NULL;
    assert_int_equal(posix_memalign(&memory, ALIGNMENT, file.length), 0);
    file.data = memory;
    for (int i = 0; i < PREFIX_BYTES; i++) file.data[i] = (uint8_t)(announced >> 8 * i);
    memcpy(file.data + PREFIX_BYTES, header, length);
    if (model->tensor_bytes) memcpy(file.data + PREFIX_BYTES + length, model->tensors, model->tensor_bytes);
    return file;
}

struct model_file maker_write(const struct model_maker *model) {
    cJSON *header = cJSON_Duplicate(model->header, 1);
    char *graph = cJSON_PrintUnformatted(model->graph);
    cJSON_AddStringToObject(cJSON_AddObjectToObject(header, "__metadata__"), "pomona", graph);
    char *text = cJSON_PrintUnformatted(header);
    size_t length = strlen(text), padded = (length + PREFIX_BYTES - 1) / PREFIX_BYTES * PREFIX_BYTES;
    text = realloc(text, padded);
    memset(text + length, ' ', padded - length);
    struct model_file file = maker_write_raw(model, padded, text, padded);
    cJSON_Delete(header);
    free(graph);
    free(text);
    return file;
}

void free_model(struct model_file *file) {
    free(file->data);
    *file = (struct model_file){0};
}

void maker_small_net(struct model_maker *model, uint32_t side, uint32_t width, uint32_t seed) {
    static const uint32_t one[] = {1, 1}, three[] = {3, 3}, five[] = {5, 5};
    maker_begin(model, side, side, seed);
    maker_node(model, "zero_pad", "pad", "input", "{\"padding\": [0, 1, 0, 1]}");
    maker_conv(model, "stem", "pad", three, 3, 24, 0, "{\"strides\": [2, 2]}");
    maker_norm(model, "stem_bn", "stem", 24);
    maker_node(model, "activation", "stem_relu", "stem_bn", "{\"kind\": \"relu6\"}");
    maker_depthwise(model, "depthwise", "stem_relu", three, 24, 0, "{\"padding\": \"same\"}");
    maker_norm(model, "depthwise_bn", "depthwise", 24);
    maker_conv(model, "project", "depthwise_bn", one, 24, 24, 1, NULL);
    maker_node(model, "add", "sum", "stem_relu,project", NULL);
    maker_conv(model, "expand", "sum", one, 24, width, 1, NULL);
    maker_node(model, "activation", "expand_relu", "expand", "{\"kind\": \"relu\"}");
    maker_depthwise(model, "wide", "expand_relu", five, width, 1, "{\"strides\": [2, 2], \"padding\": \"same\"}");
    maker_conv(model, "head", "wide", three, width, 40, 1, "{\"padding\": \"same\"}");
    maker_features(model, "head");
}

pomona_model *open_model(const struct model_file *file) { return open_model_in(file, POMONA_PRECISION_DEFAULT); }

pomona_model *open_model_in(const struct model_file *file, pomona_precision precision) {
    pomona_model_options options = {sizeof options, precision};
    pomona_model *model = NULL;
    pomona_error error;
    if (pomona_model_open_memory(file->data, file->length, &options, &model, &error)) fail_msg("%s", error.message);
    return model;
}

uint8_t *random_pixels(uint32_t height, uint32_t width, size_t count, uint32_t seed) {
    size_t size = (size_t)height * width * 3 * count;
    uint8_t *rgb = malloc(size);
    for (size_t i = 0; i < size; i++) rgb[i] = (uint8_t)(next(&seed) >> 16);
    return rgb;
}
