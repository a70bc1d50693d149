/* SPDX-License-Identifier: Apache-2.0 */
#include "amx_emulation.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TILES 8
#define ROWS 16
#define COLUMNS 16 /* numbers of 32 bits */

/* As in memory: bytes of a row and rows of each tile; the second half of either list must be zero. */
struct config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[2 * TILES];
    uint8_t rows[2 * TILES];
};

static _Thread_local struct config config;
static _Thread_local uint32_t tiles[TILES][ROWS][COLUMNS];
static _Thread_local long configurations, multiplications;

static int columns_of(int tile) { return config.row_bytes[tile] / 4; }

void amx_load_config(const void *from) {
    static const uint8_t zeros[14];
    assert_int_equal((uintptr_t)from % 64, 0); /* not the hardware's rule; a config across two lines would be slow */
    memcpy(&config, from, sizeof config);
    assert_int_equal(config.palette, 1);
    assert_int_equal(config.start_row, 0);
    assert_memory_equal(config.reserved, zeros, sizeof zeros);
    for (int i = 0; i < 2 * TILES; i++) {
        assert_in_range(config.rows[i], 0, i < TILES ? ROWS : 0);
        assert_in_range(config.row_bytes[i], 0, i < TILES ? 4 * COLUMNS : 0);
        assert_int_equal(config.rows[i] == 0, config.row_bytes[i] == 0);
        assert_int_equal(config.row_bytes[i] % 4, 0);
    }
    memset(tiles, 0, sizeof tiles);
    configurations++;
}

void amx_release(void) {
    memset(&config, 0, sizeof config);
    memset(tiles, 0, sizeof tiles);
}

static void expect_configured(int tile) {
    assert_in_range(tile, 0, TILES - 1);
    if (!config.palette || !config.rows[tile]) fail_msg("tile %d is used without a shape", tile);
}

/* Rows and columns past the tile's become zero. */
void amx_load(int tile, const void *base, ptrdiff_t stride) {
    expect_configured(tile);
    memset(tiles[tile], 0, sizeof tiles[tile]);
    for (int row = 0; row < config.rows[tile]; row++)
        memcpy(tiles[tile][row], (const char *)base + row * stride, config.row_bytes[tile]);
}

void amx_store(int tile, void *base, ptrdiff_t stride) {
    expect_configured(tile);
    for (int row = 0; row < config.rows[tile]; row++)
        memcpy((char *)base + row * stride, tiles[tile][row], config.row_bytes[tile]);
}

void amx_zero(int tile) {
    expect_configured(tile);
    memset(tiles[tile], 0, sizeof tiles[tile]);
}

/* Numbers without a leading bit count as zero, whether read or made. */
static float flushed(float value) { return fabsf(value) < FLT_MIN ? copysignf(0, value) : value; }

static float as_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return flushed(value);
}

/* One row of sums: even and odd halves of the pairs apart, each from zero by fused multiply-adds, then both together,
 * then the sum. */
static void multiply_row(uint32_t *sums, int columns, const uint32_t *inputs, int depth, uint32_t (*weights)[COLUMNS]) {
    float even[COLUMNS] = {0}, odd[COLUMNS] = {0};
    for (int k = 0; k < depth; k++)
        for (int n = 0; n < columns; n++) {
            uint32_t weight = weights[k][n];
            even[n] = flushed(fmaf(as_float(inputs[k] << 16), as_float(weight << 16), even[n]));
            odd[n] = flushed(fmaf(as_float(inputs[k] & 0xffff0000u), as_float(weight & 0xffff0000u), odd[n]));
        }
    for (int n = 0; n < columns; n++) {
        float sum = flushed(as_float(sums[n]) + flushed(even[n] + odd[n]));
        memcpy(&sums[n], &sum, sizeof sum);
    }
}

void amx_multiply(int sums, int inputs, int weights) {
    expect_configured(sums);
    expect_configured(inputs);
    expect_configured(weights);
    assert_true(sums != inputs && sums != weights && inputs != weights);
    assert_int_equal(config.rows[sums], config.rows[inputs]);
    assert_int_equal(columns_of(sums), columns_of(weights));
    assert_int_equal(columns_of(inputs), config.rows[weights]);
    for (int row = 0; row < config.rows[sums]; row++)
        multiply_row(tiles[sums][row], columns_of(sums), tiles[inputs][row], columns_of(inputs), tiles[weights]);
    multiplications++;
}

struct amx_counts amx_counts(void) {
    return (struct amx_counts){config.palette, configurations, multiplications};
}
