/* SPDX-License-Identifier: Apache-2.0 */

/* Where the time of a network goes: each layer's least time over many calls, since whatever else the machine does only
 * adds to it. */
#define _POSIX_C_SOURCE 200809L
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define MIN_CALLS 5

struct profile {
    const struct tool_options *options;
    pomona_session *session;
    uint8_t *pixels;
    float *vectors;
    double *least, *seconds; /* by layer, of one call */
    uint32_t layers;
};

static void measure(struct profile *p) {
    uint32_t batch = p->options->session.batch;
    double begin = tool_seconds();
    for (int call = 0; call < MIN_CALLS || tool_seconds() - begin < p->options->seconds; call++) {
        memset(p->seconds, 0, p->layers * sizeof *p->seconds);
        pomona_session_profile_pixels(p->session, p->pixels, batch, p->vectors, p->seconds, NULL);
        for (uint32_t i = 0; i < p->layers; i++)
            if (call == 0 || p->seconds[i] < p->least[i]) p->least[i] = p->seconds[i];
    }
}

char *tool_bench_text(const struct tool_options *options, const char *text) {
    if (!options->json) return strdup(text);
    cJSON *string = cJSON_CreateString(text);
    char *quoted = cJSON_PrintUnformatted(string);
    cJSON_Delete(string);
    return quoted;
}

/* Times are of one image. */
static int print(const struct profile *p, const pomona_model *model, double peak) {
    double total = 0, macs = 0;
    const int json = p->options->json;
    if (!json) printf("%-36s %-18s %-15s %9s %6s  %s\n", "layer", "operation", "map", "us", "peak", "kernel");
    for (uint32_t i = 0; i < p->layers; i++) {
        pomona_layer_info layer = {.size = sizeof layer};
        char map[48];
        pomona_model_get_layer(model, i, &layer, NULL);
        char *name = tool_bench_text(p->options, layer.name);
        if (!name) return tool_fail(EXIT_FAILED, "out of memory");
        double seconds = p->least[i] / p->options->session.batch, share = (double)layer.macs / seconds / peak;
        snprintf(map, sizeof map, "%ux%ux%u", layer.height, layer.width, layer.channels);
        printf(json ? "{\"layer\": %s, \"operation\": \"%s\", \"map\": \"%s\", \"microseconds\": %.2f, "
                      "\"peak_share\": %.3f, \"kernel\": \"%s\"}\n"
                    : "%-36s %-18s %-15s %9.1f %6.2f  %s\n",
               name, layer.operation, map, seconds * 1e6, share, layer.kernel);
        free(name);
        total += seconds;
        macs += (double)layer.macs;
    }
    if (!json) printf("%-71s %9.1f %6.2f\n", "all layers", total * 1e6, macs / total / peak);
    return EXIT_OK;
}

static int allocate(struct profile *p, const pomona_model_info *info) {
    size_t batch = p->options->session.batch;
    p->layers = info->layer_count;
    p->pixels = tool_noise((size_t)info->input_height * info->input_width * 3 * batch);
    p->vectors = malloc(pomona_session_output_length(p->session) * batch * sizeof *p->vectors);
    p->least = calloc(p->layers, sizeof *p->least);
    p->seconds = calloc(p->layers, sizeof *p->seconds);
    return p->pixels && p->vectors && p->least && p->seconds;
}

int tool_bench_layers(const struct tool_options *options, pomona_model *model) {
    pomona_model_info info = {.size = sizeof info};
    pomona_error error;
    struct profile p = {.options = options};
    int status = EXIT_OK;
    if (pomona_model_get_info(model, &info, &error) ||
        pomona_session_open(model, &options->session, &p.session, &error))
        return tool_fail(EXIT_FAILED, "%s", error.message);
    if (allocate(&p, &info)) {
        double peak = pomona_cpu_peak();
        measure(&p);
        status = print(&p, model, peak);
    } else status = tool_fail(EXIT_FAILED, "out of memory");
    pomona_session_close(p.session);
    free(p.pixels);
    free(p.vectors);
    free(p.least);
    free(p.seconds);
    return status;
}
