/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MADV_HUGEPAGE */
#include "core/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pomona.h"

/* Stands in front of each block, in a cache line of its own. */
struct header {
    size_t size;
    void *base; /* what was taken from the system or malloc */
};

_Static_assert(sizeof(struct header) <= PM_ALIGNMENT, "the header fills at most one line");

static _Atomic int64_t bytes_in_use;
static _Atomic uint64_t allocation_count;
static _Atomic uint64_t failure_countdown;
static _Atomic int failure_persistent;

static int must_fail(void) {
    uint64_t left = atomic_load_explicit(&failure_countdown, memory_order_relaxed);
    if (left == 0) return 0;
    if (left > 1) {
        atomic_store_explicit(&failure_countdown, left - 1, memory_order_relaxed);
        return 0;
    }
    if (!atomic_load_explicit(&failure_persistent, memory_order_relaxed))
        atomic_store_explicit(&failure_countdown, 0, memory_order_relaxed);
    return 1;
}

static size_t alignment_of(size_t size) { return size >= PM_HUGE_PAGE ? PM_HUGE_PAGE : PM_ALIGNMENT; }

/* The block, its header, and room to align. */
static size_t whole(size_t size) { return size + alignment_of(size) + PM_ALIGNMENT; }

/* Large blocks come from the system itself: malloc would keep what a closed model or session held in the heap of its
 * thread, for good. What lies before an aligned block is never touched, so it takes no memory. */
static char *take(size_t size) {
    if (size < PM_HUGE_PAGE) return malloc(whole(size));
    void *base = mmap(NULL, whole(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

static void give_back(struct header *header) {
    if (header->size < PM_HUGE_PAGE) free(header->base);
    else munmap(header->base, whole(header->size));
}

void *pm_allocate(size_t size) {
    size_t alignment = alignment_of(size);
    if (size > SIZE_MAX / 2 || must_fail()) return NULL;
    char *base = take(size);
    if (!base) return NULL;
    char *block = (char *)(((uintptr_t)base + PM_ALIGNMENT + alignment - 1) & ~(uintptr_t)(alignment - 1));
    if (alignment == PM_HUGE_PAGE)
        madvise(block, size & ~(PM_HUGE_PAGE - 1), MADV_HUGEPAGE); /* advice: may be refused */
    struct header *header = (struct header *)(block - PM_ALIGNMENT);
    header->size = size;
    header->base = base;
    atomic_fetch_add_explicit(&bytes_in_use, (int64_t)size, memory_order_relaxed);
    atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    return block;
}

void *pm_allocate_zeroed(size_t count, size_t size) {
    uint64_t total;
    if (!pm_multiply(count, size, &total) || total > SIZE_MAX) return NULL;
    void *block = pm_allocate((size_t)total);
    if (block) memset(block, 0, (size_t)total);
    return block;
}

void pm_free(void *block) {
    if (!block) return;
    struct header *header = (struct header *)((char *)block - PM_ALIGNMENT);
    atomic_fetch_sub_explicit(&bytes_in_use, (int64_t)header->size, memory_order_relaxed);
    give_back(header);
}

char *pm_copy_string(const char *string) {
    size_t size = strlen(string) + 1;
    char *copy = pm_allocate(size);
    return copy ? memcpy(copy, string, size) : NULL;
}

void pm_count_foreign(int64_t bytes) { atomic_fetch_add_explicit(&bytes_in_use, bytes, memory_order_relaxed); }

uint64_t pm_allocation_count(void) { return atomic_load_explicit(&allocation_count, memory_order_relaxed); }

void pm_fail_allocation(uint64_t nth, int persistent) {
    atomic_store(&failure_persistent, persistent);
    atomic_store(&failure_countdown, nth);
}

int pm_multiply(uint64_t a, uint64_t b, uint64_t *product) { return !__builtin_mul_overflow(a, b, product); }
int pm_add(uint64_t a, uint64_t b, uint64_t *sum) { return !__builtin_add_overflow(a, b, sum); }

uint64_t pomona_memory_in_use(void) { return (uint64_t)atomic_load_explicit(&bytes_in_use, memory_order_relaxed); }
