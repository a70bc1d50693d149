/* SPDX-License-Identifier: Apache-2.0 */

/* Convolutions that go the Winograd way, by each of its forms, against plain fp64 loops: sides that are no multiple of
 * a tile, channels that are no multiple of a block, paddings, and what is folded behind; groups of tiles that cross
 * images; kernels with a stride over pixels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "refusal.h"

static const uint32_t one[] = {1, 1}, three[] = {3, 3};

/* A kernel, the word in the name of its form, and the least side and channels of maps that go by it. */
static const struct form {
    uint32_t kernel[2], side, channels;
    const char *word;
} forms[] = {
    {{3, 3}, 10, 32, "winograd_f43"},     {{3, 3}, 7, 32, "winograd_f43"},      {{3, 3}, 7, 96, "winograd_f42_3"},
    {{4, 4}, 7, 32, "winograd_f44"},      {{5, 5}, 7, 32, "winograd_f25"},      {{1, 7}, 7, 32, "winograd_line_f47"},
    {{7, 1}, 7, 32, "winograd_line_f47"}, {{1, 3}, 7, 32, "winograd_line_f43"}, {{3, 1}, 7, 32, "winograd_line_f43"},
};

#define EACH_FORM                                                                                                      \
    const struct form *form = forms;                                                                                   \
    form < forms + sizeof forms / sizeof *forms;                                                                       \
    form++

static void expect_method(const struct model_maker *maker, const char *word, int found, const char *what) {
    int vectors = strcmp(pomona_cpu_level(), "scalar") != 0;
    if (runs_by(maker, POMONA_PRECISION_DEFAULT, "window", word) != (found && vectors))
        fail_msg("%s: not the expected method", what);
}

/* Convolution, batch norm, sum with its own input's projection, ReLU. */
static void check(const struct form *form, uint32_t height, uint32_t width, uint32_t in, uint32_t out,
                  const char *padding, int residual) {
    struct model_maker maker;
    char attributes[64], what[128];
    snprintf(attributes, sizeof attributes, "{\"padding\": %s}", padding);
    snprintf(what, sizeof what, "%ux%u by %ux%u, %u to %u channels, padding %s", height, width, form->kernel[0],
             form->kernel[1], in, out, padding);
    maker_begin(&maker, height, width, in + height);
    const char *from = lead_in(&maker, 3, in), *last = "norm";
    if (residual) maker_conv(&maker, "side", from, one, in, out, 1, NULL);
    maker_conv(&maker, "window", from, form->kernel, in, out, 0, attributes);
    maker_norm(&maker, "norm", "window", out);
    if (residual) maker_node(&maker, "add", last = "sum", "side,norm", NULL);
    maker_node(&maker, "activation", "relu", last, "{\"kind\": \"relu\"}");
    maker_features(&maker, "relu");
    expect_method(&maker, form->word, 1, what);
    assert_int_equal(check_graph(&maker, what), residual ? 5 : 4);
    maker_end(&maker);
}

static void test_sides(void **state) {
    (void)state;
    for (uint32_t side = 10; side <= 17; side++) check(forms, side, 27 - side, 32, 48, "\"same\"", side % 2);
    for (EACH_FORM)
        for (uint32_t more = 0; more < 4; more++)
            check(form, form->side + more, form->side + 3 - more, form->channels, form->channels + 16, "\"same\"",
                  more % 2);
}

/* A line's other dimension may be of any length. */
static void test_flat_maps(void **state) {
    (void)state;
    for (EACH_FORM) {
        if (form->kernel[0] == 1) check(form, 1, 18, 32, 32, "\"same\"", 1);
        if (form->kernel[1] == 1) check(form, 17, 2, 32, 32, "\"same\"", 1);
    }
}

static void test_channels(void **state) {
    (void)state;
    static const uint32_t more[] = {0, 1, 8, 40};
    for (EACH_FORM)
        for (int i = 0; i < 4; i++)
            check(form, form->side + 2, form->side + 1, form->channels + more[i], form->channels + more[3 - i],
                  "\"same\"", i % 2);
    check(forms, 12, 11, 72, 72, "\"same\"", 0);
}

/* The map around which the padding leaves the form's least side and one more. */
static void check_padded(const struct form *form, uint32_t top, uint32_t bottom, uint32_t left, uint32_t right) {
    char padding[32];
    snprintf(padding, sizeof padding, "[%u, %u, %u, %u]", top, bottom, left, right);
    check(form, form->side + form->kernel[0] - top - bottom, form->side + form->kernel[1] - left - right,
          form->channels, form->channels, padding, 0);
}

static void test_paddings(void **state) {
    (void)state;
    for (EACH_FORM) {
        check_padded(form, 0, 0, 0, 0);
        check_padded(form, 0, 1, 1, 0);
        check_padded(form, 3, 2, 0, 4);
    }
}

