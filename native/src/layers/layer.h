/* SPDX-License-Identifier: Apache-2.0 */

/* What a layer is to the graph: how its node is read, shaped, folded into a neighbour, prepared and run. One file a
 * kind, listed in layers.def. */
#ifndef POMONA_LAYERS_LAYER_H
#define POMONA_LAYERS_LAYER_H

#include <cjson/cJSON.h>

#include "core/status.h"
#include "graph/container.h"
#include "kernels/bf16.h"

#define PM_MAX_ROLES 6
#define PM_MAX_SIDE 65535u
#define PM_MAX_CHANNELS (1u << 24)
#define PM_MAX_INPUTS 64

enum { PM_TOP, PM_BOTTOM, PM_LEFT, PM_RIGHT };

struct pm_shape {
    uint32_t height, width, channels;
};

/* Where the value of a node lies: floats, in the memory of one image (pm_memory). Channel c of pixel
 * (y, x) is at origin + (c / block) x block_stride + y x row_stride + x x block + c % block. `block` is PM_BLOCK, or
 * the number of channels for a network's input that only convolutions read: plain height x width x channels. The halo
 * is zero. A map of pairs counts them for channels: what has no use but in bf16 is written so (kernels/bf16.h).
 * A map in parts has gaps: of each `room` of its channels, whole blocks of floats, the first `part` are there, and the
 * others may hold anything finite. `channels` counts them all.
 * A map of digits is the network's input for layers/conv_digits.h: its numbers are int16, two in the room of a float,
 * each row begins with a float, and its origin is the corner of its halo. */
struct pm_map {
    struct pm_shape shape;
    uint32_t block;
    int pairs, digits;
    uint32_t part, room; /* 0: no parts */
    uint32_t halo[4];
    ptrdiff_t origin, row_stride, block_stride;
    uint64_t offset, size; /* of the whole, halo included */
    double rms;            /* as pm_node.rms */
    const double *unit;    /* NULL, or the map holds whole numbers; channel c means unit[c] times as much */
};

static inline uint32_t pm_map_blocks(const struct pm_map *map) {
    return (map->shape.channels + map->block - 1) / map->block;
}

/* Slots of a part of so many channels that begins and ends with a block. */
static inline uint32_t pm_part_room(uint32_t channels) { return (channels + PM_BLOCK - 1) / PM_BLOCK * PM_BLOCK; }

/* Bytes of so many pixels in a row of one block. */
static inline size_t pm_map_bytes(const struct pm_map *map, uint32_t pixels) {
    return (size_t)pixels * map->block * (map->digits ? sizeof(int16_t) : sizeof(float));
}

/* Pooling or convolution window; [0] vertical, [1] horizontal. */
struct pm_window {
    uint32_t kernel[2], stride[2], dilation[2];
    uint32_t groups;     /* of channels that a convolution keeps apart */
    uint32_t padding[4]; /* resolved to numbers by pm_window_resolve */
    int ceil;            /* a last window that reaches past the end counts, if it begins before it */
    enum { PM_PADDING_EXPLICIT, PM_PADDING_SAME } padding_rule;
};

/* What was folded into a node, applied in this order: channel c becomes x * scale[c] + shift[c]; the residual is added;
 * the result is clamped; the activation follows. In fp64, so that folding costs no accuracy. */
struct pm_epilogue {
    double *scale, *shift; /* one block of 2 x channels numbers, NULL: 1 and 0 */
    int residual;          /* node whose value is added, -1: none; also the last of the node's inputs */
    float low, high;
    struct pm_activation activation;
};

struct pm_node {
    char *name;
    const struct pm_layer *layer;
    int value;      /* index of its own value */
    uint32_t order; /* how many nodes with weights come before it, those folded away not counted */
    int *inputs;    /* indices of values: 0 is the network's input, i the node i - 1 of the file */
    uint32_t input_count;
    const struct pm_tensor *weights[PM_MAX_ROLES]; /* by the layer's roles; valid until packing is done */
    const cJSON *attributes;                       /* as the file has them, may be NULL; valid as long */
    struct pm_window window;
    struct pm_epilogue epilogue;
    uint64_t unclamped;       /* bit i: a concatenation has to clamp its input i itself */
    int gate;                 /* 0, or a value of one pixel that its first input is multiplied by, see conv_gate.h */
    struct pm_node *prologue; /* NULL, or a folded node that it does to its input while it rounds that in bf16 */
    int pairs;                /* its value is a map of pairs */
    uint32_t part;            /* 0, or its value is a map in parts of so many channels */
    struct pm_shape shape;    /* of its value, in channels */
    double rms;               /* of its value's numbers, about; 0: unknown */
    int spread;               /* the second of its inputs is 1 x 1 x channels and meets every pixel of the first */
    uint32_t users;           /* readers of its value, the graph's output included */
    int folded;               /* its work is done by another node */
    int banded;               /* its only reader runs it, as its producer */
    struct pm_node *producer; /* NULL, or the convolution that it runs itself, see conv_bands.h */
    uint32_t step;            /* its index among the nodes that are not folded */
    void *state;              /* the layer's own, one block of pm_allocate */
    const struct pm_conv_method *method; /* of a conv2d */
    const float *packed;                 /* its weights as the kernels want them */
    uint64_t packed_count;               /* floats */
    uint64_t scratch_floats;             /* of pm_run.scratch that it needs while it runs */
    uint64_t macs;
    const char *kernel; /* the routine that runs it, for reports */
};

