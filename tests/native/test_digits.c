/* SPDX-License-Identifier: Apache-2.0 */

/* The RGB layer in whole numbers: tiles of each level against integer sums, memory against guard pages, and networks
 * whose first layer is one, of every window that may be and of neighbours that may not. CTest runs it once for each
 * level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "kernels/bf16.h"
#include "kernels/digits.h"
#include "naive_net.h"
#include "net_check.h"
#include "tile_checks.h"

#define ROWS 3
#define HIGHEST 16384 /* of a digit's magnitude */
#define WHOLE 256     /* of a pixel's */

/* ---- tiles ---- */

/* `count` pairs of whole numbers of at most that magnitude. */
static struct guarded random_pairs(size_t count, int magnitude, int at_end) {
    struct guarded pairs = random_floats(count, at_end);
    for (size_t i = 0; i < count; i++)
        pairs.data[i] =
            pm_digit_pair((int)rintf(random_float() * (float)magnitude), (int)rintf(random_float() * (float)magnitude));
    return pairs;
}

static int number(const float *pairs, ptrdiff_t i) {
    int16_t value;
    memcpy(&value, (const char *)pairs + i * (ptrdiff_t)sizeof value, sizeof value);
    return value;
}

struct tile_case {
    struct guarded input, weights, affine, residual, output;
    struct pm_segment segments[2 * ROWS];
    struct pm_conv_tile tile;
    int pixels, outputs, length, digits;
};

/* Rows one after the other, so that the last pair read is the last one. */
static struct tile_case make_tile(const struct pm_conv_tiling *tiling, int pixels, int length, int way) {
    int at_end = way & 1, row = (pixels - 1) * PM_DIGITS_PIXEL + length;
    struct tile_case c = {.pixels = pixels, .outputs = tiling->blocks * PM_BLOCK, .length = length};
    c.digits = way & 8 ? 1 : 2;
    ptrdiff_t output_block = (ptrdiff_t)pixels * PM_BLOCK + GAP;
    size_t floats = (size_t)((tiling->blocks - 1) * output_block + pixels * PM_BLOCK), outputs = (size_t)c.outputs;
    for (int s = 0; s < c.digits * ROWS; s++) c.segments[s] = (struct pm_segment){s % ROWS * row, length};
    c.input = random_pairs((size_t)(ROWS * row), WHOLE, at_end);
    c.weights = random_pairs((size_t)(c.digits * ROWS * length) * outputs, HIGHEST, at_end);
    c.affine = random_floats(2 * outputs, at_end);
    c.residual = random_floats(floats, at_end);
    c.output = guarded_floats(floats, at_end);
    for (size_t i = 0; i < floats; i++) c.output.data[i] = UNTOUCHED;
    c.tile = (struct pm_conv_tile){.input = c.input.data,
                                   .weights = c.weights.data,
                                   .scale = c.affine.data,
                                   .shift = c.affine.data + outputs,
                                   .residual = way & 2 ? c.residual.data : NULL,
                                   .output = c.output.data,
                                   .segment_count = c.digits * ROWS,
                                   .partial_segments = ROWS,
                                   .input_pixel = PM_DIGITS_PIXEL,
                                   .output_block = output_block,
                                   .residual_block = output_block,
                                   .low = way & 4 ? 0 : -INFINITY,
                                   .high = way & 4 ? 1e12f : INFINITY};
    return c;
}

