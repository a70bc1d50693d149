/* SPDX-License-Identifier: Apache-2.0 */

/* The resize by itself: against digests of what Pillow 13 makes of the same pixels, the stream against passes over
 * whole images, and the geometry of crop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/resize.h"
#include "list_pool.h"

struct collector {
    struct pm_row_sink sink;
    uint8_t *next, *end;
    size_t row_bytes;
};

static void collect(struct pm_row_sink *sink, const uint8_t *rgb) {
    struct collector *collector = (struct collector *)sink;
    assert_true(collector->next < collector->end);
    memcpy(collector->next, rgb, collector->row_bytes);
    collector->next += collector->row_bytes;
}

static uint8_t *pattern(uint32_t width, uint32_t height) {
    uint8_t *rgb = malloc((size_t)width * height * 3 + PM_ROW_SLACK);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < 3; c++) {
                uint32_t mixed = x * 2654435761u + y * 2246822519u + c * 3266489917u;
                mixed = (mixed ^ (mixed >> 15)) * 2246822519u;
                rgb[((size_t)y * width + x) * 3 + c] = (uint8_t)(mixed >> 24);
            }
    return rgb;
}

/* Through the stream; the caller frees. */
static uint8_t *resize(const uint8_t *rgb, const struct pm_geometry *geometry, pomona_resample filter) {
    size_t row_bytes = 3 * (size_t)geometry->x.count, size = row_bytes * geometry->y.count;
    uint8_t *out = malloc(size);
    struct list_pool pool = make_list_pool();
    struct collector collector = {{collect}, out, out + size, row_bytes};
    struct pm_row_sink *sink = pm_resize_begin(&pool.pool, geometry, filter, &collector.sink);
    for (uint32_t y = 0; y < geometry->y.source; y++) sink->put(sink, rgb + (size_t)y * geometry->x.source * 3);
    assert_ptr_equal(collector.next, collector.end); /* every row has come */
    free_list_pool(&pool);
    return out;
}

static uint8_t *squash(const uint8_t *rgb, uint32_t from_width, uint32_t from_height, uint32_t width, uint32_t height,
                       pomona_resample filter) {
    struct pm_geometry geometry = pm_fit_geometry(POMONA_FIT_SQUASH, from_width, from_height, width, height);
    return resize(rgb, &geometry, filter);
}

static uint64_t fnv1a(const uint8_t *bytes, size_t length) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

struct digest {
    uint32_t from_width, from_height, width, height;
    pomona_resample filter;
    uint64_t fnv1a;
};