/* Everything that a node sees of the others once the memory is planned. */
struct pm_plan {
    const struct pm_kernels *kernels;
    const struct pm_bf16_kernels *bf16; /* NULL: convolutions in fp32 */
    int slices;                         /* of bf16 for a number: 1, or PM_BF16_SLICES, which keep its accuracy */
    const struct pm_map *maps;          /* by value */
    uint32_t turn;                      /* nodes before it run image by image, those from it on the whole batch */
    uint64_t slice;                     /* floats of the arena for one image */
    uint64_t early;   /* for values that nobody reads from the turn on: once, for one image at a time */
    uint64_t scratch; /* floats that any one layer needs */
};

struct pm_run {
    const struct pm_plan *plan;
    float *arena, *scratch; /* count slices; plan->scratch floats */
    float *early;           /* `slice` before plan->early floats: the offsets of early values come after the others' */
    uint32_t count;
    double *seconds; /* by step, NULL: not wanted; a node that runs its producer moves that one's part there */
};

/* The node's value lies in the memory of its first input, so that there is nothing to run. */
static inline int pm_is_view(const struct pm_node *node, const struct pm_plan *plan) {
    const struct pm_map *in = &plan->maps[node->inputs[0]], *out = &plan->maps[node->value];
    return in->offset == out->offset && in->row_stride == out->row_stride;
}

/* What layers whose values may be views have as `prepare`: names the way the node runs. */
pomona_status pm_view_prepare(struct pm_node *node, const struct pm_plan *plan, pomona_error *error);

/* What a map of image `i` lies in, at its offset. */
static inline float *pm_memory(const struct pm_run *run, const struct pm_map *map, uint32_t i) {
    return map->offset < run->plan->slice ? run->arena + i * run->plan->slice : run->early;
}

/* The first float of a value's pixel (0, 0) for image `i`. */
static inline float *pm_value(const struct pm_run *run, int value, uint32_t i) {
    const struct pm_map *map = &run->plan->maps[value];
    return pm_memory(run, map, i) + map->offset + map->origin;
}

enum {
    PM_TAKES_PADDING = 1,      /* reads a halo of zeros: a zero_pad before it is folded into its window */
    PM_TAKES_AFFINE = 2,       /* a batch_norm after it is folded into epilogue.scale and shift */
    PM_TAKES_RESIDUAL = 4,     /* an add after it is folded into epilogue.residual */
    PM_TAKES_CLAMP = 8,        /* a ReLU after it is folded into epilogue.low and high */
    PM_TAKES_PLAIN = 16,       /* reads the network's input as it is, height x width x channels */
    PM_IS_AFFINE = 32,         /* does nothing but its epilogue, which has no residual */
    PM_IS_CONCAT = 64,         /* its value is its inputs, one after the other: they may be written there at once */
    PM_TAKES_WHOLE = 128,      /* reads a map of whole numbers and their unit */
    PM_TAKES_ACTIVATION = 256, /* a function after it is folded into epilogue.activation */
    PM_TAKES_BANDS = 512,      /* runs the convolution before it itself, where nobody else reads that one's value */
    PM_TAKES_GATE = 1024,      /* a product with one pixel before it is folded into `gate` */
    PM_IS_CROP = 2048,         /* its value is its input less window.padding: it may lie there */
    PM_IS_PAD = 4096,          /* its value is its input and window.padding as pixels: a halo may be them */
    PM_GIVES_PAIRS = 8192,     /* can write a map of pairs */
    PM_KEEPS_SLOTS = 16384     /* does to all slots of a pixel the same: a map in parts becomes another one */
};

/* Errors made early pass through all that follows, and a short sum costs little: the first layers of a network are
 * summed in fp64 or as precisely where the sum is short (docs/numerics.md has the measurements). bf16 in one slice has
 * larger errors than that. */
#define PM_PRECISE_LAYERS 3
#define PM_PRECISE_DEPTH 32
static inline int pm_is_precise(const struct pm_node *node, const struct pm_plan *plan, uint64_t products) {
    return (!plan->bf16 || plan->slices > 1) && node->order < PM_PRECISE_LAYERS && products <= PM_PRECISE_DEPTH;
}

/* Segments of fp32 products, 16 each as a rule, that are summed by themselves before they join the total: half as many
 * where the errors pass through most of the network. */
#define PM_EARLY_LAYERS 12
static inline ptrdiff_t pm_partial_segments(const struct pm_node *node) {
    return node->order < PM_EARLY_LAYERS ? 2 : 4;
}

/* pm_conv_tile.odd_segments of a sum over so many segments. */
static inline ptrdiff_t pm_odd_segments(const struct pm_node *node, ptrdiff_t segments) {
    const ptrdiff_t partial = pm_partial_segments(node);
    return segments > partial ? partial - 1 : 0;
}

