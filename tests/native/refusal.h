/* SPDX-License-Identifier: Apache-2.0 */

/* What every refusal of a model file owes: its status, a message that names the culprit, memory by the file's own bytes
 * whatever they announce, and nothing left behind. */
#ifndef POMONA_TESTS_REFUSAL_H
#define POMONA_TESTS_REFUSAL_H

#include "model_maker.h"

/* Opens the file, which must fail so; `word` is in the message. Link with malloc_watch. */
void expect_refused_file(const struct model_file *file, pomona_status status, const char *word);

/* The same of a finished model, which it ends. */
void expect_refused_model(struct model_maker *maker, pomona_status status, const char *word);

#endif
