/* SPDX-License-Identifier: Apache-2.0 */

/* Hostile and broken model files: each is refused with the right status and a message that names the tensor or layer,
 * without much memory, and leaves nothing behind. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "malloc_watch.h"
#include "refusal.h"

#define PREFIX 8

/* Three tensors and two nodes, few enough bytes to spoil each of them. */
static void begin_tiny(struct model_maker *maker) {
    static const uint32_t kernel[] = {1, 2};
    maker_begin(maker, 4, 4, 1);
    maker_conv(maker, "first", "input", kernel, 3, 8, 1, NULL);
    maker_conv(maker, "second", "first", (uint32_t[]){2, 1}, 8, 3, 0, NULL);
    maker_features(maker, "second");
}

static cJSON *entry(const struct model_maker *maker, const char *tensor) {
    return cJSON_GetObjectItemCaseSensitive(maker->header, tensor);
}

static cJSON *node(const struct model_maker *maker, int index) {
    return cJSON_GetArrayItem(cJSON_GetObjectItem(maker->graph, "nodes"), index);
}

static void set(cJSON *object, const char *key, const char *json) {
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    if (json) cJSON_AddItemToObject(object, key, cJSON_Parse(json));
}

/* ---- bytes ---- */

static void test_intact(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker);
    maker_numbers(&maker, "first/bias")[0] = 1e-40f; /* subnormal: a number like others */
    maker_sum(&maker, "first/bias");
    struct model_file file = maker_write(&maker);
    pomona_model *model = NULL;
    pomona_error error = {.message = "untouched"};
    assert_int_equal(pomona_model_open_memory(file.data, file.length, NULL, &model, &error), POMONA_OK);
    assert_string_equal(error.message, "untouched");
    pomona_model_close(model);
    assert_int_equal(pomona_memory_in_use(), 0);
    free_model(&file);
    maker_end(&maker);
}

/* A copy that ends where the file ends, so that a sanitizer sees a read behind it. */
static void expect_truncated(const struct model_maker *maker, const struct model_file *whole, size_t length) {
    struct model_maker empty = *maker;
    empty.tensor_bytes = 0;
    struct model_file cut = maker_write_raw(&empty, 0, (const char *)whole->data, length);
    memmove(cut.data, whole->data, length);
    cut.length = length;
    expect_refused_file(&cut, POMONA_BAD_MODEL, "");
    free_model(&cut);
}

static void test_truncations(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker);
    struct model_file file = maker_write(&maker);
    size_t header = file.length - maker.tensor_bytes;
    for (size_t length = 0; length < file.length; length += length < header ? 1 : PREFIX)
        expect_truncated(&maker, &file, length);
    free_model(&file);
    maker_end(&maker);
}

static void test_flipped_bits(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker);
    struct model_file file = maker_write(&maker);
    size_t header = file.length - maker.tensor_bytes;
    const cJSON *item = maker.header->child;
    for (size_t i = 0; i < 8 * maker.tensor_bytes; i++) {
        double end = cJSON_GetArrayItem(cJSON_GetObjectItem(item, "data_offsets"), 1)->valuedouble;
        if ((double)(i / 8) >= end) item = item->next;
        char word[128];
        snprintf(word, sizeof word, "tensor %s: its CRC-32", item->string);
        file.data[header + i / 8] ^= (uint8_t)(1 << i % 8);
        expect_refused_file(&file, POMONA_BAD_MODEL, word);
        file.data[header + i / 8] ^= (uint8_t)(1 << i % 8);
    }
    free_model(&file);
    maker_end(&maker);
}

