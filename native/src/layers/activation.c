/* SPDX-License-Identifier: Apache-2.0 */

/* Functions of one value: a clamp or a function of the kernels' table, folded into the epilogue of the node before
 * wherever nobody else reads its value. Alone, a node is a copy with that epilogue. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "layers/layer.h"

static const struct {
    const char *name;
    enum pm_function function;
    float low, high;
} kinds[] = {
    {"relu", PM_IDENTITY, 0, INFINITY},
    {"relu6", PM_IDENTITY, 0, 6},
    {"clip", PM_IDENTITY, -INFINITY, INFINITY},
    {"leaky_relu", PM_FUNCTION_leaky_relu, -INFINITY, INFINITY},
    {"sigmoid", PM_FUNCTION_sigmoid, -INFINITY, INFINITY},
    {"swish", PM_FUNCTION_swish, -INFINITY, INFINITY},
    {"hard_sigmoid", PM_FUNCTION_hard_sigmoid, -INFINITY, INFINITY},
    {"hard_swish", PM_FUNCTION_hard_swish, -INFINITY, INFINITY},
    {"gelu", PM_FUNCTION_gelu, -INFINITY, INFINITY},
    {"tanh", PM_FUNCTION_tanh, -INFINITY, INFINITY},
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* A number that fp32 holds; left alone when it is absent and `optional`. */
static pomona_status read_number(const struct pm_node *node, const cJSON *attributes, const char *key, int optional,
                                 float *value, pomona_error *error) {
    double number;
    if (optional && !cJSON_HasObjectItem(attributes, key)) return POMONA_OK;
    POMONA_TRY(pm_json_number(attributes, key, node->name, &number, error));
    POMONA_RETURN_IF(fabs(number) > FLT_MAX, error, POMONA_BAD_MODEL, "layer %s: `%s` is %g; fp32 ends at %g",
                     node->name, key, number, FLT_MAX);
    *value = (float)number;
    return POMONA_OK;
}

static pomona_status read_clip(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct pm_epilogue *epilogue = &node->epilogue;
    POMONA_TRY(read_number(node, attributes, "low", 0, &epilogue->low, error));
    POMONA_TRY(read_number(node, attributes, "high", 0, &epilogue->high, error));
    POMONA_RETURN_IF(epilogue->low > epilogue->high, error, POMONA_BAD_MODEL, "layer %s: clip from %g to %g",
                     node->name, epilogue->low, epilogue->high);
    return POMONA_OK;
}

static pomona_status read_gelu(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    const cJSON *approximate = cJSON_GetObjectItemCaseSensitive(attributes, "approximate");
    POMONA_RETURN_IF(approximate && !cJSON_IsBool(approximate), error, POMONA_BAD_MODEL,
                     "layer %s: `approximate` must be true or false", node->name);
    if (cJSON_IsTrue(approximate)) node->epilogue.activation.function = PM_FUNCTION_gelu_tanh;
    return POMONA_OK;
}

static pomona_status read_hard_sigmoid(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct pm_activation *activation = &node->epilogue.activation;
    activation->alpha = 1 / 6.0f;
    activation->beta = 0.5f;
    POMONA_TRY(read_number(node, attributes, "alpha", 1, &activation->alpha, error));
    return read_number(node, attributes, "beta", 1, &activation->beta, error);
}

static pomona_status unknown(const struct pm_node *node, const char *kind, pomona_error *error) {
    char known[256];
    size_t used = 0;
    for (size_t i = 0; i < KINDS && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", kinds[i].name);
    return pm_fail(error, POMONA_UNSUPPORTED, "layer %s: activation `%.32s`; supported: %s", node->name, kind, known);
}

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    struct pm_epilogue *epilogue = &node->epilogue;
    const char *kind;
    size_t i = 0;
    POMONA_TRY(pm_json_string(attributes, "kind", node->name, &kind, error));
    while (i < KINDS && strcmp(kind, kinds[i].name) != 0) i++;
    if (i == KINDS) return unknown(node, kind, error);
    node->kernel = kinds[i].name;
    epilogue->low = kinds[i].low;
    epilogue->high = kinds[i].high;
    epilogue->activation.function = kinds[i].function;
    if (!strcmp(kind, "clip")) return read_clip(node, attributes, error);
    if (kinds[i].function == PM_FUNCTION_gelu) return read_gelu(node, attributes, error);
    if (kinds[i].function == PM_FUNCTION_hard_sigmoid) return read_hard_sigmoid(node, attributes, error);
    if (kinds[i].function == PM_FUNCTION_leaky_relu)
        return read_number(node, attributes, "alpha", 0, &epilogue->activation.alpha, error);
    return POMONA_OK;
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    (void)error;
    node->shape = *inputs;
    return POMONA_OK;
}

static int fold(struct pm_node *node, struct pm_node *before) {
    const struct pm_epilogue *epilogue = &node->epilogue;
    unsigned needed = epilogue->activation.function ? PM_TAKES_ACTIVATION : PM_TAKES_CLAMP;
    if (!(before->layer->takes & needed) || before->epilogue.activation.function) return 0;
    pm_epilogue_clamp(before, epilogue->low, epilogue->high);
    before->epilogue.activation = epilogue->activation;
    return 1;
}

static void run_row(const struct pm_node *node, const struct pm_run *run, ptrdiff_t block, float *out, const float *in,
                    const float *none) {
    (void)block, (void)none;
    pm_epilogue_clamp_row(node, run, out, in);
}

static void run(const struct pm_node *node, const struct pm_run *run) { pm_each_row(node, run, run_row); }

/* What drops negative numbers leaves about half, and most functions do. */
static double rms(const struct pm_node *node, const double *inputs) { return pm_rms_of_inputs(node, inputs) / 2; }

const struct pm_layer pm_layer_activation = {
    .name = "activation",
    .min_inputs = 1,
    .max_inputs = 1,
    .takes = PM_TAKES_CLAMP | PM_TAKES_ACTIVATION | PM_IS_AFFINE | PM_KEEPS_SLOTS,
    .read = read,
    .infer = infer,
    .rms = rms,
    .fold = fold,
    .run = run,
};
