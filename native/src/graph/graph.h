/* SPDX-License-Identifier: Apache-2.0 */

/* The network between file and memory: read (read.c), folded (fold.c), placed in the arena (turn.c, plan.c), and owned
 * by a model (model.c), which sessions run (session.c). */
#ifndef POMONA_GRAPH_GRAPH_H
#define POMONA_GRAPH_GRAPH_H

#include "graph/preprocess.h"
#include "layers/layer.h"

struct pm_graph {
    char *name, *provenance;
    char **classes; /* names of the feature map's channels, NULL for none */
    uint32_t class_count;
    struct pm_preprocess preprocess;
    int whole; /* the input map holds whole numbers, x is unit[c] times as much */
    double unit[PM_INPUT_CHANNELS];
    int digits; /* and these are int16, for the one convolution that reads them */
    struct pm_shape input;
    struct pm_node *nodes;
    uint32_t node_count;
    int features;               /* value of the feature map */
    uint64_t parameters, taken; /* numbers in the file's tensors; of these, how many are weights of layers */
};

/* Reads and checks the graph of an open container; its tensors must outlive the graph until packing is done. Close with
 * pm_graph_close, also after a failure. */
pomona_status pm_graph_read(struct pm_graph *graph, const struct pm_container *container, pomona_error *error);
void pm_graph_close(struct pm_graph *graph);

/* The shape of a value. */
const struct pm_shape *pm_graph_shape(const struct pm_graph *graph, int value);

/* Moves paddings, batch norms, additions and clamps into their neighbours, and marks nodes that nobody needs. Lets the
 * input map hold whole numbers where preprocessing and its readers allow. Of the plan, kernels and precision are there.
 */
void pm_graph_fold(struct pm_graph *graph, const struct pm_plan *plan);

/* The first of the nodes that run for a whole batch, those before it image by image; node_count: none. */
uint32_t pm_graph_turn(const struct pm_graph *graph);

/* Places the values in the arena: maps[node_count + 1], by value; sets the plan's turn, slice and early. LIMIT when one
 * image would exceed PM_MAX_SLICE. */
#define PM_MAX_SLICE ((uint64_t)4 << 30)
pomona_status pm_graph_place(const struct pm_graph *graph, struct pm_map *maps, struct pm_plan *plan,
                             pomona_error *error);

#endif
