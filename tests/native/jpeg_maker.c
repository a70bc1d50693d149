/* SPDX-License-Identifier: Apache-2.0 */
#include "jpeg_maker.h"

#include <stdlib.h>
#include <string.h>

static void fill_row(uint8_t *row, int y, int width, int components, uint32_t *noise) {
    for (int x = 0; x < width; x++)
        for (int c = 0; c < components; c++) {
            *noise = *noise * 1664525u + 1013904223u;
            row[x * components + c] = (uint8_t)(3 * x + 5 * y + 70 * c + (int)(*noise >> 28));
        }
}

static void set_up(struct jpeg_compress_struct *jpeg, const struct jpeg_kind *kind, jpeg_scan_info *scans) {
    jpeg->image_width = (JDIMENSION)kind->width;
    jpeg->image_height = (JDIMENSION)kind->height;
    jpeg->input_components = kind->components;
    jpeg->in_color_space = kind->space;
    jpeg_set_defaults(jpeg);
    if (kind->stored) jpeg_set_colorspace(jpeg, kind->stored);
    jpeg_set_quality(jpeg, kind->quality ? kind->quality : 75, TRUE);
    jpeg->restart_interval = (unsigned)kind->restart;
    for (int c = 0; c < jpeg->num_components; c++) {
        int luma = c == 0 || c == 3;
        jpeg->comp_info[c].h_samp_factor = luma && kind->horizontal ? kind->horizontal : 1;
        jpeg->comp_info[c].v_samp_factor = luma && kind->vertical ? kind->vertical : 1;
    }
    if (kind->scans == PROGRESSIVE) jpeg_simple_progression(jpeg);
    if (kind->scans != SCAN_PER_COMPONENT) return;
    for (int c = 0; c < jpeg->num_components; c++)
        scans[c] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {c}, .Se = 63};
    jpeg->scan_info = scans;
    jpeg->num_scans = jpeg->num_components;
}

struct jpeg_file make_jpeg(struct jpeg_kind kind) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg_scan_info scans[MAX_COMPONENTS];
    unsigned char *buffer = NULL;
    unsigned long length = 0;
    uint32_t noise = 1;
    if (!kind.components) kind.components = kind.space == JCS_GRAYSCALE ? 1 : kind.space == JCS_CMYK ? 4 : 3;
    jpeg.err = jpeg_std_error(&errors); /* leaves the program on an error: the kind is wrong then */
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &buffer, &length);
    set_up(&jpeg, &kind, scans);
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t *row = malloc((size_t)kind.width * (size_t)kind.components);
    for (int y = 0; y < kind.height; y++) {
        fill_row(row, y, kind.width, kind.components, &noise);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    struct jpeg_file whole = {buffer, length}, exact = cut_jpeg(&whole, length);
    free(row);
    free(buffer);
    return exact;
}

struct jpeg_file cut_jpeg(const struct jpeg_file *file, size_t length) {
    struct jpeg_file copy = {malloc(length ? length : 1), length};
    memcpy(copy.data, file->data, length);
    return copy;
}

struct jpeg_file insert_bytes(const struct jpeg_file *file, size_t offset, const void *bytes, size_t count) {
    struct jpeg_file copy = {malloc(file->length + count), file->length + count};
    memcpy(copy.data, file->data, offset);
    memcpy(copy.data + offset, bytes, count);
    memcpy(copy.data + offset + count, file->data + offset, file->length - offset);
    return copy;
}

size_t find_marker(const struct jpeg_file *file, uint8_t code, unsigned nth) {
    for (size_t i = 0; i + 1 < file->length; i++)
        if (file->data[i] == 0xFF && file->data[i + 1] == code && nth-- == 0) return i;
    return file->length;
}

void free_jpeg(struct jpeg_file *file) {
    free(file->data);
    *file = (struct jpeg_file){0};
}
