/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/conv_strassen.h"

#include "core/memory.h"

/* Floats of a band, of its input or its output if that is larger: a quarter of either and more share a 1 MiB L2 cache.
 */
#define BAND_FLOATS ((uint64_t)1280 * 1024 / sizeof(float))

/* Below these the passes cost more than the products that they replace; measured. */
#define MIN_CHANNELS 128
#define MIN_PIXELS 64

const struct pm_strassen_product pm_strassen_products[STRASSEN_PRODUCTS] = {
    [STRASSEN_P1] = {0, 0, 0, {{1, 0}, {0, 0}}},  [STRASSEN_P2] = {0, 1, 0, {{0, 0}, {1, 0}}},
    [STRASSEN_P3] = {1, 1, 1, {{0, 0}, {0, 1}}},  [STRASSEN_P4] = {0, 1, 0, {{-1, 1}, {1, -1}}},
    [STRASSEN_P5] = {1, 0, 1, {{-1, 1}, {0, 0}}}, [STRASSEN_P6] = {1, 0, 0, {{1, -1}, {0, 1}}},
    [STRASSEN_P7] = {1, 0, 0, {{0, -1}, {0, 1}}}, [STRASSEN_NONE] = {0, 0, 1, {{0, 0}, {0, 0}}},
};

int pm_conv_strassen_suits(const struct pm_node *node, const struct pm_plan *plan, const struct pm_shape *in) {
    const struct pm_window *w = &node->window;
    return plan->kernels->subtract && !plan->bf16 && !node->gate && !node->banded && pm_window_is_pixel(w) &&
           w->stride[0] == 1 && w->stride[1] == 1 && w->groups == 1 && in->channels >= MIN_CHANNELS &&
           node->shape.channels >= MIN_CHANNELS && in->height > 1 && (uint64_t)in->height * in->width >= MIN_PIXELS;
}

/* Rows of the first band's upper half: of no band has it more. */
static uint32_t upper_rows(const struct pm_strassen *s, uint32_t height) {
    return ((height + s->bands - 1) / s->bands + 1) / 2;
}

static void choose_shapes(const struct pm_node *node, const struct pm_plan *plan, struct pm_strassen *s) {
    const struct pm_map *in = pm_strassen_input(node, plan), *out = &plan->maps[node->value];
    const struct pm_map *residual = node->epilogue.residual < 0 ? out : &plan->maps[node->epilogue.residual];
    uint32_t width = out->shape.width, height = out->shape.height;
    uint32_t channels = in->shape.channels > out->shape.channels ? in->shape.channels : out->shape.channels;
    uint64_t floats = (uint64_t)height * width * channels, bands = (floats + BAND_FLOATS - 1) / BAND_FLOATS;
    s->bands = bands < height / 2 ? (uint32_t)bands : height / 2;
    s->residual_row = residual->row_stride;
    s->dense = in->row_stride == (ptrdiff_t)(width * PM_BLOCK) && out->row_stride == in->row_stride &&
               residual->row_stride == in->row_stride;
    s->turning = !s->dense && pm_conv_turns(s->narrow, width);
    s->sum_block = upper_rows(s, height) * in->row_stride + PM_BLOCK; /* a line more, see lay_out in graph/plan.c */
    s->part_block = upper_rows(s, height) * out->row_stride + PM_BLOCK;
}

static void list_segments(const struct pm_map *in, struct pm_strassen *s) {
    uint32_t blocks = s->in[0] + s->in[1], last = in->shape.channels - (blocks - 1) * PM_BLOCK;
    for (ptrdiff_t b = 0; b < blocks; b++) {
        ptrdiff_t length = b + 1 < blocks ? PM_BLOCK : last, inside = b < s->in[0] ? b : b - s->in[0];
        s->segments[b] = (struct pm_segment){b * in->block_stride, length};
        s->segments[blocks + b] = (struct pm_segment){inside * s->sum_block, length};
    }
}

uint64_t pm_strassen_depth(const struct pm_strassen *s, const struct pm_strassen_product *p, uint32_t channels) {
    uint64_t first = (uint64_t)s->in[0] * PM_BLOCK;
    if (p == &pm_strassen_products[STRASSEN_NONE]) return 0;
    return p->in ? channels - first : first;
}

