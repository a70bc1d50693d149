/* SPDX-License-Identifier: Apache-2.0 */

/* The rows of a CSV file: a path, then numbers, or then the likeliest classes. */
#include <math.h>
#include <string.h>

#include "tool.h"

/* A field in quotes, which are doubled inside, where it holds what would end it. */
static void write_field(const char *text, FILE *out) {
    int quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted) fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    if (quoted) fputc('"', out);
}

void tool_write_vector(const char *path, const float *row, size_t length, FILE *out) {
    write_field(path, out);
    for (size_t i = 0; i < length; i++) fprintf(out, ",%.9g", (double)row[i]);
    fputc('\n', out);
}

/* The largest number that comes after row[last] in falling order, of equals the first; `length` for none. */
static size_t next_largest(const float *row, size_t length, size_t last) {
    size_t best = length;
    for (size_t i = 0; i < length; i++) {
        int left = last == length || row[i] < row[last] || (row[i] == row[last] && i > last);
        if (left && !isnan(row[i]) && (best == length || row[i] > row[best])) best = i;
    }
    return best;
}

void tool_write_top(const char *path, const float *row, size_t length, const pomona_model *model, uint32_t top,
                    FILE *out) {
    size_t place = length;
    write_field(path, out);
    for (uint32_t i = 0; i < top; i++) {
        if (!i || place < length) place = next_largest(row, length, place);
        fputc(',', out);
        if (place < length) write_field(pomona_model_class_name(model, (uint32_t)place), out);
        fprintf(out, ",%.9g", place < length ? (double)row[place] : (double)NAN);
    }
    fputc('\n', out);
}
