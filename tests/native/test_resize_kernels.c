/* SPDX-License-Identifier: Apache-2.0 */

/* The resize kernels of every level that this CPU runs, against the portable ones. Rows lie against a guard page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guarded.h"
#include "image/resize.h"
#include "kernels/kernels.h"
#include "list_pool.h"

static uint32_t draw(uint32_t *seed, uint32_t high) {
    *seed = *seed * 1664525u + 1013904223u;
    return 1 + (*seed >> 8) % high;
}

/* A row whose slack ends at a page without access. */
struct guarded_row {
    struct guarded memory;
    uint8_t *bytes;
};

static struct guarded_row guarded_row(size_t length, uint32_t *seed) {
    size_t floats = (length + PM_ROW_SLACK + sizeof(float) - 1) / sizeof(float);
    struct guarded_row row = {.memory = guarded_floats(floats, 1)};
    row.bytes = (uint8_t *)(row.memory.data + floats) - length - PM_ROW_SLACK;
    for (size_t i = 0; seed && i < length; i++) row.bytes[i] = (uint8_t)draw(seed, 256);
    return row;
}

static void across_like_scalar(const struct pm_kernels *level, const struct pm_windows *windows, uint32_t *seed,
                               uint32_t source) {
    size_t length = 3 * (size_t)windows->count;
    struct guarded_row row = guarded_row(3 * (size_t)source, seed);
    struct guarded_row found = guarded_row(length, NULL), expected = guarded_row(length, NULL);
    level->resize->horizontal(row.bytes, windows, found.bytes);
    pm_resize_kernels_scalar.horizontal(row.bytes, windows, expected.bytes);
    assert_memory_equal(found.bytes, expected.bytes, length);
    free_guarded(&row.memory);
    free_guarded(&found.memory);
    free_guarded(&expected.memory);
}

static void down_like_scalar(const struct pm_kernels *level, const struct pm_windows *windows, uint32_t *seed,
                             uint32_t source) {
    size_t length = draw(seed, 500);
    struct guarded_row *rows = malloc(source * sizeof *rows), found = guarded_row(length, NULL);
    const uint8_t **pointers = malloc(source * sizeof *pointers);
    uint8_t *expected = malloc(length);
    for (uint32_t r = 0; r < source; r++) {
        rows[r] = guarded_row(length, seed);
        pointers[r] = rows[r].bytes;
    }
    for (uint32_t i = 0; i < windows->count; i++) {
        const uint8_t **first = pointers + windows->first[i];
        const int16_t *weights = pm_window_weights(windows, i);
        level->resize->vertical(first, weights, windows->taps[i], length, found.bytes);
        pm_resize_kernels_scalar.vertical(first, weights, windows->taps[i], length, expected);
        assert_memory_equal(found.bytes, expected, length);
    }
    for (uint32_t r = 0; r < source; r++) free_guarded(&rows[r].memory);
    free_guarded(&found.memory);
    free(expected);
    free(pointers);
    free(rows);
}

/* Every level on every filter, long and short windows, at both ends of a row, and nothing touched behind the slack. */
static void test_levels_equal_scalar(void **state) {
    (void)state;
    uint32_t seed = 5;
    int count;
    const struct pm_kernels *const *levels = pm_kernels_available(&count);
    for (int i = 0; i < 250; i++) {
        uint32_t source = draw(&seed, i % 5 ? 60 : 900), scaled = draw(&seed, i % 3 ? 120 : 9);
        struct pm_side side = {.source = source, .scaled = scaled, .offset = draw(&seed, scaled) - 1};
        side.count = draw(&seed, (uint32_t)(scaled - side.offset));
        struct list_pool pool = make_list_pool();
        struct pm_windows windows;
        pm_windows_compute(&windows, &pool.pool, &side, POMONA_RESAMPLE_BOX + (pomona_resample)(draw(&seed, 5) - 1));
        for (int level = 0; level < count; level++) {
            across_like_scalar(levels[level], &windows, &seed, source);
            if (source < 100) down_like_scalar(levels[level], &windows, &seed, source);
        }
        free_list_pool(&pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels_equal_scalar)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
