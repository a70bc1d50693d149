/* SPDX-License-Identifier: Apache-2.0 */

/* Depthwise convolution of one row of one 16-channel block, in the number type of the including file, which sets
 *   REAL(name)                    how a function of that type is called
 *   RV, RV_LANES                  its vector and how many numbers that holds
 *   RV_LOAD, RV_STORE, RV_SET, RV_CLAMP
 *   RV_WEIGHT                     the number that weights of known windows are held in over a row
 *   RV_WEIGHTS(weights, taps, room)  makes them such, in that room or where they are
 *   RV_PIXELS                     pixels of a tile
 *   RV_CENTRED                    1: take the middle pixel off first
 *   RV_BY_TAPS                    1: of known windows, too, each input is loaded for each tap
 *
 * The taps of such a window often cancel, and batch norm then enlarges what rounding left. So fp32 takes the middle
 * pixel off first, and it comes back with the sum of the taps: sum(w * (x - m)) + m * sum(w). Neighbouring pixels are
 * much alike, their differences small and mostly exact. What the middle tap would add is zero: it is left out.
 *
 * Registers: a sum and a middle for each pixel of the tile, the weights of a row of the window, one input. By taps: one
 * weight and one difference, which takes the input from memory. */

/* Whether a tap of a row of known windows adds anything. */
#define RV_ADDS(x) (!RV_CENTRED || !middle_row || (x) != width / 2)

/* Adds one row of the windows, whose sides and distance (in floats) are constants after inlining: an input is loaded,
 * and for fp64 converted, once for all windows that see it. */
ALWAYS_INLINE void REAL(depthwise_columns)(const float *row, const RV_WEIGHT *weights, RV *sum, const RV *middle,
                                           const int pixels, const int width, const ptrdiff_t distance,
                                           const int middle_row) {
    const int stride = (int)(distance / PM_BLOCK), columns = (pixels - 1) * stride + width;
    RV weight[DEPTHWISE_WIDTH_MAX];
    UNROLL for (int x = 0; x < width; x++) weight[x] = *(const RV *)(weights + x * PM_BLOCK);
    UNROLL for (int column = 0; column < columns; column++) {
        const RV input = RV_LOAD(row + column * PM_BLOCK);
        UNROLL for (int i = 0; i < pixels; i++) {
            const int x = column - i * stride;
            if (x >= 0 && x < width && RV_ADDS(x)) sum[i] += (input - middle[i]) * weight[x];
        }
    }
}

ALWAYS_INLINE void REAL(depthwise_tap)(const float *input, const RV weight, RV *sum, const RV *middle, const int pixels,
                                       const ptrdiff_t distance) {
    UNROLL for (int i = 0; i < pixels; i++) sum[i] -= (middle[i] - RV_LOAD(input + i * distance)) * weight;
}

/* All rows of known windows; `apart`: each is a sum by itself, which then joins the others. */
ALWAYS_INLINE void REAL(depthwise_known)(const float *input, const ptrdiff_t input_row, const RV_WEIGHT *weights,
                                         RV *sum, const RV *middle, const int pixels, const int height, const int width,
                                         const ptrdiff_t distance, const int apart) {
    ROWS_UNROLLED for (int y = 0; y < height; y++, input += input_row, weights += width * PM_BLOCK) {
        const int middle_row = y == height / 2;
        RV row[RV_PIXELS];
        UNROLL for (int i = 0; i < pixels; i++) row[i] = apart ? (RV){0} : sum[i];
        if (!RV_BY_TAPS) REAL(depthwise_columns)(input, weights, row, middle, pixels, width, distance, middle_row);
        UNROLL for (int x = 0; RV_BY_TAPS && x < width; x++) {
            const RV weight = *(const RV *)(weights + x * PM_BLOCK);
            if (RV_ADDS(x)) REAL(depthwise_tap)(input + x * PM_BLOCK, weight, row, middle, pixels, distance);
        }
        UNROLL for (int i = 0; i < pixels; i++) {
            if (apart && y > 0) row[i] += sum[i];
            sum[i] = row[i];
        }
    }
}