struct pm_layer {
    const char *name;
    const char *kernel;              /* what pm_node.kernel says where neither read nor prepare does; NULL: `name` */
    const char *roles[PM_MAX_ROLES]; /* of its weights; a leading '?' marks what may be left out */
    uint32_t min_inputs, max_inputs;
    unsigned takes;
    /* Attributes and weights to node; may be NULL. */
    pomona_status (*read)(struct pm_node *node, const cJSON *attributes, pomona_error *error);
    /* Sets shape and macs from the shapes of the inputs, and checks the weights against them. */
    pomona_status (*infer)(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error);
    /* pm_node.rms, from those of its inputs. NULL: unknown. */
    double (*rms)(const struct pm_node *node, const double *inputs);
    /* Gives its work to the node before it, whose value nobody else reads; 1 when done. May be NULL. */
    int (*fold)(struct pm_node *node, struct pm_node *before);
    /* Sets kernel, packed_count and scratch_floats; may use node->state. May be NULL. */
    pomona_status (*prepare)(struct pm_node *node, const struct pm_plan *plan, pomona_error *error);
    /* Writes packed_count floats. May be NULL. */
    void (*pack)(const struct pm_node *node, const struct pm_plan *plan, float *packed);
    /* Computes its value for run->count images. Allocates nothing, cannot fail. */
    void (*run)(const struct pm_node *node, const struct pm_run *run);
};

/* The layer of that name, or NULL. */
const struct pm_layer *pm_layer_find(const char *name);

/* Names of all layers, separated by commas, for messages. */
void pm_layer_names(char *text, size_t size);

/* ---- for layers ---- */

/* The weight of that role, or NULL when it was left out. */
const struct pm_tensor *pm_weight(const struct pm_node *node, const char *role);

/* BAD_MODEL unless `tensor` (may be NULL: fine) is a vector of `count`. */
pomona_status pm_check_vector(const struct pm_node *node, const char *role, uint64_t count, pomona_error *error);

/* Reads `strides`, `dilations` and `padding`. */
pomona_status pm_window_read(struct pm_node *node, const cJSON *attributes, pomona_error *error);

/* Turns "same" into numbers, checks that the window fits, and sets height and width of node->shape. */
pomona_status pm_window_resolve(struct pm_node *node, const struct pm_shape *input, pomona_error *error);

/* 1x1 without padding: each window is one pixel of the input. */
int pm_window_is_pixel(const struct pm_window *window);

/* Shape and macs of a convolution that takes `in` channels and gives `out`; checks the input and `bias` against them.
 */
pomona_status pm_kernel_infer(struct pm_node *node, const struct pm_shape *input, uint64_t in, uint32_t out,
                              pomona_error *error);

/* For a layer of two inputs: the shape of the first; `spread`, or the second must have the same shape. */
pomona_status pm_pair_infer(struct pm_node *node, const struct pm_shape *inputs, pomona_error *error);

/* No clamp or activation so far: what is linear may still be folded in. */
int pm_epilogue_is_linear(const struct pm_epilogue *epilogue);

/* The activation of the node's epilogue, over values that its kernel has just written, so that they come from the L1
 * cache. count: a multiple of 16. pm_each_row does it for its layers. */
void pm_epilogue_activate(const struct pm_node *node, const struct pm_run *run, float *values, ptrdiff_t count);

/* Scale and shift of `from` after what the epilogue of `node` does already; 0 when more than that stands between.
 * Allocates nothing: `from` may lose its arrays. */
int pm_epilogue_affine(struct pm_node *node, struct pm_node *from);

/* The node's clamp over one row of one block of its value; `out` may be `in`. */
void pm_epilogue_clamp_row(const struct pm_node *node, const struct pm_run *run, float *out, const float *in);

/* Intersects the clamp with [low, high]. */
void pm_epilogue_clamp(struct pm_node *node, float low, float high);

/* What layers have as `rms`: the greatest of their inputs, or 0 where one is unknown; and that of numbers whose mean is
 * the weight `beta` and whose standard deviation is `gamma`, where they are there. */
double pm_rms_of_inputs(const struct pm_node *node, const double *inputs);
double pm_rms_of_norm(const struct pm_node *node, const double *inputs);

/* Calls `row` for each row of each block of the node's value, with the same row of its first two inputs (NULL where
 * there is none; always the one pixel of a second input that is spread). For layers whose output row needs just
 * those. */
typedef void pm_row(const struct pm_node *node, const struct pm_run *run, ptrdiff_t block, float *out, const float *a,
                    const float *b);
void pm_each_row(const struct pm_node *node, const struct pm_run *run, pm_row *row);

/* Scale and shift of the epilogue as kernels want them, for `count` channels from `first` on; the optional weight
 * `bias` comes before it. Both 0 for channels past the last. */
void pm_epilogue_pack(const struct pm_node *node, uint32_t first, uint32_t count, float *to_scale, float *to_shift);

#endif