/* Whatever stands in the header, the answer is a status. */
static void test_noise_in_the_header(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker);
    struct model_file file = maker_write(&maker);
    size_t header = file.length - maker.tensor_bytes, opened = 0;
    for (int i = 0; i < 20000; i++) {
        size_t at = PREFIX + (size_t)maker_random(&maker, 0, (float)(header - PREFIX));
        uint8_t old = file.data[at];
        pomona_model *model = NULL;
        file.data[at] = (uint8_t)maker_random(&maker, 0, 256);
        if (!pomona_model_open_memory(file.data, file.length, NULL, &model, NULL)) opened++;
        pomona_model_close(model);
        assert_int_equal(pomona_memory_in_use(), 0);
        file.data[at] = old;
    }
    assert_in_range(opened, 1, 20000 / 2); /* a letter of a label or a digit of the shape of nothing */
    free_model(&file);
    maker_end(&maker);
}

static void expect_raw(uint64_t announced, const char *header, size_t length, const char *word) {
    struct model_maker nothing = {0};
    struct model_file file = maker_write_raw(&nothing, announced, header, length);
    expect_refused_file(&file, POMONA_BAD_MODEL, word);
    free_model(&file);
}

static void test_header_length(void **state) {
    (void)state;
    static const uint64_t lengths[] = {1,
                                       65,
                                       ((uint64_t)16 << 20) + 1,
                                       (uint64_t)1 << 31,
                                       (uint64_t)1 << 32,
                                       (uint64_t)1 << 63,
                                       UINT64_MAX,
                                       UINT64_MAX - 7};
    char spaces[64];
    memset(spaces, ' ', sizeof spaces);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        expect_raw(lengths[i], spaces, sizeof spaces, i ? "not a model file" : "");
    size_t large = ((size_t)16 << 20) + 8;
    char *text = malloc(large);
    memset(text, ' ', large);
    expect_raw(large, text, large, "not a model file"); /* all there, but over the limit */
    expect_raw(0, "", 0, "header");
    expect_raw(2, "[]", 2, "header");
    expect_raw(2, "{}", 2, "__metadata__");
    free(text);
}

/* A file of a machine that stores the highest byte first. */
static void test_byte_order(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker);
    struct model_file file = maker_write(&maker);
    for (int i = 0; i < PREFIX / 2; i++) {
        uint8_t byte = file.data[i];
        file.data[i] = file.data[PREFIX - 1 - i];
        file.data[PREFIX - 1 - i] = byte;
    }
    expect_refused_file(&file, POMONA_BAD_MODEL, "not a model file: a header of");
    free_model(&file);
    maker_end(&maker);
}

static void test_other_formats(void **state) {
    (void)state;
    static const char pickle[] = "\x80\x02}q\x01X\x06\0\0\0weightq\x02K\x01s.                             ";
    static const char zip[] = "PK\x03\x04\x14\0\0\0\x08\0archive/data.pkl                                  ";
    static const char hdf5[] = "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0                                      ";
    const struct model_file files[] = {{(uint8_t *)(uintptr_t)pickle, sizeof pickle},
                                       {(uint8_t *)(uintptr_t)zip, sizeof zip},
                                       {(uint8_t *)(uintptr_t)hdf5, sizeof hdf5}};
    for (size_t i = 0; i < 3; i++) expect_refused_file(&files[i], POMONA_BAD_MODEL, "not a model file");
}

/* Entries that are nothing: no table is made for them. */
static void test_many_entries(void **state) {
    (void)state;
    struct model_maker maker;
    char name[16];
    begin_tiny(&maker);
    for (int i = 0; i < 60000; i++) {
        snprintf(name, sizeof name, "%d", i);
        cJSON_AddNullToObject(maker.header, name);
    }
    expect_refused_model(&maker, POMONA_BAD_MODEL, "0: `shape` is missing");
}

static char *repeat(const char *start, const char *part, size_t times, size_t *length) {
    size_t head = strlen(start), size = strlen(part);
    char *text = malloc(head + times * size + 1);
    memcpy(text, start, head);
    for (size_t i = 0; i < times; i++) memcpy(text + head + i * size, part, size);
    *length = head + times * size;
    text[*length] = '\0';
    return text;
}

