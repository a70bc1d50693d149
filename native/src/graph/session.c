/* SPDX-License-Identifier: Apache-2.0 */

/* One thread's way from bytes to vectors: decode into a pixel buffer, look up into the input map, run the nodes up to
 * the turn; when the batch is full run the others over all of it, pool. */
#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "graph/model.h"
#include "graph/pool.h"
#include "image/image.h"

#define DEFAULT_BATCH 2 /* more cost memory and gain little: docs/tuning.md */

struct pomona_session {
    pomona_model *model;
    pomona_pooling pooling;
    pomona_image_options image;
    uint32_t batch;
    size_t output_length;
    float *arena;    /* batch slices, early values, the layers' scratch */
    uint8_t *pixels; /* one image */
    float **rows;    /* where the vectors of the batch go */
};

static pomona_status resolve(const pomona_session_options *given, pomona_session_options *options,
                             pomona_error *error) {
    *options = (pomona_session_options){.size = sizeof *options};
    if (given) {
        POMONA_RETURN_IF(given->size < sizeof *given, error, POMONA_INVALID_ARGUMENT,
                         "pomona_session_options.size is %zu, must be at least %zu", given->size, sizeof *given);
        *options = *given;
    }
    if (options->pooling == POMONA_POOLING_DEFAULT) options->pooling = POMONA_POOLING_AVG;
    if (options->batch == 0) options->batch = DEFAULT_BATCH;
    POMONA_RETURN_IF(options->pooling > POMONA_POOLING_NONE, error, POMONA_INVALID_ARGUMENT, "pooling %d is unknown",
                     (int)options->pooling);
    POMONA_RETURN_IF(options->batch > POMONA_MAX_BATCH, error, POMONA_INVALID_ARGUMENT, "batch %u is more than %u",
                     options->batch, POMONA_MAX_BATCH);
    if (options->image.size == 0) options->image.size = sizeof options->image;
    pomona_image_options image;
    POMONA_TRY(pm_image_options_resolve(&options->image, &image, error));
    options->image = image;
    return POMONA_OK;
}

static size_t pixel_bytes(const pomona_model *model) {
    return (size_t)model->graph.input.height * model->graph.input.width * model->graph.input.channels;
}

static pomona_status allocate(pomona_session *session, pomona_error *error) {
    const pomona_model *model = session->model;
    uint64_t arena;
    POMONA_RETURN_IF(!pm_multiply(model->plan.slice * sizeof(float), session->batch, &arena) ||
                         !pm_add(arena, (model->plan.early + model->plan.scratch) * sizeof(float), &arena),
                     error, POMONA_LIMIT, "a batch of %u needs too much memory", session->batch);
    session->arena = pm_allocate_zeroed(1, arena);
    session->pixels = pm_allocate(pixel_bytes(model));
    session->rows = pm_allocate_zeroed(session->batch, sizeof *session->rows);
    POMONA_RETURN_IF(!session->arena || !session->pixels || !session->rows, error, POMONA_OUT_OF_MEMORY,
                     "no memory for a session of %llu MiB; lower the batch of %u", (unsigned long long)(arena >> 20),
                     session->batch);
    return POMONA_OK;
}

pomona_status pomona_session_open(pomona_model *model, const pomona_session_options *given, pomona_session **session,
                                  pomona_error *error) {
    pomona_session_options options;
    POMONA_RETURN_IF(!model || !session, error, POMONA_INVALID_ARGUMENT, "model and session must not be NULL");
    POMONA_TRY(resolve(given, &options, error));
    pomona_session *result = pm_allocate_zeroed(1, sizeof *result);
    POMONA_RETURN_IF(!result, error, POMONA_OUT_OF_MEMORY, "no memory for a session");
    pm_model_retain(model);
    result->model = model;
    result->pooling = options.pooling;
    result->image = options.image;
    result->batch = options.batch;
    const struct pm_map *features = &model->maps[model->graph.features];
    result->output_length = pm_pooled_length(&features->shape, options.pooling);
    pomona_status status = allocate(result, error);
    if (status) pomona_session_close(result);
    else *session = result;
    return status;
}

void pomona_session_close(pomona_session *session) {
    if (!session) return;
    pm_free(session->arena);
    pm_free(session->pixels);
    pm_free(session->rows);
    pomona_model_close(session->model);
    pm_free(session);
}

size_t pomona_session_output_length(const pomona_session *session) { return session ? session->output_length : 0; }

/* Mostly a few pixels of a block, one line each: less than a call would take. */
static void clear(char *from, size_t bytes) {
    for (; bytes >= PM_ALIGNMENT; bytes -= PM_ALIGNMENT, from += PM_ALIGNMENT) memset(from, 0, PM_ALIGNMENT);
    if (bytes) memset(from, 0, bytes);
}

/* The arena is shared by values in turn, so a halo must be zeroed anew before its value is read. What stands right of a
 * row and left of the next one is one run. */
static void clear_halo(const struct pm_map *map, float *slice) {
    const size_t row = (size_t)map->row_stride * sizeof(float), pixels = pm_map_bytes(map, map->shape.width);
    const size_t left = pm_map_bytes(map, map->halo[PM_LEFT]), right = pm_map_bytes(map, map->halo[PM_RIGHT]);
    const size_t top = map->halo[PM_TOP] * row + left, bottom = map->halo[PM_BOTTOM] * row + right;
    const size_t between = left || right ? row - pixels : 0;
    if (top + bottom == 0) return;
    for (ptrdiff_t block = 0; block < pm_map_blocks(map); block++) {
        char *at = (char *)(slice + map->offset + block * map->block_stride);
        memset(at, 0, top);
        at += top;
        for (uint32_t y = 1; y < map->shape.height; y++, at += row) clear(at + pixels, between);
        memset(at + pixels, 0, bottom);
    }
}

