/* SPDX-License-Identifier: Apache-2.0 */

/* Convolution of each channel by itself. */
#include <math.h>

#include "core/memory.h"
#include "layers/conv_bf16.h"
#include "layers/depthwise_bf16.h"
#include "layers/depthwise_rows.h"

/* Vectors of a block before its taps: scale, shift, total. */
#define HEAD 3

/* What runs it: from couples of pixels, or NULL; else to floats, and to halves of pairs where no activation comes
 * before they are rounded, or NULL. */
struct depthwise {
    const struct pm_bf16_depthwise *couples;
    const struct pm_depthwise_variant *floats, *halves;
    uint64_t block;        /* packed floats of one */
    uint64_t waiting;      /* floats of scratch for rows of its input; 0: it reads the input itself */
    uint32_t waiting_rows; /* of its value, made from them */
    ptrdiff_t row;         /* floats between rows of what its routine reads */
};

static pomona_status read(struct pm_node *node, const cJSON *attributes, pomona_error *error) {
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    POMONA_RETURN_IF(kernel->rank != 4 || kernel->dims[0] > PM_MAX_SIDE || kernel->dims[1] > PM_MAX_SIDE ||
                         kernel->dims[2] > UINT32_MAX || kernel->dims[3] > UINT32_MAX / 2 ||
                         kernel->dims[2] * kernel->dims[3] > UINT32_MAX / 2,
                     error, POMONA_BAD_MODEL,
                     "layer %s: `kernel` (tensor %s) must be [height, width, channels, multiplier]", node->name,
                     kernel->name);
    node->window.kernel[0] = (uint32_t)kernel->dims[0];
    node->window.kernel[1] = (uint32_t)kernel->dims[1];
    node->window.groups = (uint32_t)kernel->dims[2];
    return pm_window_read(node, attributes, error);
}

static pomona_status infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error) {
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    return pm_kernel_infer(node, inputs, kernel->dims[2], (uint32_t)(kernel->dims[2] * kernel->dims[3]), error);
}

/* Of neighbours half alike: between (sum of taps)^2 of equal ones and sum of taps^2 of independent ones. */
static double rms(const struct pm_node *node, const double *inputs) {
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    const uint64_t channels = node->shape.channels;
    double squares = 0;
    for (uint64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (uint64_t i = c; i < kernel->count; i += channels) {
            sum += kernel->data[i];
            squares += (double)kernel->data[i] * kernel->data[i];
        }
        squares += sum * sum;
    }
    return inputs[0] * sqrt(squares / 2 / (double)channels);
}

static int takes(const struct pm_depthwise_variant *variant, const struct pm_plan *plan, const struct pm_node *node) {
    const struct pm_window *window = &node->window;
    const int precise = pm_is_precise(node, plan, (uint64_t)window->kernel[0] * window->kernel[1]);
    if (pm_sums_are_precise(variant->sums) != precise) return 0;
    if (variant->kernel == 0) return 1;
    return window->kernel[0] == (uint32_t)variant->kernel && window->kernel[1] == (uint32_t)variant->kernel &&
           window->dilation[1] == 1 && variant->input_pixel == (ptrdiff_t)(window->stride[1] * PM_BLOCK);
}

static const struct pm_depthwise_variant *choose(const struct pm_depthwise_variant *variant, const struct pm_plan *plan,
                                                 const struct pm_node *node) {
    while (!takes(variant, plan, node)) variant++;
    return variant;
}

/* Of one block. A row waits at the end of the node's scratch to become halves of pairs, unless it is stored so. */
static uint64_t row_floats(const struct pm_node *node) { return (uint64_t)node->shape.width * PM_BLOCK; }

