/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/memory.h"
#include "graph/graph.h"

#define MAX_NODES 4096

static pomona_status read_input(const cJSON *root, struct pm_shape *shape, const char **name, pomona_error *error) {
    const cJSON *input;
    uint64_t height, width, channels;
    POMONA_TRY(pm_json_object(root, "input", "graph", &input, error));
    POMONA_TRY(pm_json_string(input, "name", "graph: input", name, error));
    POMONA_TRY(pm_json_uint(input, "height", "graph: input", 0, 1, PM_MAX_SIDE, &height, error));
    POMONA_TRY(pm_json_uint(input, "width", "graph: input", 0, 1, PM_MAX_SIDE, &width, error));
    POMONA_TRY(
        pm_json_uint(input, "channels", "graph: input", 0, PM_INPUT_CHANNELS, PM_INPUT_CHANNELS, &channels, error));
    *shape = (struct pm_shape){(uint32_t)height, (uint32_t)width, (uint32_t)channels};
    return POMONA_OK;
}

/* The value of that name among the input and the first `count` nodes, or -1. */
static int find_value(const struct pm_graph *graph, const char *input_name, uint32_t count, const char *name) {
    for (uint32_t i = count; i > 0; i--) /* the latest is the likeliest */
        if (!strcmp(graph->nodes[i - 1].name, name)) return (int)i;
    return strcmp(input_name, name) ? -1 : 0;
}

static pomona_status read_inputs(const struct pm_graph *graph, const char *input_name, uint32_t index,
                                 const cJSON *json, pomona_error *error) {
    struct pm_node *node = &graph->nodes[index];
    const cJSON *inputs, *item;
    POMONA_TRY(pm_json_array(json, "inputs", node->name, &inputs, error));
    int count = cJSON_GetArraySize(inputs);
    POMONA_RETURN_IF(count > PM_MAX_INPUTS || (uint32_t)count < node->layer->min_inputs ||
                         (uint32_t)count > node->layer->max_inputs,
                     error, POMONA_BAD_MODEL, "layer %s: %d inputs for a %s", node->name, count, node->layer->name);
    node->inputs = pm_allocate_zeroed((size_t)count + 2, sizeof *node->inputs); /* and gate, residual */
    POMONA_RETURN_IF(!node->inputs, error, POMONA_OUT_OF_MEMORY, "layer %s: no memory", node->name);
    cJSON_ArrayForEach(item, inputs) {
        int value = cJSON_IsString(item) ? find_value(graph, input_name, index, item->valuestring) : -1;
        POMONA_RETURN_IF(value < 0, error, POMONA_BAD_MODEL,
                         "layer %s: its input %.64s is no layer before it (layers must be in order)", node->name,
                         cJSON_IsString(item) ? item->valuestring : "(not a string)");
        node->inputs[node->input_count++] = value;
    }
    return POMONA_OK;
}

/* A tensor that served many layers would take memory for each of them, which its file does not pay for. */
static pomona_status take_weight(struct pm_graph *graph, const struct pm_node *node, const struct pm_tensor *tensor,
                                 pomona_error *error) {
    graph->taken += tensor->count;
    return graph->taken <= graph->parameters
               ? POMONA_OK
               : pm_fail(error, POMONA_BAD_MODEL,
                         "layer %s: tensor %s, or one of a layer before it, serves more than one layer", node->name,
                         tensor->name);
}

static pomona_status read_weights(struct pm_graph *graph, const struct pm_container *container, struct pm_node *node,
                                  const cJSON *json, pomona_error *error) {
    const cJSON *weights = cJSON_GetObjectItemCaseSensitive(json, "weights");
    for (int i = 0; i < PM_MAX_ROLES && node->layer->roles[i]; i++) {
        int optional = node->layer->roles[i][0] == '?';
        const char *role = node->layer->roles[i] + optional;
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(weights, role);
        if (!name && optional) continue;
        POMONA_RETURN_IF(!cJSON_IsString(name), error, POMONA_BAD_MODEL, "layer %s: no weight `%s`", node->name, role);
        node->weights[i] = pm_container_find(container, name->valuestring);
        POMONA_RETURN_IF(!node->weights[i], error, POMONA_BAD_MODEL, "layer %s: its `%s`, tensor %.64s, is not there",
                         node->name, role, name->valuestring);
        POMONA_TRY(take_weight(graph, node, node->weights[i], error));
    }
    return POMONA_OK;
}

