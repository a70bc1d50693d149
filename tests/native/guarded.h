/* SPDX-License-Identifier: Apache-2.0 */

/* Memory whose neighbours cannot be touched: a read or write out of bounds ends the program at once. */
#ifndef POMONA_TESTS_GUARDED_H
#define POMONA_TESTS_GUARDED_H

#include <stddef.h>

struct guarded {
    void *map;
    size_t map_bytes;
    float *data;
};

/* `count` floats, zeroed. A page without access lies right behind them (`at_end`), or right before them. */
struct guarded guarded_floats(size_t count, int at_end);

/* The same of numbers of random_float(). */
struct guarded random_floats(size_t count, int at_end);

/* The next number of one sequence, which each program begins anew: -1 to 1. */
float random_float(void);

void free_guarded(struct guarded *memory);

#endif
