/* SPDX-License-Identifier: Apache-2.0 */
#include "whole_nets.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/bf16.h"

static const uint32_t one[] = {1, 1}, three[] = {3, 3};

int bf16_missing(void) {
    if (!pm_bf16_kernels()) print_message("this CPU, or POMONA_CPU, has no bf16\n");
    return !pm_bf16_kernels();
}

float half_of(float pair, int odd) {
    uint32_t bits;
    memcpy(&bits, &pair, sizeof bits);
    bits = odd ? bits & 0xffff0000u : bits << 16;
    memcpy(&pair, &bits, sizeof pair);
    return pair;
}

void begin_whole(struct model_maker *maker, uint32_t height, uint32_t width, uint32_t seed) {
    maker_begin(maker, height, width, seed);
    cJSON *preprocess = cJSON_GetObjectItem(maker->graph, "preprocess");
    cJSON_ReplaceItemInObject(preprocess, "divide", cJSON_Parse("[1, 1, 1]"));
    cJSON_ReplaceItemInObject(preprocess, "subtract", cJSON_Parse("[0, 0, 0]"));
}

void spread_colours(struct model_maker *maker, uint32_t channels) {
    maker_conv(maker, "colours", "input", one, 3, channels, 0, NULL);
    float *kernel = maker_numbers(maker, "colours/kernel");
    for (uint32_t i = 0; i < 3 * channels; i++) kernel[i] = i / channels == i % channels % 3;
    maker_sum(maker, "colours/kernel");
}

void shorten(struct model_maker *maker, const char *name, uint32_t count) {
    float *numbers = maker_numbers(maker, name);
    for (uint32_t i = 0; i < count; i++) numbers[i] = fmaxf(-1, fminf(1, rintf(numbers[i] * 64) / 64));
    maker_sum(maker, name);
}

void pick_taps(struct model_maker *maker, const char *name, uint32_t taps, uint32_t channels) {
    float *numbers = maker_numbers(maker, name);
    for (uint32_t i = 0; i < taps * channels; i++) {
        uint32_t c = i % channels;
        numbers[i] = i / channels == c % taps ? ldexpf(c % 4 == 3 ? -1 : 1, -(int)(c % 3)) : 0;
    }
    maker_sum(maker, name);
}

void picking_depthwise(struct model_maker *maker, const char *name, const char *input, uint32_t channels,
                       const char *attributes) {
    char kernel[64];
    snprintf(kernel, sizeof kernel, "%s/kernel", name);
    maker_depthwise(maker, name, input, three, channels, 0, attributes);
    pick_taps(maker, kernel, 9, channels);
}

void gate_colours(struct model_maker *maker, uint32_t channels) {
    maker_node(maker, "global_pool", "squeezed", "colours", "{\"kind\": \"max\"}");
    maker_affine(maker, "gate", "squeezed", channels, 3);
    float *scale = maker_numbers(maker, "gate/scale"), *shift = maker_numbers(maker, "gate/shift");
    for (uint32_t c = 0; c < channels; c++) scale[c] = 0, shift[c] = ldexpf(1, (int)(c % 5) - 2);
    maker_sum(maker, "gate/scale");
    maker_sum(maker, "gate/shift");
    maker_node(maker, "multiply", "gated", "colours,gate", NULL);
}

void short_conv(struct model_maker *maker, const char *name, const char *input, uint32_t in, uint32_t out,
                const char *attributes) {
    char kernel[64];
    snprintf(kernel, sizeof kernel, "%s/kernel", name);
    maker_conv(maker, name, input, one, in, out, 0, attributes);
    shorten(maker, kernel, in * out);
}