static void test_nesting(void **state) {
    (void)state;
    static const char *const starts[] = {"", "{\"x\":", "{\"__metadata__\":{\"pomona\":\"{}\"},\"t\":"};
    static const char *const parts[] = {"[", "{\"a\":", "[{\"\":"};
    for (size_t i = 0; i < 9; i++) {
        size_t length;
        char *text = repeat(starts[i / 3], parts[i % 3], 200000, &length);
        expect_raw(length, text, length, "nested");
        free(text);
    }
    size_t length;
    struct model_maker maker;
    char *deep = repeat("", "[", 100000, &length);
    begin_tiny(&maker);
    cJSON_AddStringToObject(cJSON_AddObjectToObject(maker.header, "__metadata__"), "pomona", deep);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "graph: JSON nested");
    free(deep);
}

/* ---- tensors ---- */

static void test_extents(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker); /* the two kernels have the same size */
    set(entry(&maker, "second/kernel"), "data_offsets", "[0, 192]");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "kernel: an overlap");
    begin_tiny(&maker);
    set(entry(&maker, "second/kernel"), "data_offsets", "[228, 420]");
    maker.tensors = realloc(maker.tensors, maker.tensor_bytes += 4);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "tensor second/kernel: a hole");
    begin_tiny(&maker);
    set(entry(&maker, "second/kernel"), "data_offsets", "[224, 420]");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "tensor second/kernel: `data_offsets`");
    begin_tiny(&maker);
    set(entry(&maker, "second/kernel"), "data_offsets", "[416, 224]");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "tensor second/kernel: `data_offsets`");
    begin_tiny(&maker);
    maker.tensors = realloc(maker.tensors, maker.tensor_bytes += 4);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "4 bytes after the last tensor");
    begin_tiny(&maker);
    maker_tensor(&maker, "first/bias", (uint32_t[]){4, 0}, 0, 1);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "tensor first/bias: appears twice");
}

static void expect_entry(const char *key, const char *json, pomona_status status, const char *word) {
    struct model_maker maker;
    begin_tiny(&maker);
    set(entry(&maker, "first/bias"), key, json);
    expect_refused_model(&maker, status, word);
}

static void test_shapes(void **state) {
    (void)state;
    expect_entry("shape", "[4194305, 4194305, 211106198978564]", POMONA_BAD_MODEL, "tensor first/bias: `shape`");
    expect_entry("shape", "[4611686018427387904, 4]", POMONA_BAD_MODEL, "tensor first/bias: `shape`");
    expect_entry("shape", "[9007199254740992, 512]", POMONA_BAD_MODEL, "tensor first/bias: `data_offsets`");
    expect_entry("shape", "[1, 1, 1, 1, 1, 1, 1, 1, 8]", POMONA_BAD_MODEL, "tensor first/bias: more than 8");
    expect_entry("shape", "[-8]", POMONA_BAD_MODEL, "tensor first/bias");
    expect_entry("shape", "[0.5, 16]", POMONA_BAD_MODEL, "tensor first/bias");
    expect_entry("shape", "[\"8\"]", POMONA_BAD_MODEL, "tensor first/bias");
    expect_entry("shape", "8", POMONA_BAD_MODEL, "first/bias");
    expect_entry("shape", NULL, POMONA_BAD_MODEL, "first/bias");
    expect_entry("shape", "[9]", POMONA_BAD_MODEL, "tensor first/bias");
    expect_entry("dtype", "\"BF16\"", POMONA_UNSUPPORTED, "tensor first/bias: dtype BF16");
    expect_entry("dtype", "4", POMONA_BAD_MODEL, "first/bias");
    expect_entry("data_offsets", "[192]", POMONA_BAD_MODEL, "tensor first/bias");
    expect_entry("data_offsets", "[192, 18446744073709551616]", POMONA_BAD_MODEL, "tensor first/bias");
    struct model_maker maker;
    begin_tiny(&maker); /* a tensor of no bytes could stand in many places */
    cJSON_AddItemToObject(maker.header, "nothing",
                          cJSON_Parse("{\"dtype\": \"F32\", \"shape\": [3, 0], \"data_offsets\": [192, 192]}"));
    expect_refused_model(&maker, POMONA_BAD_MODEL, "tensor nothing");
    begin_tiny(&maker);
    set(maker.header, "first/bias", "[1, 2]");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "first/bias");
}