static void free_tile(struct tile_case *c) {
    struct guarded *all[] = {&c->input, &c->weights, &c->affine, &c->residual, &c->output};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

static int64_t sum_of(const struct tile_case *c, int digit, int pixel, int output) {
    int64_t sum = 0;
    for (int k = 0; k < ROWS * c->length; k++)
        for (int i = 0; i < 2; i++) {
            ptrdiff_t at = c->segments[k / c->length].offset + pixel * PM_DIGITS_PIXEL + k % c->length;
            ptrdiff_t row = digit * ROWS * c->length + k;
            sum += (int64_t)number(c->input.data, 2 * at + i) *
                   number(c->weights.data, 2 * (row * c->outputs + output) + i);
        }
    return sum;
}

/* The sums are exact; the conversion of each, their addition, scale and shift, and the residual round once each. */
static void check_output(const struct tile_case *c, const char *name, int pixel, int output) {
    ptrdiff_t at = output / PM_BLOCK * c->tile.output_block + pixel * PM_BLOCK + output % PM_BLOCK;
    double low = (double)sum_of(c, 0, pixel, output);
    double high = c->digits > 1 ? (double)sum_of(c, 1, pixel, output) * 32768 : 0;
    double product = (low + high) * c->tile.scale[output], residual = c->tile.residual ? c->tile.residual[at] : 0;
    double value = product + c->tile.shift[output] + residual;
    double bound = ldexp(3 * (fabs(high) + fabs(low)) * fabs((double)c->tile.scale[output]) + 2 * fabs(value) + 2, -24);
    double expected = fmin(fmax(value, c->tile.low), c->tile.high), found = c->output.data[at];
    if (!(fabs(found - expected) <= bound)) fail_msg("%s: %.9g instead of %.9g", name, found, expected);
}

static void check_tiling(const struct pm_conv_tiling *tiling) {
    assert_int_equal(tiling->input_pixel, PM_DIGITS_PIXEL);
    for (int pixels = 1; pixels <= tiling->pixels; pixels++)
        for (int length = 1; length <= 17; length += length < 7 ? 1 : 5)
            for (int way = 0; way < 16; way++) {
                struct tile_case c = make_tile(tiling, pixels, length, way);
                c.tile.segments = c.segments;
                tiling->kernels[pixels - 1](&c.tile);
                for (int pixel = 0; pixel < pixels; pixel++)
                    for (int output = 0; output < c.outputs; output++) check_output(&c, tiling->name, pixel, output);
                check_gaps(tiling, &c.tile);
                check_alone(tiling, &c.tile, pixels, PM_DIGITS_PIXEL);
                free_tile(&c);
            }
    print_message("           %s\n", tiling->name);
}

static void check_list(const struct pm_conv_tiling *list) {
    for (; list && list->name; list++) check_tiling(list);
}

static void test_tiles(void **state) {
    (void)state;
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    for (int i = 0; i < count; i++) {
        check_list(tables[i]->digits);
        if (pm_cpu_detected() >= PM_CPU_VNNI && pm_cpu_detected() != PM_CPU_NEON) check_list(tables[i]->digits_vnni);
    }
}

/* The last of a list. */
static const struct pm_conv_tiling *narrow(const struct pm_conv_tiling *list) {
    while (list->blocks > 1) list++;
    return list;
}

/* Vector levels multiply the same whole numbers: one result. */
static void test_levels_agree(void **state) {
    (void)state;
    int count;
    const struct pm_kernels *const *tables = pm_kernels_available(&count);
    for (int i = 1; i < count; i++) {
        const struct pm_conv_tiling *lists[] = {pm_conv_digits(tables[i]), tables[i]->digits};
        for (int l = 0; l < 2; l++) {
            if (!lists[l]) continue;
            const struct pm_conv_tiling *one = narrow(lists[l]);
            struct tile_case c = make_tile(one, 1, 5, 0);
            float first[PM_BLOCK];
            c.tile.segments = c.segments;
            narrow(tables[1]->digits)->kernels[0](&c.tile);
            memcpy(first, c.output.data, sizeof first);
            one->kernels[0](&c.tile);
            assert_memory_equal(first, c.output.data, sizeof first);
            free_tile(&c);
        }
    }
}

/* ---- networks ---- */

struct layer_case {
    uint32_t height, width, kernel[2], out;
    const char *attributes;
    double divide, subtract;
    enum { NO_DIGITS, IN_DIGITS, IN_BF16_ALONE } digits;
};

/* Everything exact in fp32 but for the weights, so that the reference's inputs are ours. */
static void set_preprocess(struct model_maker *maker, double divide, double subtract) {
    cJSON *preprocess = cJSON_GetObjectItem(maker->graph, "preprocess");
    for (int i = 0; i < 3; i++) {
        cJSON_SetNumberValue(cJSON_GetArrayItem(cJSON_GetObjectItem(preprocess, "divide"), i), divide);
        cJSON_SetNumberValue(cJSON_GetArrayItem(cJSON_GetObjectItem(preprocess, "subtract"), i), subtract);
    }
}

static void begin_layer(struct model_maker *maker, const struct layer_case *c, uint32_t seed) {
    maker_begin(maker, c->height, c->width, seed);
    set_preprocess(maker, c->divide, c->subtract);
    maker_conv(maker, "first", "input", c->kernel, 3, c->out, 1, c->attributes);
    maker_norm(maker, "norm", "first", c->out);
    maker_features(maker, "norm");
}

static float *features(const struct model_maker *maker, pomona_precision precision, const uint8_t *rgb) {
    struct model_file file = maker_write(maker);
    pomona_model *model = open_model_in(&file, precision);
    size_t length;
    float *found = run_images(model, rgb, 1, 1, &length);
    pomona_model_close(model);
    free_model(&file);
    return found;
}

static int level_has_digits(void) { return pm_conv_digits(pm_kernels_at_most(pm_cpu_allowed())) != NULL; }

/* That no output is further from fp64 than so much of the largest one. */
static void check_near(const struct model_maker *maker, const struct layer_case *c, pomona_precision precision,
                       double bound) {
    uint8_t *rgb = random_pixels(c->height, c->width, 1, 3);
    struct naive_map expected = naive_run(maker, rgb);
    float *found = features(maker, precision, rgb);
    double largest = 0, worst = 0;
    for (int i = 0; i < expected.height * expected.width * expected.channels; i++) {
        double value = fabs(expected.values[i]), error = fabs(found[i] - expected.values[i]);
        largest = value > largest ? value : largest; /* GCC 12 for aarch64 breaks down over fmax here */
        worst = error > worst ? error : worst;
    }
    if (!(worst <= bound * largest)) fail_msg("%ux%u: off by %g of %g", c->height, c->width, worst, largest);
    free(expected.values);
    free(found);
    free(rgb);
}

/* Sums as good as in fp64: found are 1.7e-7, from rounding the sum, its product and the result. */
#define PRECISE 2.5e-7

/* One digit is within 2^-15 of the largest weight of a channel; numbers of bf16 would be within 2^-9 of each. */
#define ONE_DIGIT 1e-4

static void check_bf16(const struct model_maker *maker, const struct layer_case *c) {
    if (!pm_bf16_kernels()) return;
    assert_int_equal(runs_by(maker, POMONA_PRECISION_BF16, "first", "i16"), c->digits != NO_DIGITS);
    if (c->digits != NO_DIGITS) check_near(maker, c, POMONA_PRECISION_BF16, ONE_DIGIT);
}

static void check_layer(const struct layer_case *c, uint32_t seed) {
    struct model_maker maker;
    char what[256];
    snprintf(what, sizeof what, "%ux%u of %ux%u less %g, %u channels: %s", c->kernel[0], c->kernel[1], c->height,
             c->width, c->subtract, c->out, c->attributes);
    begin_layer(&maker, c, seed);
    assert_int_equal(check_graph(&maker, what), 1);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_DEFAULT, "first", "i16"),
                     c->digits == IN_DIGITS && level_has_digits());
    if (c->digits == IN_DIGITS) check_near(&maker, c, POMONA_PRECISION_DEFAULT, PRECISE);
    check_bf16(&maker, c);
    maker_end(&maker);
}

