/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution of whole numbers, whose sums are exact: inputs and weights are int16, two neighbouring channels in the
 * room of a float, and one instruction adds both products to a sum of 32 bits. A weight is two digits of a number in
 * base 2^PM_DIGIT_BITS, of either sign, or the high one alone. kernels.h holds as it stands, with pairs for floats, but
 * that
 * - of two digits, the first half of the segments meets low ones, the second half, of the same inputs, high ones, each
 *   as one partial sum; scale is for high x 2^PM_DIGIT_BITS + low;
 * - of one digit, all segments are one partial sum;
 * - a sum is below 2^31: at most PM_DIGIT_PRODUCTS of a digit, at most 2^(PM_DIGIT_BITS - 1), and a number of at most
 *   2^8. So what is rounded is the addition of both alone, after all that cancels did. */
#ifndef POMONA_KERNELS_DIGITS_H
#define POMONA_KERNELS_DIGITS_H

#include "kernels/kernels.h"

#define PM_DIGIT_BITS 15
#define PM_DIGIT_PRODUCTS 511

/* Windows are so far apart: two pixels of RGB. */
#define PM_DIGITS_PIXEL 3

/* Lists as in pm_kernels, which end with an entry without a name. */
extern const struct pm_conv_tiling pm_conv_digits_avx2[], pm_conv_digits_avx512[], pm_conv_digits_vnni[];

/* The list for a level's table on this CPU, or NULL. */
const struct pm_conv_tiling *pm_conv_digits(const struct pm_kernels *kernels);

/* Two numbers of 16 bits in the room of a float, the even one in its lower half. */
float pm_digit_pair(int even, int odd);

#endif