static void test_misaligned(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker);
    struct model_file file = maker_write(&maker);
    size_t header = file.length - maker.tensor_bytes - PREFIX;
    for (size_t more = 1; more < 4; more++) {
        char *text = malloc(header + more);
        memcpy(text, file.data + PREFIX, header);
        memset(text + header, ' ', more);
        struct model_file moved = maker_write_raw(&maker, header + more, text, header + more);
        expect_refused_file(&moved, POMONA_BAD_MODEL, "tensor first/kernel: not aligned");
        free_model(&moved);
        free(text);
    }
    free_model(&file);
    maker_end(&maker);
}

static void test_numbers(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        struct model_maker maker;
        begin_tiny(&maker);
        maker_numbers(&maker, "second/kernel")[47] = bad[i];
        maker_sum(&maker, "second/kernel");
        expect_refused_model(&maker, POMONA_BAD_MODEL, "tensor second/kernel: number 47 is not finite");
    }
    struct model_maker maker;
    begin_tiny(&maker);
    set(cJSON_GetObjectItem(maker.graph, "crc32"), "first/bias", NULL);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "`first/bias`");
}

/* ---- graph ---- */

static void expect_graph(const char *key, const char *json, pomona_status status, const char *word) {
    struct model_maker maker;
    begin_tiny(&maker);
    set(maker.graph, key, json);
    expect_refused_model(&maker, status, word);
}

static void test_graph(void **state) {
    (void)state;
    expect_graph("version", "2", POMONA_UNSUPPORTED, "version 2");
    expect_graph("version", NULL, POMONA_BAD_MODEL, "`version`");
    expect_graph("version", "\"1\"", POMONA_BAD_MODEL, "`version`");
    expect_graph("nodes", "[]", POMONA_BAD_MODEL, "0 nodes");
    expect_graph("nodes", "{}", POMONA_BAD_MODEL, "`nodes`");
    expect_graph("nodes", "[1]", POMONA_BAD_MODEL, "`name`");
    expect_graph("outputs", "{\"features\": \"third\"}", POMONA_BAD_MODEL, "third is no layer");
    expect_graph("outputs", "{\"features\": \"input\"}", POMONA_BAD_MODEL, "input is no layer");
    expect_graph("outputs", "{}", POMONA_BAD_MODEL, "`features`");
    expect_graph("input", "{\"name\": \"input\", \"height\": 0, \"width\": 4, \"channels\": 3}", POMONA_BAD_MODEL,
                 "`height`");
    expect_graph("input", "{\"name\": \"input\", \"height\": 4, \"width\": 65536, \"channels\": 3}", POMONA_BAD_MODEL,
                 "`width`");
    expect_graph("input", "{\"name\": \"input\", \"height\": 4, \"width\": 4, \"channels\": 4}", POMONA_BAD_MODEL,
                 "`channels`");
    expect_graph("preprocess", "{}", POMONA_BAD_MODEL, "preprocess");
    expect_graph("preprocess",
                 "{\"channels\": \"rgb\", \"divide\": [1, 0, 1], \"subtract\": [0, 0, 0], \"std\": [1, 1, 1]}",
                 POMONA_BAD_MODEL, "zero");
    expect_graph("crc32", "[]", POMONA_BAD_MODEL, "`crc32`");
}

static void expect_node(int index, const char *key, const char *json, pomona_status status, const char *word) {
    struct model_maker maker;
    begin_tiny(&maker);
    set(node(&maker, index), key, json);
    expect_refused_model(&maker, status, word);
}

