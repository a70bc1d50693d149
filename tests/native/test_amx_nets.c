/* SPDX-License-Identifier: Apache-2.0 */

/* Networks whose convolutions are the AMX kernels', by emulation: the thread's tiles, batches, and what bf16 and
 * fp32-split come to. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulated.h"
#include "amx_emulation.h"
#include "naive_net.h"
#include "net_check.h"

#define IMAGES 5
#define SIDE 25 /* the last map is 6x6, too small for Winograd by other tables */

/* The last maps of the small network in a precision, by the emulation or not, in batches of so many images; of
 * malloc. */
static float *vectors_of(const struct model_file *file, pomona_precision precision, int emulated, uint32_t batch,
                         size_t *length) {
    uint8_t *rgb = random_pixels(SIDE, SIDE, IMAGES, 3);
    emulate_amx(emulated);
    pomona_model *model = open_model_in(file, precision);
    emulate_amx(1);
    float *vectors = run_images(model, rgb, IMAGES, batch, length);
    pomona_model_close(model);
    free(rgb);
    return vectors;
}

/* The same in fp64. */
static float *exact_vectors(const struct model_maker *maker, size_t length) {
    uint8_t *rgb = random_pixels(SIDE, SIDE, IMAGES, 3);
    float *vectors = malloc(IMAGES * length * sizeof *vectors);
    for (size_t i = 0; i < IMAGES; i++) {
        struct naive_map map = naive_run(maker, rgb + i * SIDE * SIDE * 3);
        for (size_t j = 0; j < length; j++) vectors[i * length + j] = (float)map.values[j];
        free(map.values);
    }
    free(rgb);
    return vectors;
}

static void begin_small_net(struct model_maker *maker) { maker_small_net(maker, SIDE, 56, 11); }

static struct model_file small_net(void) {
    struct model_maker maker;
    begin_small_net(&maker);
    struct model_file file = maker_write(&maker);
    maker_end(&maker);
    return file;
}

/* Tiles were at work, and the thread that ran the network holds none. */
static void test_batches_and_release(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    struct model_file file = small_net();
    size_t length;
    long before = amx_counts().multiplications;
    float *alone = vectors_of(&file, POMONA_PRECISION_BF16, 1, 1, &length);
    assert_true(amx_counts().multiplications > before);
    assert_int_equal(amx_counts().configured, 0);
    for (uint32_t batch = 2; batch <= IMAGES; batch++) {
        float *together = vectors_of(&file, POMONA_PRECISION_BF16, 1, batch, &length);
        assert_memory_equal(together, alone, IMAGES * length * sizeof *alone);
        free(together);
    }
    free(alone);
    free_model(&file);
}

/* A convolution that its reader runs by bands is released by it: the last layer here. */
static void test_bands_release(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    static const uint32_t one[] = {1, 1}, three[] = {3, 3};
    struct model_maker maker;
    maker_begin(&maker, SIDE, SIDE, 6);
    maker_conv(&maker, "expand", lead_in(&maker, 1, 24), one, 24, 96, 1, NULL);
    maker_depthwise(&maker, "depthwise", "expand", three, 96, 1, "{\"padding\": \"same\"}");
    maker_features(&maker, "depthwise");
    struct model_file file = maker_write(&maker);
    size_t length;
    long before = amx_counts().multiplications;
    free(vectors_of(&file, POMONA_PRECISION_BF16, 1, 2, &length));
    assert_true(amx_counts().multiplications > before);
    assert_int_equal(amx_counts().configured, 0);
    free_model(&file);
    maker_end(&maker);
}

static double distance(const float *a, const float *b, size_t count) {
    double difference = 0, whole = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        whole += (double)b[i] * b[i];
    }
    return sqrt(difference / whole);
}

/* Two orders of the same sums: nearer to each other than to fp32. */
static void test_agrees_with_vectors(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    struct model_file file = small_net();
    size_t length;
    float *tiles = vectors_of(&file, POMONA_PRECISION_BF16, 1, 1, &length);
    float *vectors = vectors_of(&file, POMONA_PRECISION_BF16, 0, 1, &length);
    float *fp32 = vectors_of(&file, POMONA_PRECISION_FP32, 0, 1, &length);
    double orders = distance(tiles, vectors, IMAGES * length), rounding = distance(tiles, fp32, IMAGES * length);
    print_message("           from AVX512_BF16 %.1e, from fp32 %.1e\n", orders, rounding);
    assert_true(orders < rounding / 20 && rounding < 1e-2);
    free(tiles);
    free(vectors);
    free(fp32);
    free_model(&file);
}

