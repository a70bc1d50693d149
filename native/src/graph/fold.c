/* SPDX-License-Identifier: Apache-2.0 */

/* Folding: one pass in the order of the nodes. A node whose work another takes over hands its readers to that node. */
#include <string.h>

#include "graph/graph.h"
#include "layers/conv_bands.h"
#include "layers/conv_bf16.h"
#include "layers/conv_digits.h"
#include "layers/conv_gate.h"
#include "layers/conv_method.h"
#include "layers/depthwise_rows.h"

static void count_users(struct pm_graph *graph) {
    for (uint32_t i = 0; i < graph->node_count; i++) graph->nodes[i].users = 0;
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint32_t j = 0; j < graph->nodes[i].input_count; j++)
            if (graph->nodes[i].inputs[j] > 0) graph->nodes[graph->nodes[i].inputs[j] - 1].users++;
    graph->nodes[graph->features - 1].users++;
}

/* A window reads the halo of the map before the padding instead of a padded copy. */
static void take_padding(struct pm_graph *graph, struct pm_node *node) {
    if (!(node->layer->takes & PM_TAKES_PADDING)) return;
    while (node->inputs[0] > 0) {
        struct pm_node *pad = &graph->nodes[node->inputs[0] - 1];
        if (pad->layer != pm_layer_find("zero_pad")) return;
        for (int side = 0; side < 4; side++) node->window.padding[side] += pad->window.padding[side];
        node->inputs[0] = pad->inputs[0];
        pad->users--;
        if (pad->inputs[0] > 0) graph->nodes[pad->inputs[0] - 1].users++;
    }
}

static int takes(const struct pm_node *node, const struct pm_node *before) {
    return pm_conv_bf16_takes(node, before) || pm_depthwise_takes(node, before);
}

/* A scale, shift and clamp that all of its readers can do themselves, in bf16, while they round: each of them does, so
 * that nobody writes what they give. */
static void take_prologue(struct pm_graph *graph, struct pm_node *node) {
    struct pm_node *before = node->inputs[0] > 0 ? &graph->nodes[node->inputs[0] - 1] : NULL;
    uint32_t takers = 0;
    if (!before || !takes(node, before)) return;
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct pm_node *reader = &graph->nodes[i];
        takers += reader->input_count > 0 && reader->inputs[0] == before->value && takes(reader, before);
    }
    if (takers != before->users) return;
    node->prologue = before;
    node->inputs[0] = before->inputs[0];
    before->users--;
    graph->nodes[before->inputs[0] - 1].users++;
}

/* The node that makes the latest of the inputs, when nobody else reads it. */
static struct pm_node *only_source(struct pm_graph *graph, const struct pm_node *node) {
    int latest = 0, times = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] > latest) latest = node->inputs[i];
    for (uint32_t i = 0; i < node->input_count; i++) times += node->inputs[i] == latest;
    if (latest == 0 || times != 1 || graph->nodes[latest - 1].users != 1) return NULL;
    return &graph->nodes[latest - 1];
}

/* Readers of `node` read `value` from here on. */
static void hand_over(struct pm_graph *graph, struct pm_node *node, int value) {
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint32_t j = 0; j < graph->nodes[i].input_count; j++)
            if (graph->nodes[i].inputs[j] == node->value) graph->nodes[i].inputs[j] = value;
    if (graph->features == node->value) graph->features = value;
    node->folded = 1;
    node->input_count = 0;
    node->users = 0;
}

/* A convolution multiplies by squeeze-and-excite's gate itself. */
static void take_gate(struct pm_graph *graph, struct pm_node *node) {
    if (!(node->layer->takes & PM_TAKES_GATE) || node->inputs[0] == 0) return;
    struct pm_node *product = &graph->nodes[node->inputs[0] - 1];
    if (product->users != 1 || !pm_conv_gate_suits(node, product)) return;
    node->gate = node->inputs[node->input_count++] = product->inputs[1];
    hand_over(graph, product, product->inputs[0]);
}

