/* SPDX-License-Identifier: Apache-2.0 */

/* The AMX kernels by an emulation of the tiles, and by the CPU's own where it has them: single tiles against fp64 sums
 * of the same pairs, the registers' state, and networks whose bf16 they compute. test_bf16 runs by them too, as
 * test_bf16_amx. */
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
#include "guarded.h"
#include "naive_net.h"
#include "net_check.h"

extern const struct pm_bf16_kernels pm_bf16_kernels_amx;

static int missing(void) {
    if (!pm_bf16_kernels()) print_message("this CPU, or POMONA_CPU, has no AVX512_BF16\n");
    return !pm_bf16_kernels();
}

/* ---- single tiles ---- */

#define SEGMENTS_MAX 10
#define GAP 16 /* floats between output blocks, which nobody may write to */
#define UNTOUCHED (-12345.0f)

static uint32_t random_state = 1;

static float draw(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(int32_t)random_state / (float)INT32_MAX;
}

static struct guarded random_floats(size_t count, int at_end) {
    struct guarded memory = guarded_floats(count, at_end);
    for (size_t i = 0; i < count; i++) memory.data[i] = draw();
    return memory;
}

static struct guarded random_pairs(size_t count, int at_end) {
    struct guarded memory = guarded_floats(count, at_end);
    for (size_t i = 0; i < count; i++) memory.data[i] = pm_bf16_pair(draw(), draw());
    return memory;
}

struct tile_case {
    const struct pm_bf16_kernels *kernels;
    const struct pm_conv_tiling *tiling;
    int pixels, segments, residual, clamped, at_end;
    ptrdiff_t distance;
};

struct tile_memory {
    struct guarded input, weights, epilogue, residual, output;
    struct pm_segment segments[SEGMENTS_MAX];
    struct pm_conv_tile tile;
};

/* One plane after the other, so that the last pair read is the last there is. */
static void set_up(const struct tile_case *c, struct tile_memory *m) {
    size_t plane = (size_t)(c->pixels - 1) * (size_t)c->distance + PM_BLOCK, blocks = (size_t)c->tiling->blocks;
    size_t pixels = (size_t)c->pixels * PM_BLOCK, segments = (size_t)c->segments;
    for (int s = 0; s < c->segments; s++) m->segments[s] = (struct pm_segment){s * (ptrdiff_t)plane, PM_BLOCK};
    m->input = random_pairs(segments * plane, c->at_end);
    m->weights = random_pairs(segments * PM_BLOCK * blocks * PM_BLOCK, c->at_end);
    m->epilogue = random_floats(2 * blocks * PM_BLOCK, c->at_end);
    m->residual = random_floats(blocks * pixels + (blocks - 1) * 2 * GAP, c->at_end);
    m->output = guarded_floats(blocks * pixels + (blocks - 1) * GAP, c->at_end);
    for (size_t i = 0; i < blocks * pixels + (blocks - 1) * GAP; i++) m->output.data[i] = UNTOUCHED;
    m->tile = (struct pm_conv_tile){.input = m->input.data,
                                    .weights = m->weights.data,
                                    .scale = m->epilogue.data,
                                    .shift = m->epilogue.data + blocks * PM_BLOCK,
                                    .residual = c->residual ? m->residual.data : NULL,
                                    .output = m->output.data,
                                    .segments = m->segments,
                                    .segment_count = c->segments,
                                    .partial_segments = c->segments,
                                    .input_pixel = c->distance,
                                    .output_block = (ptrdiff_t)pixels + GAP,
                                    .residual_block = (ptrdiff_t)pixels + 2 * GAP,
                                    .low = c->clamped ? -0.5f : -INFINITY,
                                    .high = c->clamped ? 0.5f : INFINITY};
}

static void tear_down(struct tile_memory *m) {
    struct guarded *all[] = {&m->input, &m->weights, &m->epilogue, &m->residual, &m->output};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_guarded(all[i]);
}

