/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "graph/model.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/memory.h"

static pomona_status check_options(const pomona_model_options *options, pomona_error *error) {
    pomona_precision precision = POMONA_PRECISION_DEFAULT;
    if (options) {
        POMONA_RETURN_IF(options->size < sizeof *options, error, POMONA_INVALID_ARGUMENT,
                         "pomona_model_options.size is %zu, must be at least %zu", options->size, sizeof *options);
        precision = options->precision;
    }
    POMONA_RETURN_IF(precision > POMONA_PRECISION_AUTO, error, POMONA_INVALID_ARGUMENT, "precision %d is unknown",
                     (int)precision);
    POMONA_RETURN_IF(precision == POMONA_PRECISION_FP32_SPLIT && !(pm_bf16_kernels() && pm_bf16_kernels()->splits),
                     error, POMONA_UNSUPPORTED,
                     "precision fp32-split needs AMX kernels: a CPU with AMX tiles, a system that grants them, and "
                     "POMONA_CPU not below amx; kernels here: %s; use fp32 or auto",
                     pomona_cpu_level());
    POMONA_RETURN_IF(precision == POMONA_PRECISION_BF16 && !pm_bf16_kernels(), error, POMONA_UNSUPPORTED,
                     "precision bf16 needs a CPU with AVX512_BF16, and POMONA_CPU not below avx512; kernels here: %s; "
                     "use fp32 or auto",
                     pomona_cpu_level());
    return POMONA_OK;
}

/* Weights of a node start at whole cache lines. */
static uint64_t line_floats(uint64_t floats) {
    const uint64_t line = PM_ALIGNMENT / sizeof(float);
    return (floats + line - 1) / line * line;
}

static pomona_status prepare_nodes(pomona_model *model, uint64_t *floats, pomona_error *error) {
    uint32_t order = 0, step = 0;
    *floats = 0;
    for (uint32_t i = 0; i < model->graph.node_count; i++) {
        struct pm_node *node = &model->graph.nodes[i];
        if (node->folded) continue;
        node->step = step++;
        node->order = order;
        order += node->layer->pack != NULL;
        if (!node->kernel) node->kernel = node->layer->kernel ? node->layer->kernel : node->layer->name;
        if (node->layer->prepare) POMONA_TRY(node->layer->prepare(node, &model->plan, error));
        if (node->scratch_floats > model->plan.scratch) model->plan.scratch = node->scratch_floats;
        POMONA_RETURN_IF(!pm_add(*floats, line_floats(node->packed_count), floats) ||
                             *floats > PM_MAX_SLICE / sizeof(float),
                         error, POMONA_LIMIT, "layer %s: the packed weights up to it need more than %llu MiB",
                         node->name, (unsigned long long)(PM_MAX_SLICE >> 20));
    }
    return POMONA_OK;
}

static pomona_status pack_nodes(pomona_model *model, pomona_error *error) {
    uint64_t floats;
    POMONA_TRY(prepare_nodes(model, &floats, error));
    model->weight_bytes = floats * sizeof(float);
    model->weights = pm_allocate(model->weight_bytes);
    POMONA_RETURN_IF(!model->weights, error, POMONA_OUT_OF_MEMORY, "no memory for %llu MiB of packed weights",
                     (unsigned long long)(model->weight_bytes >> 20));
    float *to = model->weights;
    for (uint32_t i = 0; i < model->graph.node_count; i++) {
        struct pm_node *node = &model->graph.nodes[i];
        if (node->folded || !node->layer->pack) continue;
        node->layer->pack(node, &model->plan, to);
        node->packed = to;
        to += line_floats(node->packed_count);
    }
    return POMONA_OK;
}

/* What was needed for packing alone. */
static void forget_file(struct pm_graph *graph) {
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct pm_node *node = &graph->nodes[i];
        memset(node->weights, 0, sizeof node->weights);
        node->attributes = NULL;
        pm_free(node->epilogue.scale);
        node->epilogue.scale = node->epilogue.shift = NULL;
    }
}

static pomona_status build(pomona_model *model, const uint8_t *data, size_t length, pomona_error *error) {
    struct pm_container container;
    pomona_status status = pm_container_open(&container, data, length, error);
    if (!status) status = pm_graph_read(&model->graph, &container, error);
    if (!status) {
        model->plan.kernels = pm_kernels_at_most(pm_cpu_allowed());
        pm_graph_fold(&model->graph, &model->plan);
        model->maps = pm_allocate_zeroed((size_t)model->graph.node_count + 1, sizeof *model->maps);
        if (!model->maps) status = pm_fail(error, POMONA_OUT_OF_MEMORY, "no memory to plan the arena");
    }
    if (!status) status = pm_graph_place(&model->graph, model->maps, &model->plan, error);
    if (!status) {
        model->plan.maps = model->maps;
        status = pack_nodes(model, error);
    }
    forget_file(&model->graph);
    pm_container_close(&container);
    return status;
}

/* Tensors are read in place, so bytes that lie askew are copied first. */
static pomona_status build_aligned(pomona_model *model, const void *data, size_t length, pomona_error *error) {
    if ((uintptr_t)data % PM_ALIGNMENT == 0) return build(model, data, length, error);
    void *copy = pm_allocate(length);
    POMONA_RETURN_IF(!copy, error, POMONA_OUT_OF_MEMORY, "no memory for a model of %zu bytes", length);
    pomona_status status = build(model, memcpy(copy, data, length), length, error);
    pm_free(copy);
    return status;
}

