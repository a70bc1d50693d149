/* SPDX-License-Identifier: Apache-2.0 */

/* All memory that the library holds passes through here, so that it can be counted, bounded and made to fail. */
#ifndef POMONA_CORE_MEMORY_H
#define POMONA_CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* One cache line and one AVX-512 vector. */
#define PM_ALIGNMENT 64

/* `size` bytes aligned to PM_ALIGNMENT, uninitialised, or NULL; size 0 gives a block that can be freed. Blocks of
 * PM_HUGE_PAGE and more are aligned to it, offered to the kernel for huge pages, and leave the process when they are
 * freed. Any thread. */
#define PM_HUGE_PAGE ((size_t)2 << 20)
void *pm_allocate(size_t size);

/* The same, zeroed; NULL when count x size overflows. */
void *pm_allocate_zeroed(size_t count, size_t size);

/* Takes NULL. */
void pm_free(void *block);

/* A copy of a NUL-terminated string, or NULL. */
char *pm_copy_string(const char *string);

/* Memory that others hold on our behalf (libjpeg's pools): counted while it is held. */
void pm_count_foreign(int64_t bytes);

/* Successful allocations since the process began; the hot path must not move it. */
uint64_t pm_allocation_count(void);

/* Makes the `nth` allocation from now fail (1 = the next), and all later ones too when `persistent`; 0 ends it. For
 * tests of the error paths. */
void pm_fail_allocation(uint64_t nth, int persistent);

/* a x b and a + b in 64 bits; 0 when the result does not fit. */
int pm_multiply(uint64_t a, uint64_t b, uint64_t *product);
int pm_add(uint64_t a, uint64_t b, uint64_t *sum);

#endif