static void test_order_of_nodes(void **state) {
    (void)state;
    expect_node(0, "inputs", "[\"second\"]", POMONA_BAD_MODEL, "layer first: its input second"); /* a cycle */
    expect_node(0, "inputs", "[\"first\"]", POMONA_BAD_MODEL, "layer first: its input first");
    expect_node(1, "inputs", "[\"third\"]", POMONA_BAD_MODEL, "layer second: its input third");
    expect_node(1, "inputs", "[]", POMONA_BAD_MODEL, "layer second: 0 inputs");
    expect_node(1, "inputs", "[\"first\", \"first\"]", POMONA_BAD_MODEL, "layer second: 2 inputs");
    expect_node(1, "inputs", "[7]", POMONA_BAD_MODEL, "layer second");
    expect_node(1, "name", "\"first\"", POMONA_BAD_MODEL, "layer first: its name is taken");
    expect_node(1, "name", "\"input\"", POMONA_BAD_MODEL, "layer input: its name is taken");
    expect_node(1, "op", "\"lambda\"", POMONA_UNSUPPORTED, "layer second: operator lambda");
    expect_node(1, "op", NULL, POMONA_BAD_MODEL, "`op`");
}

static void test_attributes(void **state) {
    (void)state;
    static const char conv[] = "layer second";
    expect_node(1, "attributes", "{\"strides\": [0, 1]}", POMONA_BAD_MODEL, "second: `strides`");
    expect_node(1, "attributes", "{\"strides\": [1]}", POMONA_BAD_MODEL, "second: `strides`");
    expect_node(1, "attributes", "{\"strides\": [1, 65536]}", POMONA_BAD_MODEL, "second: `strides`");
    expect_node(1, "attributes", "{\"dilations\": [1, 0]}", POMONA_BAD_MODEL, "second: `dilations`");
    expect_node(1, "attributes", "{\"dilations\": [65535, 1]}", POMONA_BAD_MODEL, "layer second: a window of 2x1");
    expect_node(1, "attributes", "{\"padding\": \"full\"}", POMONA_BAD_MODEL, "layer second: `padding`");
    expect_node(1, "attributes", "{\"padding\": [-1, 0, 0, 0]}", POMONA_BAD_MODEL, "second: `padding`");
    expect_node(1, "attributes", "{\"groups\": 0}", POMONA_BAD_MODEL, "second: `groups`");
    expect_node(1, "attributes", "{\"groups\": 2}", POMONA_BAD_MODEL, "layer second: 3 outputs in 2 groups");
    expect_node(1, "weights", "{}", POMONA_BAD_MODEL, "layer second: no weight `kernel`");
    expect_node(1, "weights", "{\"kernel\": \"gone\"}", POMONA_BAD_MODEL, "layer second: its `kernel`, tensor gone");
    expect_node(1, "weights", "{\"kernel\": \"first/kernel\"}", POMONA_BAD_MODEL, "layer second: its kernel takes 3");
    expect_node(1, "weights", "{\"kernel\": \"first/bias\"}", POMONA_BAD_MODEL, "layer second: `kernel`");
    expect_node(1, "weights", "{\"kernel\": \"second/kernel\", \"bias\": \"first/bias\"}", POMONA_BAD_MODEL, conv);
    expect_node(0, "attributes", "{\"dilations\": [1, 4]}", POMONA_BAD_MODEL, "layer first: a window of 1x2");
}

static void test_other_layers(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker);
    maker_norm(&maker, "norm", "second", 4);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "layer norm");
    begin_tiny(&maker);
    maker_norm(&maker, "norm", "second", 3);
    maker_numbers(&maker, "norm/variance")[2] = -1;
    maker_sum(&maker, "norm/variance");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "layer norm: variance 2 of tensor norm/variance");
    begin_tiny(&maker);
    maker_norm(&maker, "norm", "second", 3);
    set(node(&maker, 2), "attributes", "{}");
    expect_refused_model(&maker, POMONA_BAD_MODEL, "norm: `epsilon`");
    begin_tiny(&maker);
    maker_node(&maker, "add", "sum", "first,second", NULL);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "layer sum: add of 4x3x8 and 3x3x3");
    begin_tiny(&maker);
    maker_node(&maker, "activation", "elu", "second", "{\"kind\": \"elu\"}");
    expect_refused_model(&maker, POMONA_UNSUPPORTED,
                         "layer elu: activation `elu`; supported: relu, relu6, clip, leaky_relu");
    begin_tiny(&maker);
    maker_node(&maker, "zero_pad", "pad", "second", "{\"padding\": [65535, 65535, 0, 0]}");
    expect_refused_model(&maker, POMONA_LIMIT, "layer pad");
    begin_tiny(&maker);
    maker_depthwise(&maker, "depthwise", "second", (uint32_t[]){2, 2}, 4, 0, NULL);
    expect_refused_model(&maker, POMONA_BAD_MODEL, "layer depthwise: its kernel takes 4");
}

