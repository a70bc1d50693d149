/* SPDX-License-Identifier: Apache-2.0 */

/* What convolutions in bf16 and the layers before them do for each other: scale, shift and clamp are done while the
 * input is rounded, and a depthwise convolution writes pairs itself. Of numbers that bf16 holds (whole_nets.h). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "whole_nets.h"

static const uint32_t three[] = {3, 3};

/* x * scale + shift of five kinds, which starts with kind `first`; whole numbers up to 255 stay such that bf16 holds
 * them, whatever number of times those without a shift follow. */
static void maker_whole_affine(struct model_maker *maker, const char *name, const char *input, uint32_t channels,
                               uint32_t first, int shifts) {
    static const float scales[] = {1, -1, 0.5f, 2, 0}, shift_of[] = {-100, 255, 0, 0, 3};
    char tensor[64];
    maker_affine(maker, name, input, channels, 3);
    snprintf(tensor, sizeof tensor, "%s/scale", name);
    float *scale = maker_numbers(maker, tensor);
    for (uint32_t c = 0; c < channels; c++) scale[c] = scales[(c + first) % 5];
    maker_sum(maker, tensor);
    snprintf(tensor, sizeof tensor, "%s/shift", name);
    float *shift = maker_numbers(maker, tensor);
    for (uint32_t c = 0; c < channels; c++) shift[c] = shifts ? shift_of[(c + first) % 5] : 0;
    maker_sum(maker, tensor);
}

/* The layer is run by itself, in fp32, or its readers do what it does. */
static void expect_alone(const struct model_maker *maker, const char *layer, int alone, const char *what) {
    if ((runs_by(maker, POMONA_PRECISION_BF16, layer, "") >= 0) != alone)
        fail_msg("%s: %s is %s", what, layer, alone ? "gone" : "still there");
    if (runs_by(maker, POMONA_PRECISION_FP32, layer, "") < 0) fail_msg("%s: %s is gone in fp32", what, layer);
}

/* A map of a layer that takes no scale and shift of those that follow. */
static void begin_map(struct model_maker *maker, uint32_t channels) {
    spread_colours(maker, channels);
    maker_node(maker, "concat", "map", "colours", NULL);
}

struct prologue_case {
    uint32_t height, width, in, out;
    const char *activation, *conv;
};

static void check_prologue(const struct prologue_case *p) {
    struct model_maker maker;
    char what[128];
    snprintf(what, sizeof what, "prologue of %ux%ux%u, %s, %s", p->height, p->width, p->in, p->activation, p->conv);
    begin_whole(&maker, p->height, p->width, p->in);
    begin_map(&maker, p->in);
    maker_whole_affine(&maker, "norm", "map", p->in, 0, 1);
    maker_node(&maker, "activation", "act", "norm", p->activation);
    short_conv(&maker, "window", "act", strstr(p->conv, "groups") ? p->in / 2 : p->in, p->out, p->conv);
    maker_features(&maker, "window");
    expect_alone(&maker, "norm", 0, what);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "window", "bf16"), 1);
    check_graph_in(&maker, POMONA_PRECISION_BF16, what);
    maker_end(&maker);
}