/* The even or odd number of a pair. */
static double half_of(float pair, int odd) {
    uint32_t bits;
    float half;
    memcpy(&bits, &pair, sizeof bits);
    bits = odd ? bits & 0xffff0000u : bits << 16;
    memcpy(&half, &bits, sizeof half);
    return half;
}

/* Products of bf16 are exact; n additions in fp32 miss by n / 2 x 2^-23 of the sum of magnitudes at most, and the
 * epilogue rounds a few times more. */
static void check_output(const struct tile_case *c, const struct tile_memory *m, int pixel, int channel) {
    const struct pm_conv_tile *t = &m->tile;
    const int outputs = c->tiling->blocks * PM_BLOCK, terms = c->segments * 2 * PM_BLOCK;
    double sum = 0, magnitude = 0;
    for (int i = 0; i < terms; i++) {
        ptrdiff_t pair = i / 2, segment = pair / PM_BLOCK;
        double x = half_of(t->input[m->segments[segment].offset + pixel * c->distance + pair % PM_BLOCK], i % 2);
        double product = x * half_of(t->weights[pair * outputs + channel], i % 2);
        sum += product;
        magnitude += fabs(product);
    }
    ptrdiff_t block = channel / PM_BLOCK, slot = pixel * PM_BLOCK + channel % PM_BLOCK;
    double residual = t->residual ? t->residual[block * t->residual_block + slot] : 0;
    double value = fmin(fmax(sum * t->scale[channel] + t->shift[channel] + residual, t->low), t->high);
    double bound =
        ldexp((terms + 4) * (magnitude * fabs(t->scale[channel]) + fabs(t->shift[channel]) + fabs(residual)), -24);
    float found = t->output[block * t->output_block + slot];
    if (!(fabs(found - value) <= bound))
        fail_msg("%s, %d pixels, %d segments: pixel %d, channel %d is %.9g instead of %.9g", c->tiling->name, c->pixels,
                 c->segments, pixel, channel, found, value);
}

/* The same pixels one by one must give the same bits. */
static void check_alone(const struct tile_case *c, const struct tile_memory *m) {
    float alone[2 * PM_BLOCK];
    for (int pixel = 0; pixel < c->pixels; pixel++) {
        struct pm_conv_tile tile = m->tile;
        tile.input += pixel * c->distance;
        if (tile.residual) tile.residual += pixel * PM_BLOCK;
        tile.output = alone;
        tile.output_block = PM_BLOCK;
        c->tiling->kernels[0](&tile);
        for (int block = 0; block < c->tiling->blocks; block++)
            assert_memory_equal(alone + block * PM_BLOCK,
                                m->tile.output + block * m->tile.output_block + pixel * PM_BLOCK,
                                PM_BLOCK * sizeof(float));
    }
}

static void check_tile(const struct tile_case *c) {
    struct tile_memory m;
    set_up(c, &m);
    c->tiling->kernels[c->pixels - 1](&m.tile);
    for (int pixel = 0; pixel < c->pixels; pixel++)
        for (int channel = 0; channel < c->tiling->blocks * PM_BLOCK; channel++) check_output(c, &m, pixel, channel);
    for (int block = 1; block < c->tiling->blocks; block++)
        for (int i = 1; i <= GAP; i++) assert_true(m.tile.output[block * m.tile.output_block - i] == UNTOUCHED);
    check_alone(c, &m);
    tear_down(&m);
}

/* Strides of 1 to 3 pixels. */
static void check_tiling(const struct pm_bf16_kernels *kernels, const struct pm_conv_tiling *tiling) {
    static const int segments[] = {1, 2, 3, SEGMENTS_MAX};
    for (int pixels = 1; pixels <= tiling->pixels; pixels++)
        for (int s = 0; s < 4; s++)
            for (int stride = 1; stride <= 3; stride++)
                for (int way = 0; way < 8; way++)
                    check_tile(&(struct tile_case){kernels, tiling, pixels, segments[s], way & 1, way >> 1 & 1,
                                                   way >> 2, stride * PM_BLOCK});
}

