/* SPDX-License-Identifier: Apache-2.0 */

/* Convolutions that the depthwise convolution behind them runs by bands (conv_bands.h), against plain fp64 loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "graph/model.h"
#include "net_check.h"

struct band_case {
    uint32_t height, width, expand[2], in, out, window[2];
    const char *conv, *depthwise; /* attributes */
};

/* The value between is not in the arena: it may be larger than all of it. */
static void expect_banded(const struct model_maker *maker, int banded, const char *what) {
    struct model_file file = maker_write(maker);
    pomona_model *model = open_model(&file);
    int found = 0;
    for (uint32_t i = 0; i < model->graph.node_count; i++) found += model->graph.nodes[i].banded;
    if (found != banded) fail_msg("%s: %d convolutions run by bands, not %d", what, found, banded);
    pomona_model_close(model);
    free_model(&file);
}

static void check(const struct band_case *c) {
    struct model_maker maker;
    char what[192];
    snprintf(what, sizeof what, "%ux%u, %u to %u channels, %s, then %ux%u, %s", c->height, c->width, c->in, c->out,
             c->conv, c->window[0], c->window[1], c->depthwise);
    maker_begin(&maker, c->height, c->width, c->in + c->out);
    maker_conv(&maker, "expand", lead_in(&maker, 3, c->in), c->expand, c->in, c->out, 1, c->conv);
    maker_norm(&maker, "norm", "expand", c->out);
    maker_node(&maker, "activation", "swish", "norm", "{\"kind\": \"swish\"}");
    maker_depthwise(&maker, "depthwise", "swish", c->window, c->out, 0, c->depthwise);
    maker_node(&maker, "activation", "relu", "depthwise", "{\"kind\": \"relu6\"}");
    maker_features(&maker, "relu");
    expect_banded(&maker, 1, what);
    assert_int_equal(check_graph(&maker, what), 5);
    maker_end(&maker);
}

static void test_windows(void **state) {
    (void)state;
    static const struct band_case cases[] = {
        {9, 11, {1, 1}, 16, 96, {3, 3}, "{}", "{\"padding\": \"same\"}"},
        {14, 7, {1, 1}, 24, 40, {5, 5}, "{}", "{\"padding\": \"same\"}"},
        {12, 13, {1, 1}, 20, 33, {3, 3}, "{}", "{\"padding\": \"valid\"}"},
        {12, 13, {1, 1}, 20, 33, {3, 3}, "{}", "{\"padding\": [0, 1, 2, 0], \"strides\": [2, 2]}"},
        {13, 12, {1, 1}, 20, 16, {2, 3}, "{}", "{\"padding\": \"same\", \"strides\": [3, 1]}"},
        {15, 15, {1, 1}, 16, 48, {3, 3}, "{}", "{\"padding\": \"same\", \"dilations\": [2, 3]}"},
        {11, 12, {1, 1}, 16, 48, {1, 1}, "{}", "{\"strides\": [4, 2]}"}, /* rows that no window sees */
        {9, 9, {1, 1}, 40, 24, {7, 7}, "{\"strides\": [2, 2]}", "{\"padding\": \"same\"}"},
        {21, 19, {3, 3}, 12, 32, {3, 3}, "{\"strides\": [2, 2], \"padding\": \"same\"}", "{\"padding\": \"same\"}"},
        {9, 8, {1, 1}, 32, 64, {3, 3}, "{\"groups\": 1}", "{\"padding\": [4, 5, 3, 0]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
}

/* Rows of 150 pixels and 32 channels: a band of 256 KiB holds 13 of them. */
static void test_several_bands(void **state) {
    (void)state;
    static const struct band_case cases[] = {
        {41, 150, {1, 1}, 16, 64, {3, 3}, "{}", "{\"padding\": \"same\"}"},
        {41, 150, {1, 1}, 16, 40, {5, 5}, "{}", "{\"padding\": \"same\", \"strides\": [2, 2]}"},
        {60, 150, {1, 1}, 16, 32, {3, 3}, "{}", "{\"padding\": \"same\", \"dilations\": [7, 1]}"}, /* of one row */
        {60, 150, {1, 1}, 16, 32, {2, 2}, "{}", "{\"strides\": [5, 5]}"},
        {90, 300, {3, 3}, 3, 32, {3, 3}, "{\"strides\": [2, 2]}", "{\"padding\": [9, 30, 1, 1]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(&cases[i]);
}

static void test_what_stays_whole(void **state) {
    (void)state;
    static const uint32_t one[] = {1, 1}, three[] = {3, 3};
    static const char *const same = "{\"padding\": \"same\"}";
    struct model_maker maker;
    maker_begin(&maker, 12, 13, 5);
    maker_conv(&maker, "read twice", lead_in(&maker, 3, 16), one, 16, 32, 0, NULL);
    maker_depthwise(&maker, "once", "read twice", three, 32, 0, same);
    maker_node(&maker, "add", "sum", "once,read twice", NULL);
    maker_conv(&maker, "multiplied", "sum", one, 32, 16, 0, NULL);
    maker_multiplied(&maker, "by two", "multiplied", three, 16, 2, 0, same);
    maker_conv(&maker, "winograd", "by two", three, 32, 32, 0, same);
    maker_depthwise(&maker, "last", "winograd", three, 32, 0, same);
    maker_features(&maker, "last");
    expect_banded(&maker, 0, "none");
    check_graph(&maker, "none");
    maker_end(&maker);
}

/* A chain: each value between lies in scratch, after what the convolution before needs. */
static void test_chain(void **state) {
    (void)state;
    static const uint32_t one[] = {1, 1}, three[] = {3, 3};
    static const char *const same = "{\"padding\": \"same\"}";
    struct model_maker maker;
    maker_begin(&maker, 20, 21, 6);
    const char *last = lead_in(&maker, 2, 24);
    for (int i = 0; i < 3; i++) {
        static const char *const names[][2] = {{"expand1", "depth1"}, {"expand2", "depth2"}, {"expand3", "depth3"}};
        maker_conv(&maker, names[i][0], last, one, i ? 64 : 24, 64, 1, NULL);
        maker_depthwise(&maker, last = names[i][1], names[i][0], three, 64, 1, same);
    }
    maker_features(&maker, last);
    expect_banded(&maker, 3, "a chain");
    check_graph(&maker, "a chain");
    maker_end(&maker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_several_bands),
        cmocka_unit_test(test_what_stays_whole),
        cmocka_unit_test(test_chain),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
