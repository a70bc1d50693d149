/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_inner.h"

#include <math.h>

/* Fewer outputs do not pay for the own products of the input. */
#define MIN_OUTPUTS (2 * PM_BLOCK)

/* Inputs are about this large at most, and as small at least: their squares stay far from the ends of fp32. */
#define MAX_RMS 1e6

/* The power of two by which weights are multiplied is between 2^-MAX_POWER and 2^MAX_POWER, so that scales stay normal
 * numbers; beyond that an output is nothing but its shift. */
#define MAX_POWER 100

const struct pm_conv_inner *pm_conv_inner_of(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_window *w = &node->window;
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    const int suits = !plan->bf16 && !node->gate && node->order >= PM_PRECISE_LAYERS && in->rms >= 1 / MAX_RMS &&
                      in->rms <= MAX_RMS && in->block == PM_BLOCK && in->shape.channels >= PM_BLOCK &&
                      node->shape.channels >= MIN_OUTPUTS && pm_window_is_pixel(w) && w->stride[0] == 1 &&
                      w->stride[1] == 1 && w->groups == 1;
    return suits ? pm_conv_inner(plan->kernels) : NULL;
}

/* The power of two that makes the rms of one output's weights about `rms`. */
static double factor_of(const float *weights, uint64_t depth, ptrdiff_t outputs, double rms) {
    double squares = 0;
    int power;
    for (uint64_t k = 0; k < depth; k++, weights += outputs) squares += (double)*weights * *weights;
    if (!(squares > 0)) return 1;
    frexp(rms / sqrt(squares / (double)depth) / sqrt(2), &power);
    return ldexp(1, power < -MAX_POWER ? -MAX_POWER : power > MAX_POWER ? MAX_POWER : power);
}

/* The products of the weights of one output with each other. */
static double own_of(const struct pm_panel *panel, const float *weights, ptrdiff_t outputs) {
    double own = 0;
    for (ptrdiff_t s = 0; s < panel->segment_count; weights += panel->segments[s++].length * outputs)
        for (ptrdiff_t k = 0; panel->segments[s].length == PM_BLOCK && k < PM_INNER_PAIRS; k++)
            own += (double)weights[k * outputs] * weights[(k + PM_INNER_PAIRS) * outputs];
    return own;
}

void pm_conv_inner_pack(const struct pm_panels *panels, double rms, float *packed) {
    for (uint32_t p = 0; p < panels->count; p++) {
        const struct pm_panel *panel = &panels->list[p];
        const ptrdiff_t outputs = pm_tiling_outputs(panel->tiling);
        float *scale = packed + panel->packed, *shift = scale + outputs, *weights = shift + outputs;
        for (ptrdiff_t c = 0; panel->tiling->inner && c < outputs; c++, weights++) {
            const double factor = factor_of(weights, panel->depth, outputs, rms);
            for (uint64_t k = 0; k < panel->depth; k++) weights[(ptrdiff_t)k * outputs] *= (float)factor;
            scale[c] = (float)(scale[c] / factor);
            shift[c] = (float)(shift[c] - own_of(panel, weights, outputs) * scale[c]);
        }
    }
}
