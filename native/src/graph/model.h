/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POMONA_GRAPH_MODEL_H
#define POMONA_GRAPH_MODEL_H

#include <stdatomic.h>

#include "graph/graph.h"

/* Immutable once opened; freed with its last reference. */
struct pomona_model {
    struct pm_graph graph;
    struct pm_plan plan;
    struct pm_map *maps;
    float *weights; /* all packed weights, one block */
    uint64_t weight_bytes;
    _Atomic uint64_t references;
};

/* One more reference, given up by pomona_model_close. Any thread. */
void pm_model_retain(pomona_model *model);

#endif
