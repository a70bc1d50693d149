/* SPDX-License-Identifier: Apache-2.0 */

/* Model files made in memory (docs/model-format.md) with random weights. Graph and header stay open as JSON trees until
 * they are written, so that a test can spoil any part of them. */
#ifndef POMONA_TESTS_MODEL_MAKER_H
#define POMONA_TESTS_MODEL_MAKER_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "pomona.h"

struct model_maker {
    cJSON *header; /* the tensors' entries; the graph joins them when the file is written */
    cJSON *graph;
    uint8_t *tensors;
    size_t tensor_bytes;
    uint32_t random; /* state of a linear congruential generator */
};

struct model_file {
    uint8_t *data; /* of exactly `length` bytes, aligned to a cache line */
    size_t length;
};

/* An empty graph for RGB images, with the preprocessing of mode `tf`: values from -1 to 1. */
void maker_begin(struct model_maker *model, uint32_t height, uint32_t width, uint32_t seed);
void maker_end(struct model_maker *model);

/* Uniform in [low, high). */
float maker_random(struct model_maker *model, float low, float high);

/* A tensor of random numbers; `dims` ends with 0. */
void maker_tensor(struct model_maker *model, const char *name, const uint32_t *dims, float low, float high);

/* The tensor's numbers, to read or to change (maker_sum then brings its CRC up to date). */
float *maker_numbers(const struct model_maker *model, const char *name);
void maker_sum(struct model_maker *model, const char *name);

/* A node; `inputs` are names with commas between, `attributes` JSON or NULL. Borrowed from the graph. */
cJSON *maker_node(struct model_maker *model, const char *op, const char *name, const char *inputs,
                  const char *attributes);

/* Nodes with their weights, drawn such that values stay of order one. `bias` 1 or 0; `in` of one group. */
void maker_conv(struct model_maker *model, const char *name, const char *input, const uint32_t *kernel, uint32_t in,
                uint32_t out, int bias, const char *attributes);
void maker_depthwise(struct model_maker *model, const char *name, const char *input, const uint32_t *kernel,
                     uint32_t channels, int bias, const char *attributes);
void maker_multiplied(struct model_maker *model, const char *name, const char *input, const uint32_t *kernel,
                      uint32_t channels, uint32_t multiplier, int bias, const char *attributes);
void maker_norm(struct model_maker *model, const char *name, const char *input, uint32_t channels);

/* The same whose two weights may be left out: bit 0 of `which` asks for scale or gamma, bit 1 for shift or beta. */
void maker_affine(struct model_maker *model, const char *name, const char *input, uint32_t channels, int which);
void maker_layer_norm(struct model_maker *model, const char *name, const char *input, uint32_t channels, int which);

/* Names the feature map. */
void maker_features(struct model_maker *model, const char *name);

/* The file, to be freed with free_model. */
struct model_file maker_write(const struct model_maker *model);

/* The same around a header of your own, of any length, and with the length field that you like. */
struct model_file maker_write_raw(const struct model_maker *model, uint64_t announced, const char *header,
                                  size_t length);
void free_model(struct model_file *file);

/* A small network of MobileNet's layers: a strided stem, a residual block, depthwise 3x3 and 5x5; 24 and `width`
 * channels. Finished but for maker_write. */
void maker_small_net(struct model_maker *model, uint32_t side, uint32_t width, uint32_t seed);

/* Opens the file, or fails the test with the error's message. */
pomona_model *open_model(const struct model_file *file);
pomona_model *open_model_in(const struct model_file *file, pomona_precision precision);

/* `count` images of `side` x `side` random bytes, of malloc. */
uint8_t *random_pixels(uint32_t height, uint32_t width, size_t count, uint32_t seed);

#endif