/* `known`: sides and distance are constants after inlining, taps are neighbours, and `weights` theirs. */
ALWAYS_INLINE void REAL(depthwise_tile)(const struct pm_depthwise_row *r, const float *input, float *output,
                                        const RV_WEIGHT *weights, const int pixels, const int height, const int width,
                                        const ptrdiff_t tap, const ptrdiff_t distance, const int known,
                                        const int apart) {
    const ptrdiff_t to_middle = height / 2 * r->input_row + width / 2 * tap;
    for (int lane = 0; lane < PM_BLOCK; lane += RV_LANES) {
        RV sum[RV_PIXELS], middle[RV_PIXELS];
        UNROLL for (int i = 0; i < pixels; i++) {
            sum[i] = (RV){0};
            middle[i] = RV_CENTRED ? RV_LOAD(input + to_middle + i * distance + lane) : (RV){0};
        }
        const float *row = input + lane;
        if (known) REAL(depthwise_known)
        (row, r->input_row, weights + lane, sum, middle, pixels, height, width, distance, apart);
        for (int y = 0; !known && y < height; y++, row += r->input_row)
            for (int x = 0; x < width; x++) {
                const RV weight = RV_LOAD(r->weights + (y * width + x) * PM_BLOCK + lane);
                REAL(depthwise_tap)(row + x * tap, weight, sum, middle, pixels, distance);
            }
        const RV total = RV_CENTRED ? RV_LOAD(r->total + lane) : (RV){0}, scale = RV_LOAD(r->scale + lane),
                 shift = RV_LOAD(r->shift + lane);
        const RV low = RV_SET(r->low), high = RV_SET(r->high);
        UNROLL for (int i = 0; i < pixels; i++) {
            if (RV_CENTRED) sum[i] += middle[i] * total;
            RV_STORE(output + i * PM_BLOCK + lane, RV_CLAMP(sum[i] * scale + shift, low, high));
        }
    }
}

/* Tiles, the last one back to where the row ends: it makes some pixels again. Rows shorter than a tile one by one. */
ALWAYS_INLINE void REAL(depthwise_row)(const struct pm_depthwise_row *r, const int pixels, const int height,
                                       const int width, const ptrdiff_t tap, const ptrdiff_t distance, const int known,
                                       const int apart) {
    RV_WEIGHT room[DEPTHWISE_WIDTH_MAX * DEPTHWISE_WIDTH_MAX * PM_BLOCK] __attribute__((aligned(PM_VL * 4)));
    const RV_WEIGHT *weights = known ? RV_WEIGHTS(r->weights, height * width, room) : NULL;
    const ptrdiff_t last = r->pixels - pixels;
    for (ptrdiff_t p = 0; last >= 0 && p < r->pixels; p += pixels) {
        const ptrdiff_t first = p < last ? p : last;
        REAL(depthwise_tile)
        (r, r->input + first * distance, r->output + first * PM_BLOCK, weights, pixels, height, width, tap, distance,
         known, apart);
    }
    for (ptrdiff_t p = 0; last < 0 && p < r->pixels; p++) {
        REAL(depthwise_tile)
        (r, r->input + p * distance, r->output + p * PM_BLOCK, weights, 1, height, width, tap, distance, known, apart);
    }
}

static void REAL(depthwise_3x3_s1)(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, 3, 3, PM_BLOCK, PM_BLOCK, 1, 0);
}

static void REAL(depthwise_3x3_s2)(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, 3, 3, PM_BLOCK, 2 * PM_BLOCK, 1, 0);
}

static void REAL(depthwise_5x5_s1)(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, 5, 5, PM_BLOCK, PM_BLOCK, 1, 0);
}

static void REAL(depthwise_5x5_s2)(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, 5, 5, PM_BLOCK, 2 * PM_BLOCK, 1, 0);
}

#if RV_CENTRED && DEPTHWISE_APART
static void depthwise_3x3_s1_apart(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, 3, 3, PM_BLOCK, PM_BLOCK, 1, 1);
}
#endif

#if RV_CENTRED
static void REAL(depthwise_7x7_s1)(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, 7, 7, PM_BLOCK, PM_BLOCK, 1, 0);
}

static void REAL(depthwise_7x7_s2)(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, 7, 7, PM_BLOCK, 2 * PM_BLOCK, 1, 0);
}
#endif

static void REAL(depthwise_any)(const struct pm_depthwise_row *r) {
    REAL(depthwise_row)(r, RV_PIXELS, r->kernel_height, r->kernel_width, r->input_tap, r->input_pixel, 0, 0);
}

#undef REAL
#undef RV
#undef RV_LANES
#undef RV_LOAD
#undef RV_WEIGHT
#undef RV_WEIGHTS
#undef RV_STORE
#undef RV_SET
#undef RV_CLAMP
#undef RV_CENTRED
#undef RV_PIXELS
#undef RV_BY_TAPS
#undef RV_ADDS
