/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tool.h"

#define SHOWN_CLASSES 5

static const char help[] = "usage: pomona model info|verify FILE\n\n"
                           "  info    layers, multiply-accumulates, parameters, memory, provenance, classes\n"
                           "  verify  checks every checksum and limit; prints ok\n";

static void print_layers(const pomona_model *model, uint32_t count) {
    printf("%-32s %-18s %-32s %16s %10s\n", "layer", "operation", "kernel", "output", "MMAC");
    for (uint32_t i = 0; i < count; i++) {
        pomona_layer_info layer = {.size = sizeof layer};
        char shape[32];
        if (pomona_model_get_layer(model, i, &layer, NULL)) return;
        snprintf(shape, sizeof shape, "%ux%ux%u", layer.height, layer.width, layer.channels);
        printf("%-32s %-18s %-32s %16s %10.2f\n", layer.name, layer.operation, layer.kernel, shape,
               (double)layer.macs * 1e-6);
    }
}

/* The first few names show which list it is. */
static void print_classes(const pomona_model *model, uint32_t count) {
    printf("classes         %u:", count);
    for (uint32_t i = 0; i < count && i < SHOWN_CLASSES; i++)
        printf("%s %s", i ? "," : "", pomona_model_class_name(model, i));
    puts(count > SHOWN_CLASSES ? ", ..." : "");
}

static double mebibytes(uint64_t bytes) { return (double)bytes / 0x100000; }

/* The terms of the formula in docs/tuning.md. A session has the pixels of one image beside the layers' scratch. */
static void print_memory(const pomona_model_info *info) {
    uint64_t pixels = (uint64_t)info->input_height * info->input_width * 3;
    printf("memory          %.1f MiB of weights once a process + sessions x (batch x %.1f MiB + %.1f MiB)\n",
           mebibytes(info->weight_bytes), mebibytes(info->arena_bytes), mebibytes(info->scratch_bytes + pixels));
}

static void print_info(const pomona_model *model) {
    pomona_model_info info = {.size = sizeof info};
    if (pomona_model_get_info(model, &info, NULL)) return;
    printf("name            %s\ninput           %ux%ux3\nfeatures        %ux%ux%u\nparameters      %llu\n"
           "MACs            %.1f million an image\nCPU level       %s\n",
           info.name, info.input_height, info.input_width, info.feature_height, info.feature_width,
           info.feature_channels, (unsigned long long)info.parameters, (double)info.macs * 1e-6, info.cpu_level);
    print_memory(&info);
    printf("provenance      %s\n", info.provenance);
    if (info.class_count) print_classes(model, info.class_count);
    putchar('\n');
    print_layers(model, info.layer_count);
}

int tool_model(int argc, char **argv) {
    static const char *const none[] = {NULL};
    struct tool_options options;
    pomona_model *model;
    pomona_error error;
    int first, status = tool_read_options(argc, argv, none, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    int info = argc - first == 2 && !strcmp(argv[first], "info");
    if (!info && (argc - first != 2 || strcmp(argv[first], "verify") != 0)) {
        fputs(help, stderr);
        return EXIT_USAGE;
    }
    if (pomona_model_open(argv[first + 1], NULL, &model, &error))
        return tool_fail(EXIT_FAILED, "%s: %s", argv[first + 1], error.message);
    if (info) print_info(model);
    else puts("ok");
    pomona_model_close(model);
    return EXIT_OK;
}