/* ---- classes ---- */

static void begin_classifier(struct model_maker *maker, const char *classes) {
    begin_tiny(maker);
    maker_conv(maker, "logits", "second", (uint32_t[]){3, 3}, 3, 4, 1, NULL);
    maker_features(maker, "logits");
    set(maker->graph, "classes", classes);
}

static void expect_classes(const char *classes, const char *word) {
    struct model_maker maker;
    begin_classifier(&maker, classes);
    expect_refused_model(&maker, POMONA_BAD_MODEL, word);
}

static void test_classes(void **state) {
    (void)state;
    static const char *const names[] = {"tench", "", "crane", "crane"};
    pomona_model_info info = {.size = sizeof info};
    struct model_maker maker;
    begin_classifier(&maker, "[\"tench\", \"\", \"crane\", \"crane\"]");
    struct model_file file = maker_write(&maker);
    pomona_model *model = open_model(&file);
    assert_int_equal(pomona_model_get_info(model, &info, NULL), POMONA_OK);
    assert_int_equal(info.class_count, 4);
    for (uint32_t i = 0; i < 4; i++) assert_string_equal(pomona_model_class_name(model, i), names[i]);
    assert_null(pomona_model_class_name(model, 4));
    assert_null(pomona_model_class_name(NULL, 0));
    pomona_model_close(model);
    assert_int_equal(pomona_memory_in_use(), 0);
    free_model(&file);
    maker_end(&maker);
    expect_classes("[\"a\", \"b\"]", "2 classes for features of 1x1x4");
    expect_classes("[]", "0 classes");
    expect_classes("[\"a\", \"b\", 3, \"d\"]", "class 2 is not a string");
    expect_classes("\"abcd\"", "`classes`");
    expect_graph("classes", "[\"a\", \"b\", \"c\"]", POMONA_BAD_MODEL, "3 classes for features of 3x3x3");
}

/* ---- size ---- */

static void test_many_nodes(void **state) {
    (void)state;
    static const struct {
        const char *part, *word;
        size_t times;
    } lists[] = {
        {"{},", "too many values", 1000000},
        {"{\\\"name\\\": \\\"n\\\"},", "nodes; 1 to 4096", 500000},
        {"{\\\"name\\\": \\\"n\\\"},", "4097 nodes", 4096},
        {"{\\\"name\\\": \\\"n\\\"},", "n: `op` is missing", 4095},
        {"{\\\"name\\\": \\\"n\\\", \\\"op\\\": \\\"add\\\"},", "not a model file", 1000000},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        static const char start[] =
            "{\"__metadata__\": {\"pomona\": \"{\\\"version\\\": 1, \\\"name\\\": \\\"n\\\", \\\"provenance\\\": {}, "
            "\\\"crc32\\\": {}, \\\"preprocess\\\": {\\\"channels\\\": \\\"rgb\\\", \\\"divide\\\": [1, 1, 1], "
            "\\\"subtract\\\": [0, 0, 0], \\\"std\\\": [1, 1, 1]}, \\\"input\\\": {\\\"name\\\": \\\"i\\\", "
            "\\\"height\\\": 4, \\\"width\\\": 4, \\\"channels\\\": 3}, \\\"nodes\\\": [";
        static const char end[] = "{}]}\"}}";
        size_t length;
        char *text = repeat(start, lists[i].part, lists[i].times, &length);
        text = realloc(text, length + sizeof end);
        memcpy(text + length, end, sizeof end);
        length += sizeof end - 1;
        expect_raw(length, text, length, lists[i].word);
        free(text);
    }
}