static void test_prologues(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const struct prologue_case cases[] = {
        {7, 9, 24, 40, "{\"kind\": \"relu\"}", "{}"},
        {7, 9, 6, 16, "{\"kind\": \"clip\", \"low\": 2, \"high\": 100}", "{}"},
        {29, 31, 96, 17, "{\"kind\": \"relu6\"}", "{}"},
        {61, 67, 192, 33, "{\"kind\": \"relu\"}", "{}"}, /* several sweeps */
        {8, 9, 50, 64, "{\"kind\": \"relu\"}", "{\"strides\": [2, 2]}"},
        {9, 8, 80, 48, "{\"kind\": \"relu\"}", "{\"groups\": 2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_prologue(&cases[i]);
}

/* As in DenseNet: layers of a block have scales of their own for maps that lie in one memory. The first reads a part
 * of 32 channels, two of the next read all 56, one through a halo that another reader wants. */
static void test_views(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    struct model_maker maker;
    begin_whole(&maker, 17, 19, 3);
    spread_colours(&maker, 32);
    maker_whole_affine(&maker, "first", "colours", 32, 0, 1);
    maker_node(&maker, "activation", "first_relu", "first", "{\"kind\": \"relu\"}");
    short_conv(&maker, "grown", "first_relu", 32, 24, NULL);
    float *pick = maker_numbers(&maker, "grown/kernel");
    for (uint32_t i = 0; i < 32 * 24; i++) pick[i] = i / 24 == (i % 24 + 5) % 32;
    maker_sum(&maker, "grown/kernel");
    maker_node(&maker, "concat", "both", "colours,grown", NULL);
    maker_whole_affine(&maker, "second", "both", 56, 1, 0);
    short_conv(&maker, "a", "second", 56, 40, NULL);
    maker_whole_affine(&maker, "third", "both", 56, 3, 0);
    maker_node(&maker, "activation", "third_relu", "third", "{\"kind\": \"relu\"}");
    short_conv(&maker, "b", "third_relu", 56, 40, NULL);
    maker_conv(&maker, "c", "both", three, 56, 40, 0, "{\"dilations\": [2, 2], \"padding\": \"same\"}");
    shorten(&maker, "c/kernel", 9 * 56 * 40);
    maker_node(&maker, "concat", "all", "a,b,c", NULL);
    maker_features(&maker, "all");
    for (int i = 0; i < 3; i++) expect_alone(&maker, (const char *[]){"first", "second", "third"}[i], 0, "views");
    check_graph_in(&maker, POMONA_PRECISION_BF16, "views");
    maker_end(&maker);
}

/* Two convolutions read what one affine gives: both do it, unless a third reader needs it as it is. */
static void check_two_readers(int third) {
    struct model_maker maker;
    begin_whole(&maker, 13, 11, 5);
    begin_map(&maker, 34);
    maker_whole_affine(&maker, "norm", "map", 34, 0, 1);
    short_conv(&maker, "a", "norm", 34, 32, NULL);
    short_conv(&maker, "b", "norm", 34, 34, NULL);
    maker_node(&maker, "add", "sum", third ? "b,norm" : "b,map", NULL);
    maker_node(&maker, "concat", "all", "a,sum", NULL);
    maker_features(&maker, "all");
    expect_alone(&maker, "norm", third, "two readers");
    check_graph_in(&maker, POMONA_PRECISION_BF16, third ? "three readers" : "two readers");
    maker_end(&maker);
}

/* The zeros around a map would be scaled and shifted too; an odd channel has no pair; sigmoid is no clamp. */
static void check_refused(uint32_t channels, const char *activation, const char *conv) {
    struct model_maker maker;
    begin_whole(&maker, 12, 13, channels);
    begin_map(&maker, channels);
    maker_whole_affine(&maker, "norm", "map", channels, 0, 1);
    maker_node(&maker, "activation", "act", "norm", activation);
    short_conv(&maker, "a", "act", channels, channels, conv);
    maker_features(&maker, "a");
    expect_alone(&maker, "norm", 1, conv);
    maker_end(&maker);
}

static void test_readers(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    check_two_readers(0);
    check_two_readers(1);
    check_refused(32, "{\"kind\": \"relu\"}", "{\"padding\": [1, 0, 1, 0]}");
    check_refused(33, "{\"kind\": \"relu\"}", "{}");
    check_refused(32, "{\"kind\": \"sigmoid\"}", "{}");
}

/* Parts that are written where they belong, with gaps between them, and one that is copied there; even and odd numbers
 * of channels, whose pairs end with the part. */
static void check_parts(uint32_t n) {
    struct model_maker maker;
    begin_whole(&maker, 12, 13, n);
    spread_colours(&maker, n);
    maker_whole_affine(&maker, "a", "colours", n, 0, 0);
    maker_whole_affine(&maker, "b", "colours", n, 2, 0);
    maker_whole_affine(&maker, "c", "a", n, 1, 0);
    maker_whole_affine(&maker, "d", "b", n, 4, 0);
    maker_node(&maker, "concat", "joined", "a,b,c,d", NULL);
    maker_node(&maker, "activation", "relu", "joined", "{\"kind\": \"relu\"}");
    short_conv(&maker, "left", "relu", 4 * n, 40, NULL);
    maker_node(&maker, "max_pool", "greatest", "relu",
               "{\"pool\": [3, 3], \"strides\": [1, 1], \"padding\": \"same\"}");
    short_conv(&maker, "right", "greatest", 4 * n, 24, NULL);
    maker_node(&maker, "concat", "all", "left,right", NULL);
    maker_features(&maker, "all");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "left", "bf16"), 1);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "right", "bf16"), 1);
    check_graph_in(&maker, POMONA_PRECISION_BF16, "parts");
    maker_end(&maker);
}

static void test_parts(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    for (uint32_t n = 1; n < 50; n += n < 20 ? 1 : 8) check_parts(n);
}

