/* SPDX-License-Identifier: Apache-2.0 */

/* AMX's tile instructions in C, by the same names as the compiler's intrinsics, so that kernels written for them run on
 * any CPU. What the hardware refuses by a fault ends the test; so do reads and writes of memory between guard pages. */
#ifndef POMONA_TESTS_AMX_EMULATION_H
#define POMONA_TESTS_AMX_EMULATION_H

#include <immintrin.h> /* first: what it calls so is renamed below */
#include <stddef.h>

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadconfig amx_load_config
#define _tile_release amx_release
#define _tile_loadd(tile, base, stride) amx_load(tile, base, (ptrdiff_t)(stride))
#define _tile_stored(tile, base, stride) amx_store(tile, base, (ptrdiff_t)(stride))
#define _tile_zero amx_zero
#define _tile_dpbf16ps amx_multiply

void amx_load_config(const void *config);
void amx_release(void);
void amx_load(int tile, const void *base, ptrdiff_t stride);
void amx_store(int tile, void *base, ptrdiff_t stride);
void amx_zero(int tile);
void amx_multiply(int sums, int inputs, int weights);

/* Whether this thread's tiles are configured, how often they were, and how many multiplications it has done. */
struct amx_counts {
    int configured;
    long configurations, multiplications;
};
struct amx_counts amx_counts(void);

#endif
