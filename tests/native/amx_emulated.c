/* SPDX-License-Identifier: Apache-2.0 */

/* The AMX kernels as they are, compiled once more, against the emulation. */
#include "amx_emulated.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "amx_emulation.h"

#define pm_bf16_kernels_amx pm_bf16_kernels_emulated
#include "kernels/amx/bf16_amx.c"

static int emulated = 1;

void emulate_amx(int on) { emulated = on; }

const struct pm_bf16_kernels *__real_pm_bf16_kernels(void);
const struct pm_bf16_kernels *__wrap_pm_bf16_kernels(void);

const struct pm_bf16_kernels *__wrap_pm_bf16_kernels(void) {
    const struct pm_bf16_kernels *own = __real_pm_bf16_kernels();
    return own && emulated ? &pm_bf16_kernels_emulated : own;
}

int cannot_emulate_amx(void) {
    int cannot = !__real_pm_bf16_kernels();
    if (cannot) print_message("this CPU, or POMONA_CPU, has no AVX512_BF16\n");
    return cannot;
}