/* `before` stands for `node` from here on; what else `node` reads becomes an input of `before`. */
static void replace(struct pm_graph *graph, struct pm_node *node, struct pm_node *before) {
    int residual = before->epilogue.residual;
    if (residual >= 0 && before->inputs[before->input_count - 1] != residual)
        before->inputs[before->input_count++] = residual;
    before->users = node->users;
    before->shape = node->shape;
    before->rms = node->rms;
    hand_over(graph, node, before->value);
}

/* A scale and shift of the network's input that everybody reads: the table of bytes holds them as well. */
static int enter_table(struct pm_graph *graph, struct pm_node *node) {
    const struct pm_epilogue *epilogue = &node->epilogue;
    if (!(node->layer->takes & PM_IS_AFFINE) || !pm_epilogue_is_linear(epilogue)) return 0;
    if (node->inputs[0] != 0 || graph->features == node->value) return 0;
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint32_t j = 0; j < graph->nodes[i].input_count; j++)
            if (graph->nodes[i].inputs[j] == 0 && &graph->nodes[i] != node) return 0;
    if (epilogue->scale) pm_preprocess_affine(&graph->preprocess, epilogue->scale, epilogue->shift);
    hand_over(graph, node, 0);
    return 1;
}

/* Nodes that lead nowhere: those behind the feature map, and paddings that every reader took over. */
static void drop_unused(struct pm_graph *graph) {
    for (uint32_t i = graph->node_count; i-- > 0;) {
        struct pm_node *node = &graph->nodes[i];
        if (node->users > 0 || node->folded) continue;
        for (uint32_t j = 0; j < node->input_count; j++)
            if (node->inputs[j] > 0) graph->nodes[node->inputs[j] - 1].users--;
        node->folded = 1;
        node->input_count = 0;
    }
}

/* Sums of whole numbers are exact, so layers that can take them get them, a single one as int16 if it likes. */
static void make_whole(struct pm_graph *graph, const struct pm_plan *plan) {
    const struct pm_node *reader = NULL;
    uint32_t readers = 0;
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint32_t j = 0; j < graph->nodes[i].input_count; j++) {
            if (graph->nodes[i].inputs[j] != 0) continue;
            reader = &graph->nodes[i];
            readers++;
            if (!(reader->layer->takes & PM_TAKES_WHOLE)) return;
        }
    graph->whole = pm_preprocess_make_whole(&graph->preprocess, graph->unit);
    graph->digits = graph->whole && readers == 1 && pm_conv_digits_suits(reader, plan);
}

static int takes_clamp(const struct pm_node *part) {
    return part->users == 1 && part->layer->takes & PM_TAKES_CLAMP && !part->epilogue.activation.function;
}

/* The clamp of a concatenation goes to the makers of those parts that nobody else reads. */
static void give_clamps(struct pm_graph *graph) {
    for (uint32_t i = graph->node_count; i-- > 0;) {
        struct pm_node *node = &graph->nodes[i];
        if (!(node->layer->takes & PM_IS_CONCAT) || pm_epilogue_is_linear(&node->epilogue)) continue;
        for (uint32_t j = 0; j < node->input_count; j++) {
            struct pm_node *part = node->inputs[j] ? &graph->nodes[node->inputs[j] - 1] : NULL;
            if (part && takes_clamp(part)) pm_epilogue_clamp(part, node->epilogue.low, node->epilogue.high);
            else node->unclamped |= (uint64_t)1 << j;
        }
    }
}

/* A convolution whose value one node alone reads: that node may run it by bands, so that the value never leaves the
 * cache. */
static void find_producers(struct pm_graph *graph, const struct pm_plan *plan) {
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct pm_node *node = &graph->nodes[i];
        if (node->folded || node->prologue || !(node->layer->takes & PM_TAKES_BANDS)) continue;
        struct pm_node *before = only_source(graph, node);
        if (!before || !pm_conv_bands_suit(before, node, plan, pm_graph_shape(graph, before->inputs[0]))) continue;
        node->producer = before;
        before->banded = 1;
    }
}

