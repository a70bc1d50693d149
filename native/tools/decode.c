/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "usage: pomona decode [--size WxH] [--resample F] [--fit squash|crop] --out FILE.npy IMAGE ...\n\n"
    "Writes uint8 pixels [images, height, width, 3], equal to Pillow's. Without --size: one image, in its own size.\n\n"
    "  --resample      nearest, box, bilinear, hamming, bicubic (default) or lanczos\n"
    "  --fit           squash (default) or crop: scale to cover, then the centre\n"
    "  --fast-decode   decode large images at a half, quarter or eighth of their size: faster, other pixels\n"
    "  --corrupt-data  reject (default) or accept damaged data\n"
    "  --max-pixels, --max-bytes, --max-scans   limits, checked on the header\n";

static const char *const accepted[] = {"size",      "resample",  "fit",         "corrupt-data", "max-pixels",
                                       "max-bytes", "max-scans", "fast-decode", "out",          NULL};

static int report(const char *path, pomona_reason reason) {
    return tool_fail(EXIT_FAILED, "%s: %s: %s", path, pomona_reason_name(reason), pomona_reason_text(reason));
}

/* Appends the pixels of one image to the file. */
static int write_image(const char *path, const struct tool_options *options, uint8_t *pixels, FILE *out) {
    uint8_t *data;
    size_t length, size = (size_t)options->width * options->height * 3;
    pomona_reason reason;
    pomona_error error;
    if (tool_read_file(path, &data, &length)) return EXIT_FAILED;
    pomona_status status = pomona_image_decode((pomona_bytes){data, length}, &options->session.image, options->width,
                                               options->height, pixels, &reason, &error);
    free(data);
    if (status) return tool_fail(EXIT_FAILED, "%s", error.message);
    if (reason) return report(path, reason);
    return fwrite(pixels, 1, size, out) == size ? 0 : tool_fail(EXIT_FAILED, "cannot write %s", options->out);
}

static int write_all(const struct tool_options *options, char **paths, size_t count, FILE *out) {
    size_t shape[] = {count, options->height, options->width, 3};
    uint8_t *pixels = malloc((size_t)options->width * options->height * 3);
    int status = pixels ? tool_npy_start(out, "|u1", shape, 4) : tool_fail(EXIT_FAILED, "out of memory");
    for (size_t i = 0; !status && i < count; i++) status = write_image(paths[i], options, pixels, out);
    free(pixels);
    return status;
}

/* The size of the image itself. */
static int probe(const char *path, struct tool_options *options) {
    uint8_t *data;
    size_t length;
    pomona_reason reason;
    pomona_error error;
    if (tool_read_file(path, &data, &length)) return EXIT_FAILED;
    pomona_status status = pomona_image_probe((pomona_bytes){data, length}, &options->session.image, &options->width,
                                              &options->height, &reason, &error);
    free(data);
    if (status) return tool_fail(EXIT_FAILED, "%s", error.message);
    return reason ? report(path, reason) : 0;
}

int tool_decode(int argc, char **argv) {
    struct tool_options options;
    int first, status = tool_read_options(argc, argv, accepted, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    size_t count = (size_t)(argc - first);
    if (count < 1 || !options.out) return tool_fail(EXIT_USAGE, "decode needs --out FILE.npy and at least one image");
    if (!options.width && count != 1) return tool_fail(EXIT_USAGE, "without --size, decode takes one image");
    if (!options.width && (status = probe(argv[first], &options))) return status;
    FILE *out = fopen(options.out, "wb");
    if (!out) return tool_fail(EXIT_FAILED, "cannot write %s: %s", options.out, strerror(errno));
    status = write_all(&options, argv + first, count, out);
    if (fclose(out) && !status) status = tool_fail(EXIT_FAILED, "cannot write %s: %s", options.out, strerror(errno));
    if (status) tool_discard(options.out);
    return status;
}
