/* SPDX-License-Identifier: Apache-2.0 */

/* Where a network turns from image by image to the batch. Its first maps are large and their weights few: images side
 * by side would push each other out of the caches, and need an arena each. Its last maps are small and their weights
 * many: there images share what comes from memory. */
#include "graph/graph.h"

/* Floats of the largest map that a batch shares its weights for: half of a 1 MiB L2 cache. Measured: with twice as many
 * a layer of a batch of 4 takes up to 9 % longer than its images one by one. */
#define LATE_FLOATS ((uint64_t)512 * 1024 / sizeof(float))

static int is_large(const struct pm_node *node) {
    return !node->folded && !node->banded &&
           (uint64_t)node->shape.height * node->shape.width * node->shape.channels > LATE_FLOATS;
}

uint32_t pm_graph_turn(const struct pm_graph *graph) {
    uint32_t turn = graph->node_count;
    while (turn > 0 && !is_large(&graph->nodes[turn - 1])) turn--;
    return turn;
}