/* Made with Pillow 13.0.0: Image.fromarray(pattern).resize((width, height), filter). */
static const struct digest digests[] = {
    {100, 100, 224, 224, POMONA_RESAMPLE_NEAREST, 0x24e6e6b9c2e7d4fcu},
    {100, 100, 224, 224, POMONA_RESAMPLE_BOX, 0x24e6e6b9c2e7d4fcu},
    {100, 100, 224, 224, POMONA_RESAMPLE_BILINEAR, 0xdd438e00fe5d786eu},
    {100, 100, 224, 224, POMONA_RESAMPLE_HAMMING, 0x737bdf602d7ed341u},
    {100, 100, 224, 224, POMONA_RESAMPLE_BICUBIC, 0x9281aea6d47a1cfcu},
    {100, 100, 224, 224, POMONA_RESAMPLE_LANCZOS, 0xac1503a7b7314a40u},
    {100, 80, 37, 61, POMONA_RESAMPLE_NEAREST, 0xbbb2cabb82e6eb82u},
    {100, 80, 37, 61, POMONA_RESAMPLE_BOX, 0x943d3d4ac858fc65u},
    {100, 80, 37, 61, POMONA_RESAMPLE_BILINEAR, 0x409916731da4820fu},
    {100, 80, 37, 61, POMONA_RESAMPLE_HAMMING, 0xaf7a895d50419b2cu},
    {100, 80, 37, 61, POMONA_RESAMPLE_BICUBIC, 0x82b8d83167079009u},
    {100, 80, 37, 61, POMONA_RESAMPLE_LANCZOS, 0x4904468f74c5fe37u},
    {33, 90, 30, 20, POMONA_RESAMPLE_NEAREST, 0x953654ef20a04fe7u},
    {33, 90, 30, 20, POMONA_RESAMPLE_BOX, 0xa1c17cd624d354eau},
    {33, 90, 30, 20, POMONA_RESAMPLE_BILINEAR, 0x747eca8b199db730u},
    {33, 90, 30, 20, POMONA_RESAMPLE_HAMMING, 0x05c8a53f9ca34544u},
    {33, 90, 30, 20, POMONA_RESAMPLE_BICUBIC, 0x1bceac2631ded95eu},
    {33, 90, 30, 20, POMONA_RESAMPLE_LANCZOS, 0x73782077ceccb3b7u},
    {7, 5, 7, 40, POMONA_RESAMPLE_NEAREST, 0x7d7131ba6973a585u},
    {7, 5, 7, 40, POMONA_RESAMPLE_BOX, 0x7d7131ba6973a585u},
    {7, 5, 7, 40, POMONA_RESAMPLE_BILINEAR, 0xce1bfd711f0ac151u},
    {7, 5, 7, 40, POMONA_RESAMPLE_HAMMING, 0xbc02d40cb4b68aa1u},
    {7, 5, 7, 40, POMONA_RESAMPLE_BICUBIC, 0xae8f0c0830087455u},
    {7, 5, 7, 40, POMONA_RESAMPLE_LANCZOS, 0xe752665ab02fa9ceu},
    {50, 3, 1, 3, POMONA_RESAMPLE_NEAREST, 0x55c2b1884b5f3300u},
    {50, 3, 1, 3, POMONA_RESAMPLE_BOX, 0x771c36d38b2d0585u},
    {50, 3, 1, 3, POMONA_RESAMPLE_BILINEAR, 0xd6e4b5866cbb4bd0u},
    {50, 3, 1, 3, POMONA_RESAMPLE_HAMMING, 0xa5e800f63778c231u},
    {50, 3, 1, 3, POMONA_RESAMPLE_BICUBIC, 0x55186166ca5a6fc1u},
    {50, 3, 1, 3, POMONA_RESAMPLE_LANCZOS, 0x0809d92c79f2bd1bu},
    {1, 1, 9, 4, POMONA_RESAMPLE_NEAREST, 0x3d02641c99c6509du},
    {1, 1, 9, 4, POMONA_RESAMPLE_BOX, 0x3d02641c99c6509du},
    {1, 1, 9, 4, POMONA_RESAMPLE_BILINEAR, 0x3d02641c99c6509du},
    {1, 1, 9, 4, POMONA_RESAMPLE_HAMMING, 0x3d02641c99c6509du},
    {1, 1, 9, 4, POMONA_RESAMPLE_BICUBIC, 0x3d02641c99c6509du},
    {1, 1, 9, 4, POMONA_RESAMPLE_LANCZOS, 0x3d02641c99c6509du},
    {640, 11, 5, 8, POMONA_RESAMPLE_NEAREST, 0xf2692fe31368e8dfu},
    {640, 11, 5, 8, POMONA_RESAMPLE_BOX, 0xbb01dc2c7ebbdfdcu},
    {640, 11, 5, 8, POMONA_RESAMPLE_BILINEAR, 0xa27810c3a0856209u},
    {640, 11, 5, 8, POMONA_RESAMPLE_HAMMING, 0x8b7e158b3eec93d7u},
    {640, 11, 5, 8, POMONA_RESAMPLE_BICUBIC, 0xcb810ad13fe81170u},
    {640, 11, 5, 8, POMONA_RESAMPLE_LANCZOS, 0x15db879795852688u},
};