/* Two images have more than 56 tiles, which go through as an odd number of groups. */
static void test_groups_across_images(void **state) {
    (void)state;
    for (EACH_FORM)
        check(form, form->side + (form == forms ? 3 : 1), 115, form->channels, form->channels, "\"same\"", 1);
}

/* Kernels with a stride of 2 over pixels that are whole numbers, or not; batch norm, ReLU. */
static void check_phases(const uint32_t kernel[2], uint32_t height, uint32_t width, uint32_t out, const char *padding,
                         double divide, const char *word) {
    struct model_maker maker;
    char attributes[64], what[128];
    snprintf(attributes, sizeof attributes, "{\"strides\": [2, 2], \"padding\": %s}", padding);
    snprintf(what, sizeof what, "%ux%u by %ux%u, strides 2, %u channels, padding %s", height, width, kernel[0],
             kernel[1], out, padding);
    maker_begin(&maker, height, width, height);
    cJSON *divides = cJSON_GetObjectItem(cJSON_GetObjectItem(maker.graph, "preprocess"), "divide");
    for (int c = 0; c < 3; c++) cJSON_SetNumberValue(cJSON_GetArrayItem(divides, c), divide + 10 * c);
    maker_conv(&maker, "window", "input", kernel, 3, out, 1, attributes);
    maker_norm(&maker, "norm", "window", out);
    maker_node(&maker, "activation", "relu", "norm", "{\"kind\": \"relu\"}");
    maker_features(&maker, "relu");
    expect_method(&maker, word, 1, what);
    assert_int_equal(check_graph(&maker, what), 1);
    maker_end(&maker);
}

static void test_phases(void **state) {
    (void)state;
    static const uint32_t five[] = {5, 5}, seven[] = {7, 7}, eight[] = {8, 8}, mixed[] = {8, 7};
    for (uint32_t side = 14; side < 21; side++) {
        check_phases(seven, side, 34 - side, 32 + side % 3 * 8, "\"same\"", 127.5, "winograd_f44");
        check_phases(seven, side, side + 9, 64, "[3, 3, 3, 3]", 100, "winograd_f44");
    }
    check_phases(seven, 20, 23, 48, "\"valid\"", 127.5, "winograd_f44");
    check_phases(seven, 19, 22, 48, "[0, 1, 5, 0]", 100, "winograd_f44");
    check_phases(eight, 15, 18, 32, "\"same\"", 127.5, "winograd_f44");
    check_phases(mixed, 18, 15, 33, "[4, 3, 2, 3]", 100, "winograd_f44");
    check_phases(five, 14, 17, 32, "\"same\"", 127.5, "winograd_f4");
    check_phases(five, 25, 23, 96, "[2, 1, 0, 2]", 100, "winograd_f43");
    check_phases(seven, 45, 60, 32, "\"same\"", 127.5, "winograd_f44"); /* more than one group */
}

static void expect_direct(const uint32_t kernel[2], uint32_t side, uint32_t in, uint32_t out, const char *attributes) {
    struct model_maker maker;
    maker_begin(&maker, side, side, 1);
    maker_conv(&maker, "window", lead_in(&maker, 1, in), kernel, in, out, 0, attributes);
    maker_features(&maker, "window");
    expect_method(&maker, "winograd", 0, attributes);
    maker_end(&maker);
}

static void test_what_stays_direct(void **state) {
    (void)state;
    static const uint32_t six[] = {6, 6}, flat[] = {3, 7};
    expect_direct(three, 6, 64, 64, "{\"padding\": \"same\"}");
    expect_direct(three, 16, 16, 64, "{\"padding\": \"same\"}");
    expect_direct(three, 16, 64, 16, "{\"padding\": \"same\"}");
    expect_direct(three, 32, 64, 64, "{\"padding\": \"same\", \"strides\": [2, 2]}");
    expect_direct(three, 16, 64, 64, "{\"padding\": \"same\", \"dilations\": [2, 2]}");
    expect_direct(six, 16, 64, 64, "{\"padding\": \"same\"}");
    expect_direct(flat, 16, 64, 64, "{\"padding\": \"same\"}");
}

/* The transformed kernel is four times as large as the file's: not made for a file that a later layer spoils. */
static void test_refused_later(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 16, 16, 1);
    maker_conv(&maker, "first", "input", one, 3, 64, 1, NULL);
    maker_conv(&maker, "window", "first", three, 64, 64, 1, "{\"padding\": \"same\"}");
    maker_features(&maker, "window");
    expect_method(&maker, "winograd", 1, "64 to 64 channels");
    maker_node(&maker, "add", "sum", "window,input", NULL);
    maker_features(&maker, "sum");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "layer sum: add of 16x16x64 and 16x16x3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_flat_maps),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_paddings),
        cmocka_unit_test(test_groups_across_images),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_what_stays_direct),
        cmocka_unit_test(test_refused_later),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