static pomona_status find_layer(struct pm_node *node, const cJSON *json, pomona_error *error) {
    const char *op;
    char known[256];
    POMONA_TRY(pm_json_string(json, "op", node->name, &op, error));
    node->layer = pm_layer_find(op);
    if (node->layer) return POMONA_OK;
    pm_layer_names(known, sizeof known);
    return pm_fail(error, POMONA_UNSUPPORTED, "layer %s: operator %.32s; supported: %s", node->name, op, known);
}

static pomona_status infer_node(const struct pm_graph *graph, struct pm_node *node, pomona_error *error) {
    struct pm_shape inputs[PM_MAX_INPUTS];
    for (uint32_t i = 0; i < node->input_count; i++) inputs[i] = *pm_graph_shape(graph, node->inputs[i]);
    return node->layer->infer(node, inputs, error);
}

static pomona_status read_node(struct pm_graph *graph, const struct pm_container *container, const char *input_name,
                               const cJSON *json, pomona_error *error) {
    const char *name;
    struct pm_node *node = &graph->nodes[graph->node_count];
    POMONA_TRY(pm_json_string(json, "name", "graph: nodes", &name, error));
    POMONA_RETURN_IF(find_value(graph, input_name, graph->node_count, name) >= 0, error, POMONA_BAD_MODEL,
                     "layer %.64s: its name is taken already", name);
    node->epilogue = (struct pm_epilogue){.residual = -1, .low = -INFINITY, .high = INFINITY};
    node->value = (int)graph->node_count + 1;
    node->name = pm_copy_string(name);
    POMONA_RETURN_IF(!node->name, error, POMONA_OUT_OF_MEMORY, "layer %.64s: no memory", name);
    graph->node_count++;
    POMONA_TRY(find_layer(node, json, error));
    POMONA_TRY(read_inputs(graph, input_name, graph->node_count - 1, json, error));
    POMONA_TRY(read_weights(graph, container, node, json, error));
    node->attributes = cJSON_GetObjectItemCaseSensitive(json, "attributes");
    if (node->layer->read) POMONA_TRY(node->layer->read(node, node->attributes, error));
    return infer_node(graph, node, error);
}

/* What every node has, seen before there is memory for any. */
static pomona_status check_node(const cJSON *json, pomona_error *error) {
    const char *name, *op;
    const cJSON *inputs;
    POMONA_TRY(pm_json_string(json, "name", "graph: nodes", &name, error));
    POMONA_TRY(pm_json_string(json, "op", name, &op, error));
    return pm_json_array(json, "inputs", name, &inputs, error);
}

static pomona_status read_nodes(struct pm_graph *graph, const struct pm_container *container, const char *input_name,
                                pomona_error *error) {
    const cJSON *nodes, *item, *outputs;
    const char *features;
    POMONA_TRY(pm_json_array(container->graph, "nodes", "graph", &nodes, error));
    int count = cJSON_GetArraySize(nodes);
    POMONA_RETURN_IF(count < 1 || count > MAX_NODES, error, POMONA_BAD_MODEL, "graph: %d nodes; 1 to %d are read",
                     count, MAX_NODES);
    cJSON_ArrayForEach(item, nodes) POMONA_TRY(check_node(item, error));
    graph->nodes = pm_allocate_zeroed((size_t)count, sizeof *graph->nodes);
    POMONA_RETURN_IF(!graph->nodes, error, POMONA_OUT_OF_MEMORY, "graph: no memory for %d nodes", count);
    cJSON_ArrayForEach(item, nodes) POMONA_TRY(read_node(graph, container, input_name, item, error));

    POMONA_TRY(pm_json_object(container->graph, "outputs", "graph", &outputs, error));
    POMONA_TRY(pm_json_string(outputs, "features", "graph: outputs", &features, error));
    graph->features = find_value(graph, input_name, graph->node_count, features);
    POMONA_RETURN_IF(graph->features < 1, error, POMONA_BAD_MODEL, "graph: outputs: %.64s is no layer", features);
    return POMONA_OK;
}