static void check_table(const struct pm_bf16_kernels *kernels) {
    int narrow = 0;
    for (int i = 0; i < PM_CONV_TILINGS_MAX && kernels->conv[i].name; i++) {
        check_tiling(kernels, &kernels->conv[i]);
        narrow += kernels->conv[i].blocks == 1 && kernels->conv[i].input_pixel == 0;
    }
    kernels->release();
    assert_int_equal(narrow, 1); /* some tiling must take what is left */
}

static void test_tiles(void **state) {
    (void)state;
    if (missing()) skip();
    check_table(&pm_bf16_kernels_emulated);
    print_message("           the CPU's own: %s\n", pm_cpu_allows_amx() ? "checked" : "skipped, it has none");
    if (pm_cpu_allows_amx()) check_table(&pm_bf16_kernels_amx);
}

/* ---- the registers' state ---- */

static void run_tile(int pixels) {
    struct tile_case c = {&pm_bf16_kernels_emulated, pm_bf16_kernels_emulated.conv, pixels, 2, 0, 0, 0, PM_BLOCK};
    struct tile_memory m;
    set_up(&c, &m);
    c.tiling->kernels[pixels - 1](&m.tile);
    tear_down(&m);
}

/* Shapes are loaded for another number of pixels alone, and again after they were given up. */
static void test_shapes_are_kept_until_release(void **state) {
    (void)state;
    if (missing()) skip();
    pm_bf16_kernels_emulated.release();
    long before = amx_counts().configurations;
    static const int pixels[] = {25, 25, 24, 24, 25};
    static const long loaded[] = {1, 1, 2, 2, 3};
    for (int i = 0; i < 5; i++) {
        run_tile(pixels[i]);
        assert_int_equal(amx_counts().configurations - before, loaded[i]);
    }
    for (int i = 0; i < 2; i++) {
        pm_bf16_kernels_emulated.release();
        assert_int_equal(amx_counts().configured, 0);
    }
    run_tile(25);
    assert_int_equal(amx_counts().configurations - before, 4);
    pm_bf16_kernels_emulated.release();
}

/* ---- networks ---- */

#define IMAGES 5
#define SIDE 33 /* the last map is 9x9, too small for Winograd by other tables */

/* The last maps of the small network in a precision, by the emulation or not, in batches of so many images; of malloc.
 */
static float *vectors_of(const struct model_file *file, pomona_precision precision, int emulated, uint32_t batch,
                         size_t *length) {
    uint8_t *rgb = random_pixels(SIDE, SIDE, IMAGES, 3);
    pomona_session_options options = {.size = sizeof options, .pooling = POMONA_POOLING_NONE, .batch = batch};
    pomona_session *session = NULL;
    emulate_amx(emulated);
    pomona_model *model = open_model_in(file, precision);
    emulate_amx(1);
    assert_int_equal(pomona_session_open(model, &options, &session, NULL), POMONA_OK);
    *length = pomona_session_output_length(session);
    float *vectors = malloc(IMAGES * *length * sizeof *vectors);
    assert_int_equal(pomona_session_run_pixels(session, rgb, IMAGES, vectors, NULL), POMONA_OK);
    pomona_session_close(session);
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
    if (missing()) skip();
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
    if (missing()) skip();
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
    if (missing()) skip();
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
    if (missing()) skip();
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
    if (missing()) skip();
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
    if (missing()) skip();
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
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_shapes_are_kept_until_release),
        cmocka_unit_test(test_batches_and_release),
        cmocka_unit_test(test_bands_release),
        cmocka_unit_test(test_agrees_with_vectors),
        cmocka_unit_test(test_no_winograd),
        cmocka_unit_test(test_split_windows),
        cmocka_unit_test(test_split_is_as_accurate),
        cmocka_unit_test(test_split_needs_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