struct pairs_case {
    uint32_t height, width, channels, out;
    const char *window, *activation, *conv;
};

/* A depthwise convolution, alone or with the convolution before it, and the one that reads its pairs. */
static void check_pairs(const struct pairs_case *p, int banded) {
    struct model_maker maker;
    char what[160];
    snprintf(what, sizeof what, "pairs of %ux%ux%u, %s, %s, %s%s", p->height, p->width, p->channels, p->window,
             p->activation, p->conv, banded ? ", by bands" : "");
    begin_whole(&maker, p->height, p->width, p->channels);
    spread_colours(&maker, p->channels);
    if (!banded) maker_node(&maker, "concat", "map", "colours", NULL);
    picking_depthwise(&maker, "depthwise", banded ? "colours" : "map", p->channels, p->window);
    maker_node(&maker, "activation", "act", "depthwise", p->activation);
    uint32_t in = strstr(p->conv, "groups") ? p->channels / 2 : p->channels;
    short_conv(&maker, "window", "act", in, p->out, p->conv);
    maker_features(&maker, "window");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "window", "bf16"), 1);
    int clamps = strstr(p->activation, "leaky") == NULL;
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "depthwise", "pairs"), clamps);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_FP32, "depthwise", "pairs"), 0);
    check_graph_in(&maker, POMONA_PRECISION_BF16, what);
    maker_end(&maker);
}

static void test_pairs(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    static const char same[] = "{\"padding\": \"same\"}", relu[] = "{\"kind\": \"relu\"}",
                      leaky[] = "{\"kind\": \"leaky_relu\", \"alpha\": 0.5}";
    static const struct pairs_case cases[] = {
        {7, 9, 24, 40, same, relu, "{}"},
        {7, 9, 48, 16, same, leaky, "{}"}, /* an odd number of blocks */
        {9, 7, 10, 24, same, relu, "{}"},
        {29, 31, 96, 17, "{\"strides\": [2, 2], \"padding\": [0, 1, 0, 1]}", "{\"kind\": \"relu6\"}", "{}"},
        {61, 67, 192, 33, "{\"dilations\": [2, 2], \"padding\": \"same\"}", relu, "{}"}, /* several sweeps */
        {8, 9, 50, 64, same, relu, "{\"strides\": [2, 2]}"},
        {9, 8, 80, 48, same, leaky, "{\"groups\": 2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int banded = 0; banded < 2; banded++) check_pairs(&cases[i], banded);
}

/* As MobileNet's: the convolution that reads pairs is run by the depthwise convolution after it. */
static void test_pairs_for_bands(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    struct model_maker maker;
    begin_whole(&maker, 33, 70, 9);
    spread_colours(&maker, 40);
    picking_depthwise(&maker, "depthwise", "colours", 40, "{\"padding\": \"same\"}");
    short_conv(&maker, "window", "depthwise", 40, 72, NULL);
    float *pick = maker_numbers(&maker, "window/kernel");
    for (uint32_t i = 0; i < 40 * 72; i++) pick[i] = i / 72 == (i % 72 + 5) % 40;
    maker_sum(&maker, "window/kernel");
    maker_depthwise(&maker, "next", "window", three, 72, 1, "{\"padding\": \"same\"}");
    shorten(&maker, "next/kernel", 9 * 72);
    maker_features(&maker, "next");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "depthwise", "pairs"), 1);
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "next", "pairs"), 0);
    check_graph_in(&maker, POMONA_PRECISION_BF16, "pairs for bands");
    maker_end(&maker);
}

/* What somebody else reads stays in fp32. */
static void test_no_pairs(void **state) {
    (void)state;
    if (bf16_missing()) skip();
    struct model_maker maker;
    begin_whole(&maker, 13, 11, 7);
    spread_colours(&maker, 34);
    picking_depthwise(&maker, "depthwise", "colours", 34, "{\"padding\": \"same\"}");
    short_conv(&maker, "window", "depthwise", 34, 34, NULL);
    maker_node(&maker, "add", "sum", "window,depthwise", NULL);
    maker_features(&maker, "sum");
    assert_int_equal(runs_by(&maker, POMONA_PRECISION_BF16, "depthwise", "pairs"), 0);
    check_graph_in(&maker, POMONA_PRECISION_BF16, "two readers");
    maker_end(&maker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prologues), cmocka_unit_test(test_views), cmocka_unit_test(test_readers),
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_pairs), cmocka_unit_test(test_pairs_for_bands),
        cmocka_unit_test(test_no_pairs),
    };
    int skipped = level_missing();
    return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL);
}
