/* SPDX-License-Identifier: Apache-2.0 */
#include "list_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct block {
    struct block *next;
    max_align_t data[];
};

static void *take(struct pm_pool *pool, uint64_t count, uint64_t size) {
    struct list_pool *owner = (struct list_pool *)pool;
    struct block *block = malloc(sizeof *block + count * size);
    assert_non_null(block);
    memset(block->data, 0xEE, count * size);
    block->next = owner->blocks;
    owner->blocks = block;
    return block->data;
}

struct list_pool make_list_pool(void) {
    return (struct list_pool){.pool = {take}};
}

void free_list_pool(struct list_pool *pool) {
    while (pool->blocks) {
        struct block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
}
