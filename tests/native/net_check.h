/* SPDX-License-Identifier: Apache-2.0 */

/* A network run by the engine and by plain fp64 loops (naive_net.h). CTest runs the programs that use it once for each
 * compiled level.
 *
 * The bound: inputs and weights are of order one, sums have at most 49 x 100 products of which fp32 keeps 24 bits, and
 * partial sums keep the error from growing with their number; a wrong tap or channel shows at 1e-1. */
#ifndef POMONA_TESTS_NET_CHECK_H
#define POMONA_TESTS_NET_CHECK_H

#include "model_maker.h"

/* Runs the network on a few images and compares each; returns the layers left after folding. */
uint32_t check_graph(const struct model_maker *maker, const char *what);

/* The same in a precision, for a network of numbers that it holds. */
uint32_t check_graph_in(const struct model_maker *maker, pomona_precision precision, const char *what);

/* What the model gives for images of `rgb`, height x width x 3 bytes each, in batches of so many: `length` floats an
 * image, of malloc. */
float *run_images(pomona_model *model, const uint8_t *rgb, uint32_t images, uint32_t batch, size_t *length);

/* That random images in batches of two to `most` give the bytes that they give alone. */
void check_batches(pomona_model *model, uint32_t images, uint32_t most);

/* Whether the name of the layer's kernel has `word` in it; -1: there is no such layer. */
int runs_by(const struct model_maker *maker, pomona_precision precision, const char *layer, const char *word);

/* 1x1 convolutions that lead from the input to `channels`, at most four; the last one's name, or the input's. */
const char *lead_in(struct model_maker *maker, int count, uint32_t channels);

/* What `main` returns when this CPU cannot run the level that POMONA_CPU asks for, or 0. */
int level_missing(void);

#endif