static void clear_halos(const struct pm_run *run, int value) {
    const struct pm_map *map = &run->plan->maps[value];
    for (uint32_t i = 0; i < run->count; i++) clear_halo(map, pm_memory(run, map, i));
}

/* Of `count` images from `first` on. */
static struct pm_run run_of(const pomona_session *session, uint32_t first, uint32_t count, double *seconds) {
    const struct pm_plan *plan = &session->model->plan;
    float *early = session->arena + plan->slice * session->batch;
    return (struct pm_run){
        .plan = plan,
        .arena = session->arena + plan->slice * first,
        .scratch = early + plan->early,
        .early = early - plan->slice,
        .count = count,
        .seconds = seconds,
    };
}

/* Nodes from `first` to before `end`. */
static void run_nodes(const pomona_session *session, const struct pm_run *run, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        const struct pm_node *node = &session->model->graph.nodes[i];
        if (node->folded || node->banded) continue;
        double begin = run->seconds ? pm_seconds() : 0;
        clear_halos(run, node->value);
        node->layer->run(node, run);
        if (run->seconds) run->seconds[node->step] += pm_seconds() - begin;
    }
}

/* Bytes to the numbers of the input map, and on to where the batch waits. */
static void enter(const pomona_session *session, const uint8_t *rgb, uint32_t slot, double *seconds) {
    const struct pm_graph *graph = &session->model->graph;
    const struct pm_map *map = &session->model->maps[0];
    const struct pm_run run = run_of(session, slot, 1, seconds);
    clear_halos(&run, 0);
    float *to = pm_value(&run, 0, 0);
    int16_t *digits = (int16_t *)(to + map->halo[PM_TOP] * map->row_stride) + map->halo[PM_LEFT] * map->block;
    for (uint32_t y = 0; y < graph->input.height; y++, to += map->row_stride, rgb += graph->input.width * 3) {
        if (map->digits) pm_preprocess_whole_row(&graph->preprocess, rgb, graph->input.width, digits);
        else pm_preprocess_row(&graph->preprocess, rgb, graph->input.width, to, map->block);
        digits += 2 * map->row_stride;
    }
    run_nodes(session, &run, 0, run.plan->turn);
}

/* The rest of the network over the first `count` slots: their vectors to session->rows. */
static void run_batch(pomona_session *session, uint32_t count, double *seconds) {
    const struct pm_graph *graph = &session->model->graph;
    const struct pm_run run = run_of(session, 0, count, seconds);
    run_nodes(session, &run, run.plan->turn, graph->node_count);
    for (uint32_t i = 0; i < count; i++) pm_pool(&run, graph->features, i, session->pooling, session->rows[i]);
}

static void fill_nan(float *row, size_t length) {
    for (size_t i = 0; i < length; i++) row[i] = NAN;
}

pomona_status pomona_session_run(pomona_session *session, const pomona_bytes *images, size_t count, float *output,
                                 pomona_reason *reasons, pomona_error *error) {
    POMONA_RETURN_IF(!session || (count && (!images || !output || !reasons)), error, POMONA_INVALID_ARGUMENT,
                     "session, images, output and reasons must not be NULL");
    const struct pm_shape *input = &session->model->graph.input;
    uint32_t waiting = 0;
    for (size_t i = 0; i < count; i++) {
        float *row = output + i * session->output_length;
        reasons[i] = pm_image_load(images[i], &session->image, input->width, input->height, session->pixels);
        if (reasons[i] != POMONA_REASON_OK) {
            fill_nan(row, session->output_length);
            continue;
        }
        enter(session, session->pixels, waiting, NULL);
        session->rows[waiting++] = row;
        if (waiting == session->batch) run_batch(session, waiting, NULL), waiting = 0;
    }
    if (waiting) run_batch(session, waiting, NULL);
    return POMONA_OK;
}

static void run_all_pixels(pomona_session *session, const uint8_t *rgb, size_t count, float *output, double *seconds) {
    for (size_t i = 0; i < count;) {
        uint32_t together = count - i < session->batch ? (uint32_t)(count - i) : session->batch;
        for (uint32_t slot = 0; slot < together; slot++, i++) {
            enter(session, rgb + i * pixel_bytes(session->model), slot, seconds);
            session->rows[slot] = output + i * session->output_length;
        }
        run_batch(session, together, seconds);
    }
}

pomona_status pomona_session_run_pixels(pomona_session *session, const uint8_t *rgb, size_t count, float *output,
                                        pomona_error *error) {
    POMONA_RETURN_IF(!session || (count && (!rgb || !output)), error, POMONA_INVALID_ARGUMENT,
                     "session, rgb and output must not be NULL");
    run_all_pixels(session, rgb, count, output, NULL);
    return POMONA_OK;
}

pomona_status pomona_session_profile_pixels(pomona_session *session, const uint8_t *rgb, size_t count, float *output,
                                            double *seconds, pomona_error *error) {
    POMONA_RETURN_IF(!session || !seconds || (count && (!rgb || !output)), error, POMONA_INVALID_ARGUMENT,
                     "session, rgb, output and seconds must not be NULL");
    run_all_pixels(session, rgb, count, output, seconds);
    return POMONA_OK;
}
