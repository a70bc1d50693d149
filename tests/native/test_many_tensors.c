/* SPDX-License-Identifier: Apache-2.0 */

/* A file of 20,000 tensors, its entries, names and checksums each in another order: opened as it is, and refused by the
 * name of the one tensor that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "model_maker.h"

#define TENSORS 20000
#define STEP 7919       /* no divisor of TENSORS: `STEP x i % TENSORS` meets each number once */
#define CULPRIT "t9999" /* the last by name */

static void add_entry(cJSON *header, const char *name, size_t begin) {
    cJSON *entry = cJSON_AddObjectToObject(header, name);
    cJSON_AddStringToObject(entry, "dtype", "F32");
    cJSON_AddItemToObject(entry, "shape", cJSON_CreateIntArray((int[]){1}, 1));
    cJSON_AddItemToObject(entry, "data_offsets",
                          cJSON_CreateIntArray((int[]){(int)begin, (int)(begin + sizeof(float))}, 2));
}

/* One convolution, and beside it tensors of one number each, which no layer reads; tensor t<i> holds i. The maker's own
 * functions walk all entries for each that they add. */
static void begin_many(struct model_maker *maker) {
    char name[16];
    maker_begin(maker, 4, 4, 1);
    maker_conv(maker, "only", "input", (uint32_t[]){1, 1}, 3, 8, 0, NULL);
    maker_features(maker, "only");
    maker->tensors = realloc(maker->tensors, maker->tensor_bytes + TENSORS * sizeof(float));
    assert_non_null(maker->tensors);
    for (uint32_t i = 0; i < TENSORS; i++, maker->tensor_bytes += sizeof(float)) {
        uint32_t number = STEP * i % TENSORS;
        snprintf(name, sizeof name, "t%u", number);
        add_entry(maker->header, name, maker->tensor_bytes);
        memcpy(maker->tensors + maker->tensor_bytes, &(float){(float)number}, sizeof(float));
    }
    for (uint32_t i = 0; i < TENSORS; i++) {
        float number = (float)i;
        snprintf(name, sizeof name, "t%u", i);
        cJSON_AddNumberToObject(cJSON_GetObjectItem(maker->graph, "crc32"), name,
                                (double)crc32(0, (const Bytef *)&number, sizeof number));
    }
}

static pomona_status open_many(struct model_maker *maker, pomona_error *error) {
    pomona_model_info info = {.size = sizeof info};
    struct model_file file = maker_write(maker);
    pomona_model *model = NULL;
    pomona_status status = pomona_model_open_memory(file.data, file.length, NULL, &model, error);
    if (!status) {
        assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
        assert_int_equal(info.parameters, TENSORS + 3 * 8);
    }
    pomona_model_close(model);
    free_model(&file);
    maker_end(maker);
    assert_int_equal(pomona_memory_in_use(), 0);
    return status;
}

static void expect_refusal(struct model_maker *maker, const char *message) {
    pomona_error error = {.message = ""};
    assert_int_equal(open_many(maker, &error), POMONA_BAD_MODEL);
    assert_string_equal(error.message, message);
}

static cJSON *sums(const struct model_maker *maker) { return cJSON_GetObjectItem(maker->graph, "crc32"); }

static void test_intact(void **state) {
    (void)state;
    struct model_maker maker;
    pomona_error error = {.message = ""};
    begin_many(&maker);
    cJSON_AddNumberToObject(sums(&maker), CULPRIT, 0); /* of two with one name the first counts */
    cJSON_AddStringToObject(sums(&maker), "no such tensor", "");
    if (open_many(&maker, &error)) fail_msg("%s", error.message);
}

static void test_checksums(void **state) {
    (void)state;
    static const char missing[] = "graph: crc32: `" CULPRIT "` must be a whole number from 0 to 4294967295";
    static const double wrong[] = {-1, 0.5, 4294967296.0};
    struct model_maker maker;
    begin_many(&maker);
    cJSON_DeleteItemFromObjectCaseSensitive(sums(&maker), CULPRIT);
    expect_refusal(&maker, missing);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        begin_many(&maker);
        cJSON_ReplaceItemInObjectCaseSensitive(sums(&maker), CULPRIT, cJSON_CreateNumber(wrong[i]));
        expect_refusal(&maker, missing);
    }
    begin_many(&maker);
    cJSON_ReplaceItemInObjectCaseSensitive(sums(&maker), CULPRIT, cJSON_CreateNumber(0xabcdef));
    float number = 9999;
    char message[160];
    snprintf(message, sizeof message,
             "tensor " CULPRIT ": its CRC-32 is %08lx, the file says 00abcdef: fetch or convert the model again",
             crc32(0, (const Bytef *)&number, sizeof number));
    expect_refusal(&maker, message);
}

static void test_extents(void **state) {
    (void)state;
    struct model_maker maker;
    begin_many(&maker);
    add_entry(maker.header, CULPRIT, maker.tensor_bytes);
    maker.tensors = realloc(maker.tensors, maker.tensor_bytes += sizeof(float));
    memset(maker.tensors + maker.tensor_bytes - sizeof(float), 0, sizeof(float));
    expect_refusal(&maker, "tensor " CULPRIT ": appears twice");
    begin_many(&maker);
    cJSON_DeleteItemFromObjectCaseSensitive(maker.header, "t0"); /* the first of them: the next is t7919 */
    expect_refusal(&maker, "tensor t7919: a hole before it");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intact),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_extents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
