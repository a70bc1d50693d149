/* SPDX-License-Identifier: Apache-2.0 */

/* Networks whose first maps are so large that these nodes run image by image, before the others run for the whole batch
 * (graph/turn.c): the same bits in any batch, the numbers of plain fp64 loops, and the memory of one image's early
 * maps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net_check.h"

#define SIDE 91 /* of maps of 16 channels that are just large enough */
#define IMAGES 7
static const uint64_t large = SIDE * SIDE * 16 * sizeof(float);
static const uint32_t one[] = {1, 1}, three[] = {3, 3};
static const char same[] = "{\"padding\": \"same\"}", halved[] = "{\"padding\": \"same\", \"strides\": [2, 2]}";

/* Floats of `early` large maps at least lie there once a session, and an image has at most `late` of them. */
static void check(struct model_maker *maker, const char *features, uint64_t early, uint64_t late) {
    maker_features(maker, features);
    check_graph(maker, features);
    struct model_file file = maker_write(maker);
    pomona_model *model = open_model(&file);
    pomona_model_info info = {.size = sizeof info};
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    assert_true(info.scratch_bytes >= early * large);
    assert_in_range(info.arena_bytes, 1, late * large + large / 8);
    check_batches(model, IMAGES, IMAGES + 1);
    pomona_model_close(model);
    free_model(&file);
    maker_end(maker);
}

/* Two large maps; the second, with a halo, is read after the turn. */
static void begin(struct model_maker *maker, uint32_t seed) {
    maker_begin(maker, SIDE, SIDE, seed);
    maker_conv(maker, "first", "input", three, 3, 16, 1, same);
    maker_conv(maker, "second", "first", three, 16, 16, 1, same);
}

static void test_residual(void **state) {
    (void)state;
    struct model_maker maker;
    begin(&maker, 1);
    maker_conv(&maker, "down", "second", three, 16, 32, 1, halved);
    maker_conv(&maker, "wide", "down", three, 32, 32, 1, same);
    maker_node(&maker, "add", "sum", "down,wide", NULL);
    check(&maker, "sum", 1, 3);
}

/* Read on both sides of the turn, so that every image keeps its own: values of before it, joined, cropped and padded
 * later. */
static void test_values_across(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, SIDE, SIDE, 2);
    maker_conv(&maker, "small", "input", three, 3, 16, 1, "{\"strides\": [3, 3]}"); /* 30 x 30 */
    maker_node(&maker, "zero_pad", "pad", "small", "{\"padding\": [0, 1, 1, 0]}");
    maker_node(&maker, "crop", "cut", "small", "{\"cropping\": [7, 0, 0, 7]}");
    maker_conv(&maker, "first", "input", three, 3, 16, 1, same);
    maker_conv(&maker, "second", "first", three, 16, 16, 1, same);
    maker_conv(&maker, "third", "second", three, 16, 32, 1, "{\"strides\": [3, 3]}");
    maker_node(&maker, "concat", "both", "small,third", NULL);
    maker_node(&maker, "max_pool", "shorter", "both", "{\"pool\": [8, 8], \"strides\": [1, 1]}");
    maker_node(&maker, "max_pool", "padded", "pad", "{\"pool\": [9, 9], \"strides\": [1, 1]}");
    maker_node(&maker, "concat", "all", "shorter,cut,padded", NULL);
    check(&maker, "all", 1, 2);
}

/* A depthwise convolution that runs the one before it, on either side of the turn, and at it. */
static void test_bands(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, SIDE, SIDE, 3);
    maker_conv(&maker, "first", "input", one, 3, 16, 1, NULL);
    maker_depthwise(&maker, "early", "first", three, 16, 1, same);
    maker_conv(&maker, "expand", "early", one, 16, 48, 1, NULL);
    maker_depthwise(&maker, "middle", "expand", three, 48, 1, halved);
    maker_conv(&maker, "project", "middle", one, 48, 16, 1, NULL);
    maker_conv(&maker, "again", "project", one, 16, 48, 1, NULL);
    maker_depthwise(&maker, "late", "again", three, 48, 1, same);
    check(&maker, "late", 0, 3);
}

/* No node after the turn; and none before it, for maps as large as they may be. */
static void test_ends(void **state) {
    (void)state;
    struct model_maker maker;
    begin(&maker, 4);
    check(&maker, "second", 1, 1);
    maker_begin(&maker, 64, 128, 5);
    maker_conv(&maker, "first", "input", three, 3, 16, 1, same);
    maker_conv(&maker, "second", "first", three, 16, 16, 1, same);
    check(&maker, "second", 0, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_residual),
        cmocka_unit_test(test_values_across),
        cmocka_unit_test(test_bands),
        cmocka_unit_test(test_ends),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