/* Where tiles multiply, a 3x3 convolution is theirs, not Winograd's. */
static void test_no_winograd(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    static const uint32_t three[] = {3, 3};
    struct model_maker maker;
    maker_begin(&maker, 12, 12, 5);
    maker_conv(&maker, "window", lead_in(&maker, 1, 32), three, 32, 32, 1, "{\"padding\": \"same\"}");
    maker_features(&maker, "window");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_FP32, "window", "winograd"), 1);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "window", "amx"), 1);
    emulate_amx(0);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "window", pm_cpu_allows_amx() ? "amx" : "winograd"), 1);
    emulate_amx(1);
    maker_end(&maker);
}

/* ---- fp32-split ---- */

/* Real numbers, at the bound of fp32. The first three layers with weights are in fp64. */
static void check_split_window(const uint32_t *kernel, uint32_t in, uint32_t groups, uint32_t out, const char *rest) {
    struct model_maker maker;
    char attributes[128];
    snprintf(attributes, sizeof attributes, "{\"groups\": %u, %s}", groups, rest);
    maker_begin(&maker, 13, 17, in + out);
    maker_conv(&maker, "window", lead_in(&maker, 3, in), kernel, in / groups, out, 1, attributes);
    maker_norm(&maker, "norm", "window", out);
    maker_node(&maker, "activation", "relu", "norm", "{\"kind\": \"relu\"}");
    maker_features(&maker, "relu");
    if (runs_by(&maker, POMONA_PRECISION_FP32_SPLIT, "window", "amx") != 1) fail_msg("%s: not by tiles", attributes);
    check_graph_in(&maker, POMONA_PRECISION_FP32_SPLIT, attributes);
    maker_end(&maker);
}

static void test_split_windows(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    static const uint32_t one[] = {1, 1}, three[] = {3, 3}, row[] = {1, 7};
    check_split_window(one, 96, 1, 17, "\"padding\": \"valid\"");
    check_split_window(one, 24, 1, 72, "\"strides\": [2, 2]");
    check_split_window(three, 48, 1, 40, "\"strides\": [2, 2], \"padding\": \"same\"");
    check_split_window(three, 40, 4, 64, "\"padding\": \"same\"");
    check_split_window(row, 50, 1, 33, "\"dilations\": [1, 2], \"padding\": \"same\"");
}

/* As near to fp64 as fp32 is. */
static void test_split_is_as_accurate(void **state) {
    (void)state;
    if (cannot_emulate_amx()) skip();
    struct model_maker maker;
    begin_small_net(&maker);
    struct model_file file = maker_write(&maker);
    size_t length;
    long before = amx_counts().multiplications;
    float *split = vectors_of(&file, POMONA_PRECISION_FP32_SPLIT, 1, 2, &length);
    assert_true(amx_counts().multiplications > before);
    float *fp32 = vectors_of(&file, POMONA_PRECISION_FP32, 1, 2, &length);
    float *exact = exact_vectors(&maker, length);
    double of_split = distance(split, exact, IMAGES * length), of_fp32 = distance(fp32, exact, IMAGES * length);
    print_message("           split %.1e, fp32 %.1e from fp64\n", of_split, of_fp32);
    assert_true(of_split < 1.5 * of_fp32);
    free(split);
    free(fp32);
    free(exact);
    free_model(&file);
    maker_end(&maker);
}

/* Where there are no tiles it would be slower than fp32. */
static void test_split_needs_tiles(void **state) {
    (void)state;
    struct model_file file = small_net();
    pomona_model_options options = {sizeof options, POMONA_PRECISION_FP32_SPLIT};
    pomona_model *model = NULL;
    pomona_error error;
    emulate_amx(0);
    pomona_status status = pomona_model_open_memory(file.data, file.length, &options, &model, &error);
    emulate_amx(1);
    assert_int_equal(status, pm_cpu_allows_amx() ? POMONA_OK : POMONA_UNSUPPORTED);
    if (status) assert_non_null(strstr(error.message, "fp32-split needs AMX kernels"));
    pomona_model_close(model);
    free_model(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_and_release), cmocka_unit_test(test_bands_release),
        cmocka_unit_test(test_agrees_with_vectors), cmocka_unit_test(test_no_winograd),
        cmocka_unit_test(test_split_windows),       cmocka_unit_test(test_split_is_as_accurate),
        cmocka_unit_test(test_split_needs_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
