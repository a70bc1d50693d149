/* SPDX-License-Identifier: Apache-2.0 */

/* JPEG bytes to RGB pixels of a given size, equal to Pillow's on every byte. Knows nothing of models. */
#ifndef POMONA_IMAGE_IMAGE_H
#define POMONA_IMAGE_IMAGE_H

#include "pomona.h"

/* Fills zero fields with the defaults and checks the rest; NULL gives all defaults. The result is complete: no
 * *_DEFAULT and no 0 is left in it. INVALID_ARGUMENT names the field. */
pomona_status pm_image_options_resolve(const pomona_image_options *given, pomona_image_options *resolved,
                                       pomona_error *error);

/* Header alone: size of the image, or the reason why it has none. `options` are resolved. */
pomona_reason pm_image_probe(pomona_bytes image, const pomona_image_options *options, uint32_t *width,
                             uint32_t *height);

/* Decodes and resizes one image to height x width x 3 RGB bytes in `rgb`, which is written only when the result is
 * POMONA_REASON_OK (its content is undefined otherwise). `options` are resolved; 1 <= width, height <= 65535.
 * All memory comes from libjpeg's pools and is given back before the return. Any thread. */
pomona_reason pm_image_load(pomona_bytes image, const pomona_image_options *options, uint32_t width, uint32_t height,
                            uint8_t *rgb);

#endif