static void choose_input(const struct pm_node *node, const struct pm_plan *plan, struct depthwise *depthwise) {
    const uint64_t taps = (uint64_t)node->window.kernel[0] * node->window.kernel[1];
    const int given = node->producer && pm_conv_bands_couples(node, plan);
    if (given || pm_depthwise_bf16_pays(node)) depthwise->couples = pm_depthwise_bf16(node, plan);
    depthwise->block = (taps + HEAD) * PM_BLOCK;
    depthwise->row = plan->maps[node->inputs[0]].row_stride;
    if (depthwise->couples) depthwise->block = 2 * PM_BLOCK + pm_depthwise_bf16_weights(node);
    if (!depthwise->couples && !node->prologue) return;
    const struct pm_waiting_row row = pm_waiting_row_of(node, plan, depthwise->couples != NULL);
    depthwise->row = row.length;
    if (given) return;
    depthwise->waiting = pm_waiting_floats(node, &row);
    depthwise->waiting_rows = pm_waiting_rows(node, &row);
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    const struct pm_map *in = &plan->maps[node->inputs[0]];
    if (in->shape.channels != node->shape.channels) {
        node->layer = pm_layer_find("conv2d"); /* reads and writes different lanes: a convolution of many groups */
        return node->layer->prepare(node, plan, error);
    }
    struct depthwise *depthwise = node->state = pm_allocate_zeroed(1, sizeof *depthwise);
    POMONA_RETURN_IF(!depthwise, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory", node->name);
    depthwise->floats = choose(plan->kernels->depthwise, plan, node);
    if (node->pairs && !node->epilogue.activation.function)
        depthwise->halves = choose(plan->bf16->depthwise, plan, node);
    choose_input(node, plan, depthwise);
    node->kernel = depthwise->couples  ? depthwise->couples->name
                   : depthwise->halves ? depthwise->halves->name
                                       : depthwise->floats->name;
    node->packed_count = depthwise->block * pm_map_blocks(in);
    if (node->producer) node->scratch_floats = pm_conv_bands_scratch(node, plan);
    node->scratch_floats += depthwise->waiting;
    if (node->pairs) node->scratch_floats += row_floats(node);
    return POMONA_OK;
}

static float sum_of_taps(const struct pm_tensor *kernel, uint64_t taps, uint64_t channels, uint64_t channel) {
    double total = 0;
    for (uint64_t tap = 0; tap < taps; tap++) total += kernel->data[tap * channels + channel];
    return (float)total;
}

/* [total][taps] of a block. */
static void pack_taps(const struct pm_node *node, uint32_t first, float *packed) {
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    const uint64_t taps = kernel->dims[0] * kernel->dims[1];
    const uint32_t channels = node->shape.channels;
    for (uint32_t c = first; c < first + PM_BLOCK; c++)
        *packed++ = c < channels ? sum_of_taps(kernel, taps, channels, c) : 0;
    for (uint64_t tap = 0; tap < taps; tap++)
        for (uint32_t c = first; c < first + PM_BLOCK; c++)
            *packed++ = c < channels ? kernel->data[tap * channels + c] : 0;
}

/* Each block of 16 channels: [scale][shift][total][taps], or [scale][shift][couples of taps]; zero past the last
 * channel. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    const struct depthwise *depthwise = node->state;
    const uint32_t slots = pm_map_blocks(&plan->maps[node->inputs[0]]) * PM_BLOCK;
    for (uint32_t first = 0; first < slots; first += PM_BLOCK, packed += depthwise->block) {
        pm_epilogue_pack(node, first, PM_BLOCK, packed, packed + PM_BLOCK);
        if (depthwise->couples) pm_depthwise_bf16_pack(node, first, packed + 2 * PM_BLOCK);
        else pack_taps(node, first, packed + 2 * PM_BLOCK);
    }
}

static struct pm_depthwise_row row_of(const struct pm_node *node, ptrdiff_t block) {
    const struct pm_window *window = &node->window;
    const struct depthwise *depthwise = node->state;
    const float *packed = node->packed + (uint64_t)block * depthwise->block;
    return (struct pm_depthwise_row){
        .scale = packed,
        .shift = packed + PM_BLOCK,
        .total = packed + 2 * PM_BLOCK,
        .weights = packed + (depthwise->couples ? 2 : HEAD) * PM_BLOCK,
        .pixels = node->shape.width,
        .input_row = window->dilation[0] * depthwise->row,
        .input_tap = (ptrdiff_t)(window->dilation[1] * PM_BLOCK),
        .input_pixel = (ptrdiff_t)(window->stride[1] * PM_BLOCK),
        .kernel_height = (int)window->kernel[0],
        .kernel_width = (int)window->kernel[1],
        .low = node->epilogue.low,
        .high = node->epilogue.high,
    };
}

/* Where row `first` of a band goes: to its block, or to its half of one of pairs. */
static float *output_of(const struct pm_node *node, const struct pm_run *run, const struct pm_band *band) {
    const struct pm_map *out = &run->plan->maps[node->value];
    float *to = pm_value(run, node->value, band->image) + (ptrdiff_t)band->first * out->row_stride;
    if (!node->pairs) return to + band->block * out->block_stride;
    return to + band->block / 2 * out->block_stride + band->block % 2 * (PM_BLOCK / 2);
}

static void run_row(const struct depthwise *depthwise, const struct pm_depthwise_row *row, int halves) {
    if (depthwise->couples) depthwise->couples->run(row, halves);
    else (halves ? depthwise->halves : depthwise->floats)->run(row);
}

static void run_rows(const struct pm_node *node, const struct pm_run *run, const struct pm_band *band) {
    const struct pm_map *out = &run->plan->maps[node->value];
    const struct depthwise *depthwise = node->state;
    const int halves = depthwise->halves && !pm_conv_bf16_is_alone(node, band->block);
    float *to = output_of(node, run, band);
    float *waiting = node->pairs && !halves ? run->scratch + node->scratch_floats - row_floats(node) : NULL;
    struct pm_depthwise_row row = row_of(node, band->block);
    row.input = band->input;
    for (uint32_t y = 0; y < band->rows; y++, to += out->row_stride) {
        row.output = waiting ? waiting : to;
        run_row(depthwise, &row, halves);
        if (!halves) pm_epilogue_activate(node, run, row.output, row.pixels * PM_BLOCK);
        if (waiting) pm_conv_bf16_narrow_row(node, run->plan, band->block, waiting, row.pixels, to);
        row.input += node->window.stride[0] * depthwise->row;
    }
}

/* Of any input: where its rows are still to be rounded or clamped, does so with some and goes on with them. */
static void run_band(const struct pm_node *node, const struct pm_run *run, const struct pm_band *band) {
    const struct depthwise *depthwise = node->state;
    const ptrdiff_t step = node->window.stride[0] * run->plan->maps[node->inputs[0]].row_stride;
    const uint32_t together = depthwise->waiting ? depthwise->waiting_rows : band->rows;
    float *rows = run->scratch + node->scratch_floats - depthwise->waiting - (node->pairs ? row_floats(node) : 0);
    struct pm_band part = *band;
    for (uint32_t y = 0; y < band->rows; y += part.rows) {
        part.first = band->first + y;
        part.rows = band->rows - y < together ? band->rows - y : together;
        part.input = band->input + y * step;
        if (depthwise->waiting) pm_waiting_enter(node, run, &part, depthwise->couples != NULL, rows);
        if (depthwise->waiting) part.input = rows;
        run_rows(node, run, &part);
    }
}

/* `rows` rows of one block, from `first` on. */
static void run_block(const struct pm_node *node, const struct pm_run *run, uint32_t image, ptrdiff_t block,
                      uint32_t first, uint32_t rows) {
    const uint32_t *padding = node->window.padding;
    const struct pm_map *in = &run->plan->maps[node->inputs[0]];
    ptrdiff_t y = (ptrdiff_t)(first * node->window.stride[0]) - padding[PM_TOP];
    const float *input = pm_value(run, node->inputs[0], image) + block * in->block_stride + y * in->row_stride -
                         (ptrdiff_t)(padding[PM_LEFT] * PM_BLOCK);
    run_band(node, run, &(struct pm_band){image, first, rows, block, input});
}

static void run(const struct pm_node *node, const struct pm_run *run) {
    if (node->producer) {
        pm_conv_bands_run(node, run, run_band);
        return;
    }
    const struct depthwise *depthwise = node->state;
    const uint32_t height = node->shape.height;
    const uint32_t rows = depthwise->waiting ? depthwise->waiting_rows : node->pairs ? 1 : height;
    const ptrdiff_t blocks = pm_map_blocks(&run->plan->maps[node->inputs[0]]), together = node->pairs ? 2 : 1;
    for (uint32_t i = 0; i < run->count; i++)
        for (ptrdiff_t block = 0; block < blocks; block += together)
            for (uint32_t y = 0; y < height; y += rows)
                for (ptrdiff_t b = block; b < blocks && b < block + together; b++)
                    run_block(node, run, i, b, y, height - y < rows ? height - y : rows);
}

const struct pm_layer pm_layer_depthwise_conv2d = {
    .name = "depthwise_conv2d",
    .roles = {"kernel", "?bias"},
    .min_inputs = 1,
    .max_inputs = 1,
    .takes =
        PM_TAKES_PADDING | PM_TAKES_AFFINE | PM_TAKES_CLAMP | PM_TAKES_ACTIVATION | PM_TAKES_BANDS | PM_GIVES_PAIRS,
    .read = read,
    .infer = infer,
    .rms = rms,
    .prepare = prepare,
    .pack = pack,
    .run = run,
};
