/* SPDX-License-Identifier: Apache-2.0 */
#include "net_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "naive_net.h"

#define BOUND 1e-5 /* of the largest value of the map */
#define IMAGES 3
#define BATCH 2
#define SKIPPED 77 /* CTest's SKIP_RETURN_CODE */

static int input_side(const struct model_maker *maker, const char *side) {
    return cJSON_GetObjectItem(cJSON_GetObjectItem(maker->graph, "input"), side)->valueint;
}

static void compare(const struct naive_map *expected, const float *found, const char *what) {
    int count = expected->height * expected->width * expected->channels;
    double largest = 0, worst = 0;
    for (int i = 0; i < count; i++) {
        largest = fmax(largest, fabs(expected->values[i]));
        double difference = fabs(found[i] - expected->values[i]);
        if (!(difference <= worst)) worst = difference; /* NaN too */
    }
    if (!(worst <= BOUND * largest)) fail_msg("%s: differs by %g, values up to %g", what, worst, largest);
}

uint32_t check_graph(const struct model_maker *maker, const char *what) {
    return check_graph_in(maker, POMONA_PRECISION_DEFAULT, what);
}

float *run_images(pomona_model *model, const uint8_t *rgb, uint32_t images, uint32_t batch, size_t *length) {
    pomona_session_options options = {.size = sizeof options, .pooling = POMONA_POOLING_NONE, .batch = batch};
    pomona_session *session = NULL;
    assert_int_equal(pomona_session_open(model, &options, &session, NULL), POMONA_OK);
    *length = pomona_session_output_length(session);
    float *found = malloc(images * *length * sizeof *found);
    assert_int_equal(pomona_session_run_pixels(session, rgb, images, found, NULL), POMONA_OK);
    pomona_session_close(session);
    return found;
}

uint32_t check_graph_in(const struct model_maker *maker, pomona_precision precision, const char *what) {
    uint32_t height = (uint32_t)input_side(maker, "height"), width = (uint32_t)input_side(maker, "width");
    struct model_file file = maker_write(maker);
    uint8_t *rgb = random_pixels(height, width, IMAGES, 7);
    pomona_model *model = open_model_in(&file, precision);
    pomona_model_info info = {.size = sizeof info};
    size_t length;
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    float *found = run_images(model, rgb, IMAGES, BATCH, &length);
    for (size_t i = 0; i < IMAGES; i++) {
        struct naive_map expected = naive_run(maker, rgb + i * height * width * 3);
        assert_int_equal(expected.height, info.feature_height);
        assert_int_equal(expected.width, info.feature_width);
        assert_int_equal(expected.channels, info.feature_channels);
        compare(&expected, found + i * length, what);
        free(expected.values);
    }
    uint32_t layers = info.layer_count;
    pomona_model_close(model);
    assert_int_equal(pomona_memory_in_use(), 0);
    free(found);
    free(rgb);
    free_model(&file);
    return layers;
}

void check_batches(pomona_model *model, uint32_t images, uint32_t most) {
    pomona_model_info info = {.size = sizeof info};
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    uint8_t *rgb = random_pixels(info.input_height, info.input_width, images, 3);
    size_t length;
    float *alone = run_images(model, rgb, images, 1, &length);
    for (uint32_t batch = 2; batch <= most; batch++) {
        float *together = run_images(model, rgb, images, batch, &length);
        assert_memory_equal(together, alone, images * length * sizeof *alone);
        free(together);
    }
    free(alone);
    free(rgb);
}

int runs_by(const struct model_maker *maker, pomona_precision precision, const char *layer, const char *word) {
    struct model_file file = maker_write(maker);
    pomona_model *model = open_model_in(&file, precision);
    pomona_layer_info info = {.size = sizeof info};
    int found = -1;
    for (uint32_t i = 0; !pomona_model_get_layer(model, i, &info, NULL); i++)
        if (!strcmp(info.name, layer)) found = strstr(info.kernel, word) != NULL;
    pomona_model_close(model);
    free_model(&file);
    return found;
}

const char *lead_in(struct model_maker *maker, int count, uint32_t channels) {
    static const char *const names[] = {"lead0", "lead1", "lead2", "lead3"};
    static const uint32_t one[] = {1, 1};
    const char *last = "input";
    for (int i = 0; i < count; i++) {
        maker_conv(maker, names[i], last, one, i ? channels : 3, channels, 1, NULL);
        last = names[i];
    }
    return last;
}

int level_missing(void) {
    const char *wanted = getenv("POMONA_CPU");
    if (!wanted || !strcmp(wanted, pomona_cpu_level())) return 0;
    printf("skipped: this CPU runs %s, not %s\n", pomona_cpu_level(), wanted);
    return SKIPPED;
}
