/* SPDX-License-Identifier: Apache-2.0 */

/* Normalisation over channels, pixel by pixel. Mean and variance are summed in fp64: a pixel's channels are few beside
 * the products of the convolutions around it. The includer sets PM_VL. */
#include "kernels/simd.h"

/* Sum of x - mean over the channels of one pixel, or of its square. */
ALWAYS_INLINE double norm_sum(const struct pm_norm_row *r, const float *in, double mean, int squared) {
    vd lanes[PM_DB];
    double sum = 0;
    ptrdiff_t left = r->channels;
    UNROLL for (int v = 0; v < PM_DB; v++) lanes[v] = DSET(0.0);
    for (; left >= PM_BLOCK; left -= PM_BLOCK, in += r->input_block) UNROLL for (int v = 0; v < PM_DB; v++) {
            const vd x = DLOAD(in + v * PM_DL) - DSET(mean);
            if (squared) lanes[v] += x * x;
            else lanes[v] += x;
        }
    UNROLL for (int v = 1; v < PM_DB; v++) lanes[0] += lanes[v];
    UNROLL for (int i = 0; i < PM_DL; i++) sum += lanes[0][i];
    for (ptrdiff_t c = 0; c < left; c++) sum += squared ? (in[c] - mean) * (in[c] - mean) : in[c] - mean;
    return sum;
}

static void layer_norm(const struct pm_norm_row *r) {
    const vf low = VSET(r->low), high = VSET(r->high);
    for (ptrdiff_t p = 0; p < r->pixels; p++) {
        const float *in = r->input + p * PM_BLOCK, *affine = r->affine;
        float *out = r->output + p * PM_BLOCK;
        const double mean = norm_sum(r, in, 0, 0) / (double)r->channels;
        const double variance = norm_sum(r, in, mean, 1) / (double)r->channels;
        const vf centre = VSET((float)mean), factor = VSET((float)(1 / sqrt(variance + r->epsilon)));
        for (ptrdiff_t c = 0; c < r->channels; c += PM_BLOCK) {
            UNROLL for (int v = 0; v < PM_BLOCK; v += PM_VL) {
                const vf normal = (VLOAD(in + v) - centre) * factor;
                VSTORE(out + v, VCLAMP(normal * VLOAD(affine + v) + VLOAD(affine + PM_BLOCK + v), low, high));
            }
            in += r->input_block, out += r->output_block, affine += 2 * PM_BLOCK;
        }
    }
}