pomona_status pomona_model_open_memory(const void *data, size_t length, const pomona_model_options *options,
                                       pomona_model **model, pomona_error *error) {
    POMONA_RETURN_IF(!data || !model, error, POMONA_INVALID_ARGUMENT, "data and model must not be NULL");
    POMONA_TRY(check_options(options, error));
    pomona_model *result = pm_allocate_zeroed(1, sizeof *result);
    POMONA_RETURN_IF(!result, error, POMONA_OUT_OF_MEMORY, "no memory for a model");
    pomona_precision precision = options ? options->precision : POMONA_PRECISION_DEFAULT;
    result->plan.slices = precision == POMONA_PRECISION_FP32_SPLIT ? PM_BF16_SLICES : 1;
    if (precision == POMONA_PRECISION_BF16 || precision == POMONA_PRECISION_FP32_SPLIT)
        result->plan.bf16 = pm_bf16_kernels();
    atomic_init(&result->references, 1);
    pomona_status status = build_aligned(result, data, length, error);
    if (status) pomona_model_close(result);
    else *model = result;
    return status;
}

static pomona_status map_file(const char *path, int file, void **data, size_t *length, pomona_error *error) {
    struct stat info;
    POMONA_RETURN_IF(fstat(file, &info), error, POMONA_IO, "cannot read the model %s: %s", path, strerror(errno));
    POMONA_RETURN_IF(!S_ISREG(info.st_mode), error, POMONA_IO, "the model %s is not a file", path);
    POMONA_RETURN_IF(info.st_size == 0, error, POMONA_BAD_MODEL, "the model %s is empty", path);
    *length = (size_t)info.st_size;
    *data = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, file, 0);
    POMONA_RETURN_IF(*data == MAP_FAILED, error, POMONA_IO, "cannot map the model %s: %s", path, strerror(errno));
    return POMONA_OK;
}

pomona_status pomona_model_open(const char *path, const pomona_model_options *options, pomona_model **model,
                                pomona_error *error) {
    void *data = NULL;
    size_t length = 0;
    POMONA_RETURN_IF(!path || !model, error, POMONA_INVALID_ARGUMENT, "path and model must not be NULL");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    POMONA_RETURN_IF(file < 0, error, POMONA_IO, "cannot open the model %s: %s", path, strerror(errno));
    pomona_status status = map_file(path, file, &data, &length, error);
    close(file);
    if (status) return status;
    status = pomona_model_open_memory(data, length, options, model, error);
    munmap(data, length);
    return status;
}

void pm_model_retain(pomona_model *model) { atomic_fetch_add(&model->references, 1); }

void pomona_model_close(pomona_model *model) {
    if (!model || atomic_fetch_sub(&model->references, 1) > 1) return;
    pm_graph_close(&model->graph);
    pm_free(model->maps);
    pm_free(model->weights);
    pm_free(model);
}

static uint32_t layer_count(const struct pm_graph *graph) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < graph->node_count; i++) count += !graph->nodes[i].folded;
    return count;
}

static uint64_t total_macs(const struct pm_graph *graph) {
    uint64_t macs = 0;
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i].folded) macs += graph->nodes[i].macs;
    return macs;
}

pomona_status pomona_model_get_info(const pomona_model *model, pomona_model_info *info, pomona_error *error) {
    POMONA_RETURN_IF(!model || !info || info->size < sizeof *info, error, POMONA_INVALID_ARGUMENT,
                     "model and info must not be NULL, and info->size be set");
    const struct pm_shape *features = pm_graph_shape(&model->graph, model->graph.features);
    *info = (pomona_model_info){
        .size = sizeof *info,
        .name = model->graph.name,
        .provenance = model->graph.provenance,
        .cpu_level = model->plan.kernels->name,
        .input_height = model->graph.input.height,
        .input_width = model->graph.input.width,
        .feature_height = features->height,
        .feature_width = features->width,
        .feature_channels = features->channels,
        .layer_count = layer_count(&model->graph),
        .parameters = model->graph.parameters,
        .macs = total_macs(&model->graph),
        .weight_bytes = model->weight_bytes,
        .arena_bytes = model->plan.slice * sizeof(float),
        .scratch_bytes = (model->plan.early + model->plan.scratch) * sizeof(float),
        .class_count = model->graph.class_count,
    };
    return POMONA_OK;
}

const char *pomona_model_class_name(const pomona_model *model, uint32_t index) {
    return model && index < model->graph.class_count ? model->graph.classes[index] : NULL;
}

pomona_status pomona_model_get_layer(const pomona_model *model, uint32_t index, pomona_layer_info *info,
                                     pomona_error *error) {
    POMONA_RETURN_IF(!model || !info || info->size < sizeof *info, error, POMONA_INVALID_ARGUMENT,
                     "model and info must not be NULL, and info->size be set");
    for (uint32_t i = 0; i < model->graph.node_count; i++) {
        const struct pm_node *node = &model->graph.nodes[i];
        if (node->folded || index-- > 0) continue;
        *info = (pomona_layer_info){sizeof *info,       node->name,        node->layer->name,    node->kernel,
                                    node->shape.height, node->shape.width, node->shape.channels, node->macs};
        return POMONA_OK;
    }
    return pm_fail(error, POMONA_INVALID_ARGUMENT, "the model has no layer of that index");
}
