/* SPDX-License-Identifier: Apache-2.0 */

/* Counts what the library asks of malloc: the linker sends its calls here (--wrap, see CMakeLists.txt), and watch_json
 * those of cJSON. */
#ifndef POMONA_TESTS_MALLOC_WATCH_H
#define POMONA_TESTS_MALLOC_WATCH_H

#include <stddef.h>
#include <stdint.h>

/* Starts to count anew. */
void watch_begin(void);

/* Allocations since then, the most bytes that were held at once beyond those held then, and the largest allocation. */
uint64_t watch_calls(void);
size_t watch_peak(void);
size_t watch_largest(void);

/* Lets cJSON's allocations be counted. */
void watch_json(void);

/* Makes the `nth` allocation of cJSON from now fail, as malloc would; 0 ends it. After watch_json. */
void watch_fail_json(uint64_t nth);

#endif
