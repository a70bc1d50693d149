/* SPDX-License-Identifier: Apache-2.0 */

/* A program with these sources, linked with --wrap=pm_bf16_kernels, runs models in bf16 by the emulated AMX kernels,
 * where the CPU has what they use beside tiles. */
#ifndef POMONA_TESTS_AMX_EMULATED_H
#define POMONA_TESTS_AMX_EMULATED_H

#include "kernels/bf16.h"

extern const struct pm_bf16_kernels pm_bf16_kernels_emulated;

/* With a message. */
int cannot_emulate_amx(void);

/* 0: models opened from now on run by the table that the library chooses itself. */
void emulate_amx(int on);

#endif