static pomona_status prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error) {
    const struct pm_map *in = pm_strassen_input(node, plan);
    uint32_t ins = pm_map_blocks(in), outs = pm_map_blocks(&plan->maps[node->value]);
    struct pm_strassen *s = pm_allocate_zeroed(1, sizeof *s + 2 * (size_t)ins * sizeof *s->segments);
    POMONA_RETURN_IF(!s, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory for %u segments", node->name, 2 * ins);
    node->state = s;
    s->broad = pm_conv_tiling(plan->kernels->conv, 0, outs, PM_BLOCK);
    s->narrow = pm_conv_tiling(plan->kernels->conv, 0, 1, PM_BLOCK);
    for (uint32_t half = 0; half < 2; half++) {
        s->in[half] = (ins + 1 - half) / 2;
        s->out[half] = (outs + 1 - half) / 2;
    }
    choose_shapes(node, plan, s);
    list_segments(in, s);
    node->kernel = "conv_strassen";
    node->scratch_floats = s->in[0] * (uint64_t)s->sum_block + STRASSEN_PARTS * (s->out[0] * (uint64_t)s->part_block);
    node->packed_count = 2 * PM_BLOCK * (uint64_t)outs;
    for (int p = 0; p < STRASSEN_PRODUCTS; p++)
        node->packed_count += pm_strassen_depth(s, &pm_strassen_products[p], in->shape.channels) *
                              s->out[pm_strassen_products[p].out] * PM_BLOCK;
    return POMONA_OK;
}

const struct pm_conv_tiling *pm_strassen_panel(const struct pm_strassen *s, const struct pm_strassen_product *p,
                                               uint32_t block) {
    return s->out[p->out] - block >= (uint32_t)s->broad->blocks ? s->broad : s->narrow;
}

/* The sum of the quarters' weights for 16 outputs; zero where there are no channels. */
static void sum_weights(const struct pm_strassen *s, const struct pm_tensor *kernel,
                        const struct pm_strassen_product *p, uint64_t row, uint32_t block, float *to) {
    uint64_t ins = kernel->dims[2], outs = kernel->dims[3];
    double sums[PM_BLOCK] = {0};
    for (uint64_t i = 0; i < 2; i++)
        for (uint64_t o = 0; o < 2; o++) {
            uint64_t in = row + i * s->in[0] * PM_BLOCK, out = (block + o * s->out[0]) * PM_BLOCK;
            if (p->factors[i][o] == 0 || in >= ins || out >= outs) continue;
            uint64_t count = outs - out < PM_BLOCK ? outs - out : PM_BLOCK;
            for (uint64_t c = 0; c < count; c++) sums[c] += p->factors[i][o] * kernel->data[in * outs + out + c];
        }
    for (int c = 0; c < PM_BLOCK; c++) to[c] = (float)sums[c];
}

/* [scale][shift] of all outputs, then for each product the panels of [input channels][outputs]. */
static void pack(const struct pm_node *node, const struct pm_plan *plan, float *packed) {
    const struct pm_strassen *s = node->state;
    const struct pm_tensor *kernel = pm_weight(node, "kernel");
    uint32_t outputs = (s->out[0] + s->out[1]) * PM_BLOCK, channels = pm_strassen_input(node, plan)->shape.channels;
    pm_epilogue_pack(node, 0, outputs, packed, packed + outputs);
    packed += 2 * outputs;
    for (const struct pm_strassen_product *p = pm_strassen_products; p < pm_strassen_products + STRASSEN_PRODUCTS; p++)
        for (uint32_t block = 0, count; block < s->out[p->out]; block += count) {
            count = (uint32_t)pm_strassen_panel(s, p, block)->blocks;
            for (uint64_t row = 0; row < pm_strassen_depth(s, p, channels); row++)
                for (uint32_t b = block; b < block + count; b++, packed += PM_BLOCK)
                    sum_weights(s, kernel, p, row, b, packed);
        }
}

const struct pm_conv_method pm_conv_strassen = {.prepare = prepare, .pack = pack, .run = pm_strassen_run};
