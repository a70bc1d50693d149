/* SPDX-License-Identifier: Apache-2.0 */

/* Each kind of `activation` alone and folded into every layer that takes it, against plain fp64 loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"
#include "refusal.h"

static const uint32_t point[] = {1, 1}, square[] = {3, 3};

static const char *const kinds[] = {
    "{\"kind\": \"relu\"}",
    "{\"kind\": \"relu6\"}",
    "{\"kind\": \"clip\", \"low\": -0.5, \"high\": 0.75}",
    "{\"kind\": \"clip\", \"low\": -3.4028234663852886e38, \"high\": 0.25}",
    "{\"kind\": \"leaky_relu\", \"alpha\": 0.3}",
    "{\"kind\": \"leaky_relu\", \"alpha\": -2}",
    "{\"kind\": \"sigmoid\"}",
    "{\"kind\": \"swish\"}",
    "{\"kind\": \"hard_sigmoid\"}",
    "{\"kind\": \"hard_sigmoid\", \"alpha\": 0.2, \"beta\": 0.4}",
    "{\"kind\": \"hard_swish\"}",
    "{\"kind\": \"gelu\"}",
    "{\"kind\": \"gelu\", \"approximate\": true}",
    "{\"kind\": \"gelu\", \"approximate\": false}",
    "{\"kind\": \"tanh\"}",
};
#define KINDS (sizeof kinds / sizeof *kinds)
#define SWISH "{\"kind\": \"swish\"}"
#define RELU6 "{\"kind\": \"relu6\"}"

static void check(struct model_maker *maker, const char *features, const char *what, uint32_t layers) {
    maker_features(maker, features);
    assert_int_equal(check_graph(maker, what), layers);
    maker_end(maker);
}

/* A value of 24 channels and order one, `start`, with two readers: what follows cannot fold into it. */
static void begin(struct model_maker *maker, uint32_t seed) {
    maker_begin(maker, 13, 11, seed);
    maker_conv(maker, "start", "input", square, 3, 24, 1, "{\"padding\": \"same\"}");
}

static void test_alone(void **state) {
    (void)state;
    for (uint32_t i = 0; i < KINDS; i++) {
        struct model_maker maker;
        begin(&maker, i);
        maker_node(&maker, "activation", "act", "start", kinds[i]);
        maker_conv(&maker, "other", "start", point, 24, 24, 0, NULL);
        maker_node(&maker, "add", "sum", "act,other", NULL);
        check(&maker, "sum", kinds[i], 3);
        maker_begin(&maker, 5, 6, i); /* on the network's own input, as its output */
        maker_node(&maker, "activation", "act", "input", kinds[i]);
        check(&maker, "act", kinds[i], 1);
    }
}

static void test_after_convolutions(void **state) {
    (void)state;
    static const char *const windows[] = {"{\"padding\": \"same\"}", "{\"strides\": [2, 2]}",
                                          "{\"padding\": \"same\", \"groups\": 3}"};
    for (uint32_t i = 0; i < KINDS; i++)
        for (uint32_t w = 0; w < 3; w++) {
            struct model_maker maker;
            begin(&maker, i);
            maker_conv(&maker, "conv", "start", w ? square : point, w == 2 ? 8 : 24, 45, 0, windows[w]);
            maker_norm(&maker, "norm", "conv", 45);
            maker_node(&maker, "activation", "act", "norm", kinds[i]);
            if (w < 2) maker_depthwise(&maker, "depthwise", "act", square, 45, 1, windows[w]);
            else maker_multiplied(&maker, "depthwise", "act", square, 45, 2, 1, windows[1]);
            maker_node(&maker, "activation", "last", "depthwise", kinds[i]);
            check(&maker, "last", kinds[i], 3);
        }
}

/* The output of a convolution in runs, of Winograd's in tiles, with a residual before the activation. */
static void test_large_maps(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 37, 41, 5);
    maker_conv(&maker, "start", "input", square, 3, 48, 1, "{\"padding\": \"same\"}");
    maker_conv(&maker, "point", "start", point, 48, 48, 1, NULL);
    maker_node(&maker, "add", "sum", "start,point", NULL);
    maker_node(&maker, "activation", "swish", "sum", SWISH);
    maker_conv(&maker, "window", "swish", square, 48, 48, 1, "{\"padding\": \"same\"}");
    maker_node(&maker, "add", "all", "swish,window", NULL);
    maker_node(&maker, "activation", "last", "all", "{\"kind\": \"gelu\"}");
    check(&maker, "last", "large maps", 3);
}

/* After layers that walk rows: an addition that nothing takes, a scale, a product with one pixel. */
static void test_after_rows(void **state) {
    (void)state;
    for (uint32_t i = 0; i < KINDS; i++) {
        struct model_maker maker;
        begin(&maker, i);
        maker_norm(&maker, "norm", "start", 24);
        maker_node(&maker, "activation", "a", "norm", kinds[i]);
        maker_node(&maker, "add", "sum", "start,a", NULL);
        maker_node(&maker, "activation", "b", "sum", kinds[i]);
        maker_node(&maker, "global_pool", "pool", "b", "{\"kind\": \"avg\"}");
        maker_node(&maker, "multiply", "product", "b,pool", NULL);
        maker_node(&maker, "activation", "c", "product", kinds[i]);
        check(&maker, "c", kinds[i], 5);
    }
}