static void set_side(const struct model_maker *maker, const char *side, double value) {
    cJSON_SetNumberValue(cJSON_GetObjectItem(cJSON_GetObjectItem(maker->graph, "input"), side), value);
}

static void test_activations(void **state) {
    (void)state;
    struct model_maker maker;
    begin_tiny(&maker); /* 4 GiB and more for the input alone */
    set_side(&maker, "height", 65535);
    set_side(&maker, "width", 65535);
    expect_refused_model(&maker, POMONA_LIMIT, "layer");
    begin_tiny(&maker); /* 1 TB: 8,192 channels of 8,191 x 8,190 pixels, of weights that take 98 KB */
    set_side(&maker, "height", 8191);
    set_side(&maker, "width", 8191);
    maker_conv(&maker, "huge", "input", (uint32_t[]){1, 1}, 3, 8192, 0, NULL);
    maker_features(&maker, "huge");
    expect_refused_model(&maker, POMONA_LIMIT, "layer huge");
    begin_tiny(&maker); /* each value fits, all at once do not */
    set_side(&maker, "height", 4000);
    set_side(&maker, "width", 4000);
    char names[8][8];
    for (int i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        maker_conv(&maker, names[i], "input", (uint32_t[]){1, 1}, 3, 16, 0, NULL);
    }
    for (int i = 6; i >= 0; i--) {
        char sum[8], inputs[32];
        snprintf(sum, sizeof sum, "s%d", i);
        snprintf(inputs, sizeof inputs, "%s,%s", names[i], i == 6 ? names[7] : "");
        if (i < 6) snprintf(inputs, sizeof inputs, "%s,s%d", names[i], i + 1);
        maker_node(&maker, "add", sum, inputs, NULL);
    }
    maker_features(&maker, "s0");
    expect_refused_model(&maker, POMONA_LIMIT, "activations of one image");
}

/* ---- files ---- */

static void expect_path(const char *path, pomona_status status) {
    pomona_model *model = NULL;
    pomona_error error;
    assert_int_equal(pomona_model_open(path, NULL, &model, &error), status);
    assert_non_null(strstr(error.message, path));
    assert_null(model);
}

static void test_paths(void **state) {
    (void)state;
    pomona_model *model = NULL;
    expect_path("/no/such/model.safetensors", POMONA_IO);
    expect_path("/", POMONA_IO);
    expect_path("/dev/null", POMONA_IO);
    assert_int_equal(pomona_model_open(NULL, NULL, &model, NULL), POMONA_INVALID_ARGUMENT);
    assert_int_equal(pomona_model_open("/", NULL, NULL, NULL), POMONA_INVALID_ARGUMENT);
    assert_int_equal(pomona_model_open_memory(NULL, 1, NULL, &model, NULL), POMONA_INVALID_ARGUMENT);
    assert_int_equal(pomona_model_open_memory("", 0, NULL, NULL, NULL), POMONA_INVALID_ARGUMENT);
    assert_int_equal(pomona_model_open_memory("", 0, NULL, &model, NULL), POMONA_BAD_MODEL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intact),        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_flipped_bits),  cmocka_unit_test(test_noise_in_the_header),
        cmocka_unit_test(test_header_length), cmocka_unit_test(test_byte_order),
        cmocka_unit_test(test_other_formats), cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_extents),       cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_misaligned),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_graph),         cmocka_unit_test(test_order_of_nodes),
        cmocka_unit_test(test_attributes),    cmocka_unit_test(test_other_layers),
        cmocka_unit_test(test_many_nodes),    cmocka_unit_test(test_activations),
        cmocka_unit_test(test_classes),       cmocka_unit_test(test_paths),
        cmocka_unit_test(test_many_entries),
    };
    watch_json();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
