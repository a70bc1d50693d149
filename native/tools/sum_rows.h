/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POMONA_TOOLS_SUM_ROWS_H
#define POMONA_TOOLS_SUM_ROWS_H

#include "pca_tool.h"

/* Adds all rows to the state, by options->threads threads. The rows are cut into runs of fixed length, each gets a
 * state of its own, and they merge in order: the result does not depend on the threads. EXIT_FAILED after a message. */
int tool_sum_rows(const struct tool_matrix *matrices, size_t count, const struct tool_options *options,
                  pomona_pca *state);

#endif