/* Nothing folds over a function; a function folds over a clamp. */
static void test_order_of_folding(void **state) {
    (void)state;
    struct model_maker maker;
    begin(&maker, 1);
    maker_node(&maker, "activation", "swish", "start", SWISH);
    maker_norm(&maker, "norm", "swish", 24);
    check(&maker, "norm", "norm after swish", 2);
    begin(&maker, 2);
    maker_node(&maker, "activation", "swish", "start", SWISH);
    maker_node(&maker, "activation", "clip", "swish", RELU6);
    check(&maker, "clip", "clip after swish", 2);
    begin(&maker, 3);
    maker_node(&maker, "activation", "clip", "start", RELU6);
    maker_node(&maker, "activation", "swish", "clip", SWISH);
    check(&maker, "swish", "swish after clip", 1);
    begin(&maker, 4);
    maker_conv(&maker, "conv", "start", point, 24, 24, 0, NULL);
    maker_node(&maker, "activation", "swish", "conv", SWISH);
    maker_node(&maker, "add", "sum", "start,swish", NULL);
    check(&maker, "sum", "sum after swish", 3);
    begin(&maker, 5);
    maker_node(&maker, "activation", "swish", "start", SWISH);
    maker_node(&maker, "activation", "tanh", "swish", "{\"kind\": \"tanh\"}");
    maker_node(&maker, "activation", "sigmoid", "tanh", "{\"kind\": \"sigmoid\"}");
    check(&maker, "sigmoid", "three functions", 3);
}

/* As in EfficientNet: expansion, depthwise, squeeze-and-excite, projection. */
static void test_inverted_residual(void **state) {
    (void)state;
    struct model_maker maker;
    begin(&maker, 9);
    maker_conv(&maker, "expand", "start", point, 24, 40, 0, NULL);
    maker_norm(&maker, "expand_bn", "expand", 40);
    maker_node(&maker, "activation", "expand_act", "expand_bn", SWISH);
    maker_depthwise(&maker, "depth", "expand_act", square, 40, 0, "{\"padding\": \"same\"}");
    maker_norm(&maker, "depth_bn", "depth", 40);
    maker_node(&maker, "activation", "depth_act", "depth_bn", SWISH);
    maker_node(&maker, "global_pool", "squeeze", "depth_act", "{\"kind\": \"avg\"}");
    maker_conv(&maker, "reduce", "squeeze", point, 40, 10, 1, NULL);
    maker_node(&maker, "activation", "reduce_act", "reduce", SWISH);
    maker_conv(&maker, "excite", "reduce_act", point, 10, 40, 1, NULL);
    maker_node(&maker, "activation", "excite_act", "excite", "{\"kind\": \"sigmoid\"}");
    maker_node(&maker, "multiply", "scaled", "depth_act,excite_act", NULL);
    maker_conv(&maker, "project", "scaled", point, 40, 24, 0, NULL);
    maker_norm(&maker, "project_bn", "project", 24);
    maker_node(&maker, "add", "sum", "project_bn,start", NULL);
    check(&maker, "sum", "inverted residual", 7);
}

static void refuse(const char *attributes, pomona_status status, const char *message) {
    struct model_maker maker;
    begin(&maker, 1);
    maker_node(&maker, "activation", "act", "start", attributes);
    maker_features(&maker, "act");
    expect_refused_model(&maker, status, message);
}

static void test_refused(void **state) {
    (void)state;
    refuse("{}", POMONA_BAD_MODEL, "act: `kind` is missing");
    refuse("{\"kind\": \"gelu_tanh\"}", POMONA_UNSUPPORTED, "layer act: activation `gelu_tanh`; supported: relu");
    refuse("{\"kind\": \"leaky_relu\"}", POMONA_BAD_MODEL, "act: `alpha` is missing");
    refuse("{\"kind\": \"leaky_relu\", \"alpha\": 1e39}", POMONA_BAD_MODEL, "layer act: `alpha` is 1e+39");
    refuse("{\"kind\": \"hard_sigmoid\", \"beta\": \"x\"}", POMONA_BAD_MODEL, "act: `beta` must be a finite");
    refuse("{\"kind\": \"clip\", \"low\": 1}", POMONA_BAD_MODEL, "act: `high` is missing");
    refuse("{\"kind\": \"clip\", \"low\": 1, \"high\": 0}", POMONA_BAD_MODEL, "layer act: clip from 1 to 0");
    refuse("{\"kind\": \"gelu\", \"approximate\": 1}", POMONA_BAD_MODEL, "layer act: `approximate` must be true");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_after_convolutions),
        cmocka_unit_test(test_large_maps),
        cmocka_unit_test(test_after_rows),
        cmocka_unit_test(test_order_of_folding),
        cmocka_unit_test(test_inverted_residual),
        cmocka_unit_test(test_refused),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
