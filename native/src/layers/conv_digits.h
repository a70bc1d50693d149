/* SPDX-License-Identifier: Apache-2.0 */

/* The RGB layer in whole numbers (kernels/digits.h): a direct convolution whose kernels read the pixels as int16. A row
 * of the window is one run of pairs. */
#ifndef POMONA_LAYERS_CONV_DIGITS_H
#define POMONA_LAYERS_CONV_DIGITS_H

#include "layers/layer.h"

/* `node`, which alone reads the network's input, and that is of whole numbers, can take them as int16: its sums are
 * short ones that would be precise, of two digits, or in bf16 any that one digit holds; and windows begin at whole
 * floats. */
int pm_conv_digits_suits(const struct pm_node *node, const struct pm_plan *plan);

/* Window and input with a row of the window for a pixel's channels: pairs of them. */
struct pm_window pm_conv_digits_window(const struct pm_node *node);
struct pm_map pm_conv_digits_map(const struct pm_node *node, const struct pm_map *in);

#endif
