/* SPDX-License-Identifier: Apache-2.0 */

/* Layers beside each other, alone and folded, in small random networks against plain fp64 loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net_check.h"

static const uint32_t point[] = {1, 1}, square[] = {3, 3};

/* Starts a graph of 9 x 11 pixels whose values `a` and `b` have 24 channels. */
static void begin_pair(struct model_maker *maker) {
    maker_begin(maker, 9, 11, 3);
    maker_conv(maker, "a", "input", square, 3, 24, 1, "{\"padding\": \"same\"}");
    maker_conv(maker, "b", "a", point, 24, 24, 1, NULL);
}

static void check_pair(struct model_maker *maker, const char *features, uint32_t layers) {
    maker_features(maker, features);
    assert_int_equal(check_graph(maker, features), layers);
    maker_end(maker);
}

static void test_folded_chain(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_norm(&maker, "norm", "b", 24);
    maker_norm(&maker, "norm again", "norm", 24);
    maker_node(&maker, "add", "sum", "a,norm again", NULL);
    maker_node(&maker, "activation", "relu", "sum", "{\"kind\": \"relu\"}");
    maker_node(&maker, "activation", "relu6", "relu", "{\"kind\": \"relu6\"}");
    check_pair(&maker, "relu6", 2);
}

/* Nothing folds over a clamp or a residual. */
static void test_order_of_folding(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_node(&maker, "add", "sum", "b,a", NULL);
    maker_norm(&maker, "norm", "sum", 24);
    check_pair(&maker, "norm", 3);
    begin_pair(&maker);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_norm(&maker, "norm", "relu", 24);
    maker_node(&maker, "activation", "relu6", "norm", "{\"kind\": \"relu6\"}");
    check_pair(&maker, "relu6", 3);
    begin_pair(&maker);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_node(&maker, "add", "sum", "relu,a", NULL);
    check_pair(&maker, "sum", 3);
}

/* A value with two readers stays as it is. */
static void test_two_readers(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_norm(&maker, "norm", "b", 24);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_node(&maker, "add", "sum", "norm,relu", NULL);
    maker_node(&maker, "activation", "relu6", "sum", "{\"kind\": \"relu6\"}");
    check_pair(&maker, "relu6", 5);
    begin_pair(&maker);
    maker_node(&maker, "add", "double", "b,b", NULL);
    check_pair(&maker, "double", 3);
    begin_pair(&maker);
    maker_node(&maker, "activation", "relu", "b", "{\"kind\": \"relu\"}");
    maker_node(&maker, "add", "sum", "b,relu", NULL);
    check_pair(&maker, "sum", 4);
}

static void test_zero_pad(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker); /* copied: an addition reads no halo */
    maker_node(&maker, "zero_pad", "pad a", "a", "{\"padding\": [1, 2, 0, 3]}");
    maker_node(&maker, "zero_pad", "pad b", "b", "{\"padding\": [2, 1, 3, 0]}");
    maker_node(&maker, "add", "sum", "pad a,pad b", NULL);
    check_pair(&maker, "sum", 5);
    begin_pair(&maker); /* taken as halo by windows, two in a row too */
    maker_node(&maker, "zero_pad", "pad", "b", "{\"padding\": [1, 0, 2, 0]}");
    maker_node(&maker, "zero_pad", "more", "pad", "{\"padding\": [0, 2, 0, 1]}");
    maker_conv(&maker, "conv", "more", square, 24, 17, 1, "{\"strides\": [2, 1], \"padding\": [1, 1, 1, 1]}");
    maker_node(&maker, "zero_pad", "last", "conv", "{\"padding\": [1, 1, 1, 1]}");
    maker_depthwise(&maker, "depthwise", "last", square, 17, 1, NULL);
    check_pair(&maker, "depthwise", 4);
    begin_pair(&maker); /* both at once, and as the feature map itself */
    maker_node(&maker, "zero_pad", "pad", "b", "{\"padding\": [1, 1, 1, 1]}");
    maker_conv(&maker, "conv", "pad", point, 24, 24, 1, NULL);
    maker_node(&maker, "add", "sum", "pad,conv", NULL);
    check_pair(&maker, "sum", 4);
    begin_pair(&maker);
    maker_node(&maker, "zero_pad", "pad", "b", "{\"padding\": [1, 0, 0, 1]}");
    check_pair(&maker, "pad", 3);
}

/* The residual is the convolution's own input, the later of the two inputs comes first, and nodes that nobody needs. */
static void test_residuals(void **state) {
    (void)state;
    struct model_maker maker;
    begin_pair(&maker);
    maker_node(&maker, "add", "sum", "b,a", NULL);
    maker_conv(&maker, "window", "sum", square, 24, 24, 0, "{\"padding\": \"same\"}");
    maker_node(&maker, "add", "twice", "sum,window", NULL);
    maker_conv(&maker, "unused", "twice", point, 24, 24, 0, NULL);
    check_pair(&maker, "twice", 3);
    begin_pair(&maker); /* a residual with a halo beside a convolution without one */
    maker_conv(&maker, "window", "a", square, 24, 24, 0, "{\"padding\": \"same\"}");
    maker_conv(&maker, "point", "b", point, 24, 24, 0, NULL);
    maker_node(&maker, "add", "sum", "a,point", NULL);
    maker_node(&maker, "add", "all", "sum,window", NULL);
    check_pair(&maker, "all", 5);
}

/* A long network of small parts: many values share the arena. */
static void test_small_net(void **state) {
    (void)state;
    for (uint32_t side = 9; side < 24; side += 7) {
        struct model_maker maker;
        maker_small_net(&maker, side, 33, side);
        assert_int_equal(check_graph(&maker, "small net"), 6);
        maker_end(&maker);
    }
}

/* The input is plain for convolutions and blocked for others; a scale and shift of it moves into the table of bytes,
 * unless somebody reads it without. */
static void test_first_layers(void **state) {
    (void)state;
    struct model_maker maker;
    maker_begin(&maker, 9, 11, 1);
    maker_depthwise(&maker, "depthwise", "input", square, 3, 0, "{\"padding\": \"same\"}");
    check_pair(&maker, "depthwise", 1);
    maker_begin(&maker, 9, 11, 1);
    maker_norm(&maker, "norm", "input", 3);
    check_pair(&maker, "norm", 1);
    maker_begin(&maker, 9, 11, 1);
    maker_norm(&maker, "norm", "input", 3);
    maker_node(&maker, "activation", "relu", "norm", "{\"kind\": \"relu\"}");
    maker_conv(&maker, "conv", "relu", square, 3, 17, 1, "{\"padding\": \"same\"}");
    check_pair(&maker, "conv", 2);
    maker_begin(&maker, 9, 11, 1);
    maker_norm(&maker, "norm", "input", 3);
    maker_norm(&maker, "more", "norm", 3);
    maker_conv(&maker, "conv", "more", square, 3, 17, 1, "{\"padding\": \"same\"}");
    check_pair(&maker, "conv", 1);
    maker_begin(&maker, 9, 11, 1);
    maker_norm(&maker, "norm", "input", 3);
    maker_node(&maker, "add", "sum", "norm,input", NULL);
    maker_conv(&maker, "conv", "sum", square, 3, 17, 1, "{\"padding\": \"same\"}");
    check_pair(&maker, "conv", 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded_chain), cmocka_unit_test(test_order_of_folding),
        cmocka_unit_test(test_two_readers),  cmocka_unit_test(test_zero_pad),
        cmocka_unit_test(test_residuals),    cmocka_unit_test(test_small_net),
        cmocka_unit_test(test_first_layers),
    };
    int missing = level_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