/* Odd and even widths and paddings: rows and windows begin at either number of a pair, but for the kernels. */
static void test_windows(void **state) {
    (void)state;
    static const char *const attributes[] = {
        "{\"strides\": [2, 2], \"padding\": \"same\"}",
        "{\"strides\": [2, 2], \"padding\": \"valid\"}",
        "{\"strides\": [2, 2], \"padding\": [1, 1, 1, 1]}",
        "{\"strides\": [1, 2], \"padding\": [0, 2, 1, 0]}",
        "{\"strides\": [3, 2], \"padding\": [0, 1, 3, 5]}",
        "{\"strides\": [2, 2], \"padding\": [2, 0, 0, 1], "
        "\"dilations\": [2, 1]}",
    };
    static const uint32_t kernels[][2] = {{3, 3}, {1, 1}, {2, 4}, {3, 2}, {1, 7}, {5, 2}, {1, 10}};
    static const uint32_t outs[] = {5, 16, 32, 40};
    for (size_t a = 0; a < sizeof attributes / sizeof *attributes; a++)
        for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
            for (uint32_t width = 12; width <= 43; width += 7) {
                struct layer_case c = {width / 3 + 7, width, {kernels[k][0], kernels[k][1]}, outs[(a + k + width) % 4],
                                       attributes[a], 1,     width % 2 ? 127.5 : 0,          IN_DIGITS};
                check_layer(&c, width);
            }
}