static pomona_status read_labels(struct pm_graph *graph, const cJSON *root, pomona_error *error) {
    const char *name;
    const cJSON *provenance;
    POMONA_TRY(pm_json_string(root, "name", "graph", &name, error));
    POMONA_TRY(pm_json_object(root, "provenance", "graph", &provenance, error));
    char *text = cJSON_PrintUnformatted(provenance);
    graph->name = pm_copy_string(name);
    graph->provenance = text ? pm_copy_string(text) : NULL;
    cJSON_free(text);
    POMONA_RETURN_IF(!graph->name || !graph->provenance, error, POMONA_OUT_OF_MEMORY, "graph: no memory");
    return POMONA_OK;
}

/* A classifier's output is one pixel, and each channel of it has a name. */
static pomona_status read_classes(struct pm_graph *graph, const cJSON *root, pomona_error *error) {
    const cJSON *classes, *item;
    if (!cJSON_HasObjectItem(root, "classes")) return POMONA_OK;
    POMONA_TRY(pm_json_array(root, "classes", "graph", &classes, error));
    const struct pm_shape *shape = pm_graph_shape(graph, graph->features);
    uint32_t count = (uint32_t)cJSON_GetArraySize(classes);
    POMONA_RETURN_IF(shape->height != 1 || shape->width != 1 || shape->channels != count, error, POMONA_BAD_MODEL,
                     "graph: %u classes for features of %ux%ux%u; 1x1x%u are needed", count, shape->height,
                     shape->width, shape->channels, count);
    graph->classes = pm_allocate_zeroed(count, sizeof *graph->classes);
    POMONA_RETURN_IF(!graph->classes, error, POMONA_OUT_OF_MEMORY, "graph: no memory for %u classes", count);
    cJSON_ArrayForEach(item, classes) {
        POMONA_RETURN_IF(!cJSON_IsString(item), error, POMONA_BAD_MODEL, "graph: class %u is not a string",
                         graph->class_count);
        char *name = graph->classes[graph->class_count++] = pm_copy_string(item->valuestring);
        POMONA_RETURN_IF(!name, error, POMONA_OUT_OF_MEMORY, "graph: no memory for %u classes", count);
    }
    return POMONA_OK;
}

pomona_status pm_graph_read(struct pm_graph *graph, const struct pm_container *container, pomona_error *error) {
    const char *input_name;
    uint64_t version;
    memset(graph, 0, sizeof *graph);
    POMONA_TRY(pm_json_uint(container->graph, "version", "graph", 0, 0, UINT32_MAX, &version, error));
    POMONA_RETURN_IF(version != 1, error, POMONA_UNSUPPORTED, "graph: version %llu; this library reads version 1",
                     (unsigned long long)version);
    POMONA_TRY(read_labels(graph, container->graph, error));
    POMONA_TRY(pm_preprocess_read(container->graph, &graph->preprocess, error));
    POMONA_TRY(read_input(container->graph, &graph->input, &input_name, error));
    for (uint32_t i = 0; i < container->tensor_count; i++) graph->parameters += container->tensors[i].count;
    POMONA_TRY(read_nodes(graph, container, input_name, error));
    POMONA_TRY(read_classes(graph, container->graph, error));
    return POMONA_OK;
}

const struct pm_shape *pm_graph_shape(const struct pm_graph *graph, int value) {
    return value == 0 ? &graph->input : &graph->nodes[value - 1].shape;
}

void pm_graph_close(struct pm_graph *graph) {
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct pm_node *node = &graph->nodes[i];
        pm_free(node->name);
        pm_free(node->inputs);
        pm_free(node->epilogue.scale);
        pm_free(node->state);
    }
    for (uint32_t i = 0; i < graph->class_count; i++) pm_free(graph->classes[i]);
    pm_free(graph->classes);
    pm_free(graph->nodes);
    pm_free(graph->name);
    pm_free(graph->provenance);
    memset(graph, 0, sizeof *graph);
}