static void test_digests_of_pillow(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        const struct digest *d = &digests[i];
        uint8_t *rgb = pattern(d->from_width, d->from_height);
        uint8_t *out = squash(rgb, d->from_width, d->from_height, d->width, d->height, d->filter);
        assert_int_equal(fnv1a(out, (size_t)d->width * d->height * 3), d->fnv1a);
        free(out);
        free(rgb);
    }
}

static uint8_t weighted(const uint8_t *first, size_t step, const struct pm_windows *windows, uint32_t i) {
    int64_t sum = 1 << (PM_WEIGHT_BITS - 1);
    const int16_t *weights = pm_window_weights(windows, i);
    for (uint32_t t = 0; t < windows->taps[i]; t++)
        sum += (int64_t)first[(windows->first[i] + t) * step] * pm_whole_weight(weights + pm_weight_place(t));
    sum = sum < 0 ? 0 : sum >> PM_WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* One pass over a whole image, across or down. */
static uint8_t *whole_pass(const uint8_t *rgb, uint32_t width, uint32_t height, const struct pm_side *side, int down,
                           pomona_resample filter) {
    struct list_pool pool = make_list_pool();
    struct pm_windows windows;
    pm_windows_compute(&windows, &pool.pool, side, filter);
    uint32_t out_width = down ? width : side->count, out_height = down ? side->count : height;
    uint8_t *out = malloc((size_t)out_width * out_height * 3);
    for (uint32_t y = 0; y < out_height; y++)
        for (uint32_t x = 0; x < out_width; x++)
            for (uint32_t c = 0; c < 3; c++)
                out[((size_t)y * out_width + x) * 3 + c] =
                    down ? weighted(rgb + (size_t)x * 3 + c, (size_t)width * 3, &windows, y)
                         : weighted(rgb + (size_t)y * width * 3 + c, 3, &windows, x);
    free_list_pool(&pool);
    return out;
}

static uint32_t draw(uint32_t *seed, uint32_t high) {
    *seed = *seed * 1664525u + 1013904223u;
    return 1 + (*seed >> 8) % high;
}

/* Both orders of the passes occur: rows lost against twice the columns lost decides. */
static void test_stream_equals_whole_passes(void **state) {
    (void)state;
    uint32_t seed = 7;
    int vertical_first = 0;
    for (int i = 0; i < 300; i++) {
        uint32_t w = draw(&seed, 60), h = draw(&seed, 60), to_w = draw(&seed, 90), to_h = draw(&seed, 90);
        pomona_resample filter = POMONA_RESAMPLE_BOX + (pomona_resample)(i % 5);
        if (w == to_w || h == to_h) continue;
        struct pm_geometry geometry = pm_fit_geometry(POMONA_FIT_SQUASH, w, h, to_w, to_h);
        int down_first = to_h < h && (int)(h - to_h) > 2 * ((int)w - (int)to_w);
        uint8_t *rgb = pattern(w, h), *streamed = resize(rgb, &geometry, filter);
        uint8_t *half =
            down_first ? whole_pass(rgb, w, h, &geometry.y, 1, filter) : whole_pass(rgb, w, h, &geometry.x, 0, filter);
        uint8_t *whole = down_first ? whole_pass(half, w, to_h, &geometry.x, 0, filter)
                                    : whole_pass(half, to_w, h, &geometry.y, 1, filter);
        assert_memory_equal(streamed, whole, (size_t)to_w * to_h * 3);
        vertical_first += down_first;
        free(whole);
        free(half);
        free(streamed);
        free(rgb);
    }
    assert_in_range(vertical_first, 50, 150);
}

static void test_crop_is_a_part_of_the_squashed_image(void **state) {
    (void)state;
    uint32_t seed = 11;
    for (int i = 0; i < 300; i++) {
        uint32_t w = draw(&seed, 50), h = draw(&seed, 50), to_w = draw(&seed, 60), to_h = draw(&seed, 60);
        pomona_resample filter = POMONA_RESAMPLE_NEAREST + (pomona_resample)(i % 6);
        struct pm_geometry crop = pm_fit_geometry(POMONA_FIT_CROP, w, h, to_w, to_h);
        assert_true(crop.x.count == to_w && crop.y.count == to_h);
        assert_true(crop.x.scaled == to_w || crop.y.scaled == to_h);
        assert_true(crop.x.offset + to_w <= crop.x.scaled && crop.y.offset + to_h <= crop.y.scaled);
        uint32_t scaled_w = (uint32_t)crop.x.scaled, scaled_h = (uint32_t)crop.y.scaled;
        uint8_t *rgb = pattern(w, h), *cut = resize(rgb, &crop, filter);
        uint8_t *all = squash(rgb, w, h, scaled_w, scaled_h, filter);
        for (uint32_t y = 0; y < to_h; y++)
            assert_memory_equal(cut + (size_t)y * to_w * 3, all + ((y + crop.y.offset) * scaled_w + crop.x.offset) * 3,
                                (size_t)to_w * 3);
        free(all);
        free(cut);
        free(rgb);
    }
}

/* torchvision: Resize(224) of 500 x 375 gives int(224 * 500 / 375) = 298 columns; CenterCrop takes those from
 * round(74 / 2) = 37 on. A surplus of 1 rounds to 0, one of 3 to 2, one of 5 to 2. */
static void test_crop_geometry(void **state) {
    (void)state;
    struct pm_geometry photo = pm_fit_geometry(POMONA_FIT_CROP, 500, 375, 224, 224);
    assert_int_equal(photo.x.scaled, 298);
    assert_int_equal(photo.x.offset, 37);
    assert_int_equal(photo.y.scaled, 224);
    assert_int_equal(photo.y.offset, 0);
    static const uint64_t offsets[] = {0, 0, 1, 2, 2, 2, 3, 4, 4};
    for (uint32_t surplus = 0; surplus < 9; surplus++)
        assert_int_equal(pm_fit_geometry(POMONA_FIT_CROP, 10, 10 + surplus, 10, 10).y.offset, offsets[surplus]);
    struct pm_geometry thread = pm_fit_geometry(POMONA_FIT_CROP, 1, 65500, 65535, 1);
    assert_int_equal(thread.y.scaled, UINT64_C(65535) * 65500);
}

static void test_extreme_sides(void **state) {
    (void)state;
    for (pomona_resample filter = POMONA_RESAMPLE_NEAREST; filter <= POMONA_RESAMPLE_LANCZOS; filter++) {
        uint8_t *tall = pattern(1, 65500), *small = squash(tall, 1, 65500, 3, 1, filter);
        struct pm_geometry enormous = pm_fit_geometry(POMONA_FIT_CROP, 65500, 1, 1, 300);
        uint8_t *cut = resize(tall, &enormous, filter);
        uint8_t *long_row = squash(tall, 1, 1, 65535, 2, filter);
        for (size_t i = 0; i < 65535 * 2 * 3; i++) assert_int_equal(long_row[i], tall[i % 3]);
        free(long_row);
        free(cut);
        free(small);
        free(tall);
    }
}

static void test_flat_colours_stay(void **state) {
    (void)state;
    uint8_t rgb[40 * 30 * 3 + PM_ROW_SLACK];
    for (int value = 0; value < 256; value += 51)
        for (pomona_resample filter = POMONA_RESAMPLE_NEAREST; filter <= POMONA_RESAMPLE_LANCZOS; filter++) {
            memset(rgb, value, sizeof rgb);
            uint8_t *out = squash(rgb, 40, 30, 13, 77, filter);
            for (size_t i = 0; i < 13 * 77 * 3; i++) assert_int_equal(out[i], value);
            free(out);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests_of_pillow),
        cmocka_unit_test(test_stream_equals_whole_passes),
        cmocka_unit_test(test_crop_is_a_part_of_the_squashed_image),
        cmocka_unit_test(test_crop_geometry),
        cmocka_unit_test(test_extreme_sides),
        cmocka_unit_test(test_flat_colours_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