/* What stays as it was: other strides, a dilated row, long sums, groups, numbers that are not whole. */
static void test_others(void **state) {
    (void)state;
    const char *two = "{\"strides\": [2, 2]}";
    const struct layer_case cases[] = {
        {19, 21, {3, 3}, 24, "{\"strides\": [2, 1]}", 1, 0, NO_DIGITS},
        {19, 21, {3, 3}, 24, "{\"strides\": [1, 3]}", 1, 0, NO_DIGITS},
        {19, 21, {3, 3}, 24, "{\"strides\": [2, 2], \"dilations\": [1, 2]}", 1, 0, NO_DIGITS},
        {19, 21, {4, 3}, 24, two, 1, 0, IN_BF16_ALONE},
        {25, 31, {7, 7}, 40, "{\"strides\": [2, 2], \"padding\": [3, 3, 3, 3]}", 1, 0, IN_BF16_ALONE},
        {19, 21, {3, 3}, 24, two, 1, 100.25, NO_DIGITS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_layer(&cases[i], 5);
}

/* Two readers of the input. */
static void test_two_readers(void **state) {
    (void)state;
    const struct layer_case c = {18,    23, {3, 3},   24, "{\"strides\": [2, 2], \"padding\": \"same\"}",
                                 127.5, 1,  NO_DIGITS};
    struct model_maker maker;
    begin_layer(&maker, &c, 1);
    maker_conv(&maker, "second", "input", c.kernel, 3, c.out, 0, c.attributes);
    maker_node(&maker, "add", "sum", "norm,second", NULL);
    maker_features(&maker, "sum");
    check_graph(&maker, "two readers");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_DEFAULT, "first", "i16"), 0);
    maker_end(&maker);
}

/* Later values lie where the input was: each image finds zeros around it again. */
static void test_halo(void **state) {
    (void)state;
    static const uint32_t three[] = {3, 3};
    for (uint32_t width = 20; width < 24; width++) {
        const struct layer_case c = {17,    width, {3, 3},   40, "{\"strides\": [2, 2], \"padding\": [1, 2, 1, 3]}",
                                     127.5, 1,     IN_DIGITS};
        struct model_maker maker;
        begin_layer(&maker, &c, width);
        maker_conv(&maker, "second", "norm", three, c.out, 80, 0, "{\"padding\": \"same\"}");
        maker_conv(&maker, "third", "second", three, 80, c.out, 0, "{\"padding\": \"same\"}");
        maker_features(&maker, "third");
        check_graph(&maker, "halo");
        maker_end(&maker);
    }
}

/* A network of blue, green, red reads an image of them as the other one reads it turned round. */
static void test_reversed(void **state) {
    (void)state;
    const struct layer_case c = {18,    23, {3, 3},   24, "{\"strides\": [2, 2], \"padding\": \"same\"}",
                                 127.5, 1,  IN_DIGITS};
    uint8_t *rgb = random_pixels(c.height, c.width, 1, 3), *bgr = random_pixels(c.height, c.width, 1, 3);
    for (uint32_t i = 0; i < c.height * c.width * 3; i++) bgr[i] = rgb[i / 3 * 3 + 2 - i % 3];
    struct model_maker maker;
    begin_layer(&maker, &c, 1);
    float *expected = features(&maker, POMONA_PRECISION_DEFAULT, rgb);
    cJSON *preprocess = cJSON_GetObjectItem(maker.graph, "preprocess");
    cJSON_ReplaceItemInObject(preprocess, "channels", cJSON_CreateString("bgr"));
    float *found = features(&maker, POMONA_PRECISION_DEFAULT, bgr);
    assert_memory_equal(found, expected, 9 * 12 * c.out * sizeof *found);
    free(expected);
    free(found);
    free(rgb);
    free(bgr);
    maker_end(&maker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),  cmocka_unit_test(test_levels_agree), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_others), cmocka_unit_test(test_two_readers),  cmocka_unit_test(test_reversed),
        cmocka_unit_test(test_halo),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
