/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POMONA_CORE_CLOCK_H
#define POMONA_CORE_CLOCK_H

/* Seconds of a clock that only runs forward. Any thread. */
double pm_seconds(void);

#endif
