/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_digits.h"

#include "graph/preprocess.h"
#include "kernels/digits.h"

/* In bf16 a weight of one digit is near enough: it has 15 bits, a number of bf16 has 8. */
static int suits_one(const struct pm_plan *plan, uint64_t products) {
    return plan->bf16 && plan->slices == 1 && products <= PM_DIGIT_PRODUCTS;
}

/* Two pixels to the right begins the next window, an even number of numbers. Nothing with weights comes before the
 * input's only reader. */
int pm_conv_digits_suits(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *window = &node->window;
    uint64_t products = (uint64_t)window->kernel[0] * window->kernel[1] * PM_INPUT_CHANNELS;
    return node->layer == pm_layer_find("conv2d") && pm_conv_digits(plan->kernels) &&
           (pm_is_precise(node, plan, products) || suits_one(plan, products)) && window->groups == 1 &&
           window->dilation[1] == 1 && window->stride[1] * PM_INPUT_CHANNELS == 2 * PM_DIGITS_PIXEL;
}

struct pm_window pm_conv_digits_window(const struct pm_node *node) {
    struct pm_window window = node->window;
    window.kernel[1] = 1;
    return window;
}

struct pm_map pm_conv_digits_map(const struct pm_node *node, const struct pm_map *in) {
    struct pm_map seen = *in;
    seen.block = seen.shape.channels = (node->window.kernel[1] * in->block + 1) / 2;
    return seen;
}