/* What its only reader would round to bf16 is written so: half the memory, and no pass of rounding. */
static void find_pairs(struct pm_graph *graph) {
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct pm_node *node = &graph->nodes[i];
        if (node->folded || node->inputs[0] == 0) continue;
        struct pm_node *before = &graph->nodes[node->inputs[0] - 1];
        before->pairs = before->users == 1 && pm_conv_bf16_reads_pairs(node, before);
    }
}

/* Whether all that read a value could read it in parts; with `part`, it and what is made of it slot by slot become such
 * maps. */
static int read_in_parts(struct pm_graph *graph, const struct pm_plan *plan, struct pm_node *node, uint32_t part) {
    if (graph->features == node->value) return 0;
    if (part) node->part = part;
    for (uint32_t i = (uint32_t)node->value; i < graph->node_count; i++) {
        struct pm_node *reader = &graph->nodes[i];
        for (uint32_t j = 0; j < reader->input_count; j++) {
            if (reader->inputs[j] != node->value) continue;
            int keeps = reader->layer->takes & PM_KEEPS_SLOTS && reader->input_count == 1 &&
                        read_in_parts(graph, plan, reader, part);
            if (!keeps && (j > 0 || !pm_conv_takes_parts(reader, plan, &node->shape))) return 0;
        }
    }
    return 1;
}

/* Parts of one size that do not fill whole blocks: with gaps between them they can be written where they belong. */
static void find_parts(struct pm_graph *graph, const struct pm_plan *plan) {
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct pm_node *node = &graph->nodes[i];
        if (node->folded || !(node->layer->takes & PM_IS_CONCAT)) continue;
        uint32_t part = node->shape.channels / node->input_count;
        int fits = node->input_count > 1 && part % PM_BLOCK > 0 && part > PM_BLOCK / 2;
        for (uint32_t j = 0; j < node->input_count; j++)
            fits = fits && pm_graph_shape(graph, node->inputs[j])->channels == part;
        if (fits && read_in_parts(graph, plan, node, 0)) read_in_parts(graph, plan, node, part);
    }
}

static int are_twins(const struct pm_node *a, const struct pm_node *b) {
    return a->layer == b->layer && a->input_count == b->input_count &&
           !memcmp(a->inputs, b->inputs, a->input_count * sizeof *a->inputs) &&
           !memcmp(a->weights, b->weights, sizeof a->weights) &&
           (a->attributes == b->attributes || cJSON_Compare(a->attributes, b->attributes, 1));
}

/* The same of the same inputs is the same value: NASNet's branches each begin with a ReLU of their own. No weight
 * serves two nodes, so twins have none. */
static void merge_twins(struct pm_graph *graph) {
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint32_t j = 0; j < i; j++) {
            if (graph->nodes[j].folded || !are_twins(&graph->nodes[j], &graph->nodes[i])) continue;
            hand_over(graph, &graph->nodes[i], graph->nodes[j].value);
            break;
        }
}

static void estimate_rms(struct pm_graph *graph) {
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct pm_node *node = &graph->nodes[i];
        double inputs[PM_MAX_INPUTS];
        for (uint32_t j = 0; j < node->input_count; j++)
            inputs[j] = node->inputs[j] > 0 ? graph->nodes[node->inputs[j] - 1].rms : 0;
        node->rms = node->layer->rms ? node->layer->rms(node, inputs) : 0;
    }
}

void pm_graph_fold(struct pm_graph *graph, const struct pm_plan *plan) {
    const int rounds = plan->bf16 && plan->slices == 1;
    estimate_rms(graph);
    merge_twins(graph);
    count_users(graph);
    drop_unused(graph);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct pm_node *node = &graph->nodes[i];
        if (node->folded) continue;
        take_padding(graph, node);
        take_gate(graph, node);
        if (rounds) take_prologue(graph, node);
        if (enter_table(graph, node)) continue;
        struct pm_node *before = node->layer->fold ? only_source(graph, node) : NULL;
        if (before && node->layer->fold(node, before)) replace(graph, node, before);
    }
    drop_unused(graph);
    give_clamps(graph);
    make_whole(graph, plan);
    find_producers(graph, plan);
    if (rounds) find_pairs(graph);
    find_parts(graph, plan);
}
