/* SPDX-License-Identifier: Apache-2.0 */
#include "malloc_watch.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>

static _Atomic uint64_t calls, json_countdown;
static _Atomic int64_t held, peak, largest;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
void __wrap_free(void *block);

static void *count(void *block) {
    int64_t size = (int64_t)malloc_usable_size(block), now = atomic_fetch_add(&held, size) + size;
    if (size > atomic_load(&largest)) atomic_store(&largest, size);
    if (now > atomic_load(&peak)) atomic_store(&peak, now);
    atomic_fetch_add(&calls, 1);
    return block;
}

static void forget(void *block) { atomic_fetch_sub(&held, (int64_t)malloc_usable_size(block)); }

void *__wrap_malloc(size_t size) { return count(__real_malloc(size)); }

void *__wrap_calloc(size_t number, size_t size) { return count(__real_calloc(number, size)); }

void *__wrap_realloc(void *block, size_t size) {
    forget(block);
    return count(__real_realloc(block, size));
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size) {
    int status = __real_posix_memalign(block, alignment, size);
    if (status == 0) count(*block);
    return status;
}

void __wrap_free(void *block) {
    forget(block);
    __real_free(block);
}

void watch_begin(void) {
    atomic_store(&calls, 0);
    atomic_store(&held, 0);
    atomic_store(&peak, 0);
    atomic_store(&largest, 0);
}

uint64_t watch_calls(void) { return atomic_load(&calls); }

size_t watch_peak(void) { return (size_t)atomic_load(&peak); }

size_t watch_largest(void) { return (size_t)atomic_load(&largest); }

static void *json_malloc(size_t size) {
    uint64_t left = atomic_load(&json_countdown);
    if (left > 0) atomic_store(&json_countdown, left - 1);
    if (left != 1) return __wrap_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void watch_json(void) { cJSON_InitHooks(&(cJSON_Hooks){json_malloc, __wrap_free}); }

void watch_fail_json(uint64_t nth) { atomic_store(&json_countdown, nth); }
