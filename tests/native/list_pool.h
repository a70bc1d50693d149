/* SPDX-License-Identifier: Apache-2.0 */

/* A pool outside of the decoder: its blocks lie in a list, filled with a pattern. */
#ifndef POMONA_TESTS_LIST_POOL_H
#define POMONA_TESTS_LIST_POOL_H

#include "image/rows.h"

struct list_pool {
    struct pm_pool pool; /* first, so that the pool is this struct */
    struct block *blocks;
};

struct list_pool make_list_pool(void);
void free_list_pool(struct list_pool *pool);

#endif
