/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct guarded guarded_floats(size_t count, int at_end) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = count * sizeof(float);
    size_t inner = (bytes + page - 1) / page * page;
    struct guarded memory = {.map_bytes = inner + 2 * page};
    memory.map = mmap(NULL, memory.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory.map, MAP_FAILED);
    char *first = (char *)memory.map + page;
    assert_int_equal(mprotect(memory.map, page, PROT_NONE), 0);
    assert_int_equal(mprotect(first + inner, page, PROT_NONE), 0);
    memory.data = (float *)(void *)(at_end ? first + inner - bytes : first);
    return memory;
}

float random_float(void) {
    static uint32_t state = 1; /* of a linear congruential generator */
    state = state * 1664525u + 1013904223u;
    return (float)(int32_t)state / (float)INT32_MAX;
}

struct guarded random_floats(size_t count, int at_end) {
    struct guarded memory = guarded_floats(count, at_end);
    for (size_t i = 0; i < count; i++) memory.data[i] = random_float();
    return memory;
}

void free_guarded(struct guarded *memory) {
    munmap(memory->map, memory->map_bytes);
    *memory = (struct guarded){0};
}
