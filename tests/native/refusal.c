/* SPDX-License-Identifier: Apache-2.0 */
#include "refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "malloc_watch.h"

/* At once: a tree of JSON takes up to 64 bytes a value, and malloc's own; values take 4 bytes of text at least. */
#define PEAK_A_BYTE 24
#define PEAK_FREE ((size_t)16 << 10)

/* In one piece: no more than the file, but the tables of layers and values, whose rows are some times as long as the
 * text that asks for them, and the model itself. */
#define TABLE_A_BYTE 3
#define MODEL_BYTES ((size_t)4 << 10)

/* Of the text in the file, as far as it goes. */
static size_t header_bytes(const struct model_file *file) {
    uint64_t announced = 0;
    if (file->length < sizeof announced) return 0;
    for (int i = (int)sizeof announced - 1; i >= 0; i--) announced = announced << 8 | file->data[i];
    return announced < file->length ? (size_t)announced : file->length;
}

static void check_memory(const struct model_file *file, const pomona_error *error) {
    if (watch_peak() > PEAK_A_BYTE * file->length + PEAK_FREE)
        fail_msg("%zu bytes for a file of %zu: %s", watch_peak(), file->length, error->message);
    if (watch_largest() > file->length + TABLE_A_BYTE * header_bytes(file) + MODEL_BYTES)
        fail_msg("%zu bytes in one piece for a file of %zu: %s", watch_largest(), file->length, error->message);
}

void expect_refused_file(const struct model_file *file, pomona_status status, const char *word) {
    uint64_t before = pomona_memory_in_use();
    pomona_model *model = NULL;
    pomona_error error = {.message = ""};
    watch_json();
    watch_begin();
    pomona_status found = pomona_model_open_memory(file->data, file->length, NULL, &model, &error);
    if (found != status || !strstr(error.message, word))
        fail_msg("%s instead of %s with `%s`: %s", pomona_status_name(found), pomona_status_name(status), word,
                 error.message);
    assert_int_equal(error.status, status);
    assert_null(model);
    assert_int_equal(pomona_memory_in_use(), before);
    check_memory(file, &error);
}

void expect_refused_model(struct model_maker *maker, pomona_status status, const char *word) {
    struct model_file file = maker_write(maker);
    expect_refused_file(&file, status, word);
    free_model(&file);
    maker_end(maker);
}
