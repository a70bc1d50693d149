/* SPDX-License-Identifier: Apache-2.0 */

/* Activations on vectors; the includer sets PM_VL. Largest errors found over all sizes of floats, in units of the last
 * place of the result: sigmoid, swish, hard_swish, gelu_tanh and tanh 2.5, gelu 4 (tests/native holds them).
 *
 * Divisions are exact ones: an approximate reciprocal differs between makers of CPUs, and with it the bits of a
 * feature. The divider works beside the multipliers, which need as long for the polynomials.
 *
 * Coefficients were found by the exchange algorithm of Remez in 40 digits, for the least relative error, and rounded to
 * fp32; each list names interval and error. */
#include "kernels/activations.h"
#include "kernels/simd.h"

/* ln 2 in two parts, for products with whole numbers. */
#define LN2_HIGH 0x1.62e430p-1f
#define LN2_LOW (-0x1.05c610p-29f)
#define LOG2_E 0x1.715476p+0f

/* e^-170 times anything that floats hold in an activation is less than the smallest of them; 2^-246 can still be
 * applied in two steps. */
#define LEAST (-170.0f)

/* Numbers up to 2^22 that are added to it are rounded to whole ones. */
#define ROUNDER 0x1.8p23f

/* p = c[0] + c[1] x + ... */
#define POLYNOMIAL(x, c)                                                                                               \
    __extension__({                                                                                                    \
        vf sum_ = VSET(c[sizeof c / sizeof *c - 1]);                                                                   \
        UNROLL for (int i_ = (int)(sizeof c / sizeof *c) - 2; i_ >= 0; i_--) sum_ = VFMA(sum_, x, VSET(c[i_]));        \
        sum_;                                                                                                          \
    })

ALWAYS_INLINE vf magnitude(vf x) { return (vf)((vbits)x & 0x7fffffff); }

/* `below` where the sign bit of x is set, `above` elsewhere. */
ALWAYS_INLINE vf by_sign(vf x, vf below, vf above) {
    vbits negative = (vbits)x >> 31;
    return (vf)((negative & (vbits)below) | (~negative & (vbits)above));
}

/* e^(x - low) = (1 + rest) x 2^power, for |x| <= -LEAST and a `low` that is small beside x. A rest near 0 keeps all of
 * its bits. */
struct exponential {
    vf rest, power;
};

ALWAYS_INLINE struct exponential exponential(vf x, vf low) {
    /* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; 1.3e-8 of e^r - 1 */
    static const float c[] = {0x1.fffffep-2f, 0x1.5554b0p-3f, 0x1.555674p-5f, 0x1.1227f6p-7f, 0x1.6bebf4p-10f};
    vf power = VFMA(x, VSET(LOG2_E), VSET(ROUNDER)) - ROUNDER;
    vf r = VFMA(power, VSET(-LN2_LOW), VFMA(power, VSET(-LN2_HIGH), x)) - low;
    return (struct exponential){VFMA(r * r, POLYNOMIAL(r, c), r), power};
}

/* factor / (1 + e^-(x + low)), for LEAST <= x <= MOST. What 2^120 leaves of a power comes last, so that sums stay
 * finite and small results keep their bits. */
#define MOST 80.0f /* from 17 on the sum is 1 in fp32 */
ALWAYS_INLINE vf logistic(vf factor, vf x, vf low) {
    struct exponential e = exponential(-x, low);
    vf some = VMIN(VSET(120.0f), e.power), sum = 1.0f + VSCALE_SOME(1.0f + e.rest, some);
    return VSCALE_SOME(factor / sum, some - e.power);
}

/* Networks take sigmoid and swish of millions of values an image, so e^-x = 2^power (1 + rest) has a way of its own:
 * steps of `power` are so small that few terms make the rest. A vector holds 2^power for all fractions of a power, less
 * their own bits as whole numbers, so that one addition of the rounded sum's last bits brings both to their places.
 *
 * rest_terms: (e^-r - 1 + r) / r^2 for |r| <= ln 2 / 2^(FRACTION_BITS + 1); 9.2e-9, 1.3e-9 and 1.3e-8 of e^-r. */
#if PM_VL == 16
#define FRACTION_BITS 4
static const vbits powers = {0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532,
                             0x3f75fed7, 0x3f75583f, 0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c,
                             0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d};
static const float rest_terms[] = {1 / 2.0f, -1 / 6.0f};
#elif PM_VL == 8
#define FRACTION_BITS 3
static const vbits powers = {0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7,
                             0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7};
static const float rest_terms[] = {1 / 2.0f, -1 / 6.0f, 1 / 24.0f};
#else
#define FRACTION_BITS 0
#define VPICK(table, which) (table)
static const vbits powers = {0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000};
static const float rest_terms[] = {0x1.fffffep-2f, -0x1.5554b0p-3f, 0x1.555674p-5f, -0x1.1227f6p-7f, 0x1.6bebf4p-10f};
#endif

/* factor / (1 + e^-x), and 0 from where on e^-x is no more a float. */
#define LOWEST (-87.0f)
ALWAYS_INLINE vf times_sigmoid(vf factor, vf x) {
    vf most = VMIN(VSET(MOST), x), rounder = VSET(ROUNDER / (1 << FRACTION_BITS));
    vf sum = VFMA(most, VSET(-LOG2_E), rounder), r = VFMA(sum - rounder, VSET(LN2_HIGH), most);
    vf power = (vf)((vwords)VPICK(powers, sum) + ((vwords)sum << (23 - FRACTION_BITS)));
    vf rest = VFMA(r * r, POLYNOMIAL(r, rest_terms), -r);
    return VDROP(factor / (1.0f + VFMA(power, rest, power)), x, VSET(LOWEST));
}

ALWAYS_INLINE vf sigmoid(vf x) { return times_sigmoid(VSET(1.0f), x); }

ALWAYS_INLINE vf swish(vf x) { return times_sigmoid(x, x); }

/* (1 - E) / (1 + E) with E = e^-2|x| = 1 + d: no cancellation near 0. From 10 on it is 1 in fp32. */
ALWAYS_INLINE vf hyperbolic_tangent(vf x) {
    struct exponential e = exponential(VMAX(VSET(-20.0f), -2.0f * magnitude(x)), (vf){0});
    vf scale = VSCALE(VSET(1.0f), e.power), d = VFMA(e.rest, scale, scale - 1.0f);
    return (vf)((vbits)(-d / (2.0f + d)) | ((vbits)x & INT32_MIN));
}

/* x times the normal distribution function. Its tail is Q(a) = exp(-a^2 / 2) g(a) for a = |x|; a^2 needs twice the
 * bits, since e^ turns its absolute error into a relative one. From 14.5 on x Q(a) is 0. */
ALWAYS_INLINE vf gelu(vf x) {
    /* (a + 3.5) g(a) over t = (a - 3.5) / (a + 3.5), for 0 <= a <= 14.5; 7.2e-9 */
    static const float c[] = {0x1.7d241ap-1f, -0x1.219150p-1f, 0x1.42fec8p-2f,   -0x1.db5a6ep-4f, 0x1.1d2fa4p-6f,
                              0x1.a98868p-8f, -0x1.a031b2p-9f, -0x1.037e10p-11f, 0x1.ba63d4p-12f, 0x1.d04230p-14f};
    vf a = VMIN(VSET(14.5f), magnitude(x)), square = a * a, low = VFMA(a, a, -square);
    vf r = 1.0f / (a + 3.5f), t = VFMA(a + a, r, VSET(-1.0f));
    struct exponential e = exponential(-0.5f * square, 0.5f * low);
    vf tail = POLYNOMIAL(t, c) * r;
    tail = VFMA(tail, e.rest, tail);
    vf value = by_sign(x, -a * tail, VFMA(-a, VSCALE(tail, e.power), x));
    return VSCALE(value, by_sign(x, e.power, VSET(0.0f)));
}

/* x / (1 + e^-v), v = 2 sqrt(2 / pi) (x + 0.044715 x^3) = x (LINEAR + CUBIC x^2), with twice the bits as above. LINEAR
 * has few enough that `linear - w` is exact. From 12.5 on v is so large that the result is x, or 0. */
#define LINEAR 0x1.988400p+0f
#define LINEAR_LOW 0x1.4cf50ep-18f
#define CUBIC 0x1.2444f2p-4f
#define CUBIC_LOW 0x1.49b16ap-29f
ALWAYS_INLINE vf gelu_tanh(vf x) {
    vf least = VMAX(VSET(-12.5f), x), a = VMIN(VSET(12.5f), least);
    vf square = a * a, square_low = VFMA(a, a, -square);
    vf w = VFMA(VSET(CUBIC), square, VSET(LINEAR)), w_low = VFMA(VSET(CUBIC), square, LINEAR - w);
    w_low += VFMA(VSET(CUBIC_LOW), square, VFMA(VSET(CUBIC), square_low, VSET(LINEAR_LOW)));
    vf v = a * w, v_low = VFMA(a, w_low, VFMA(a, w, -v));
    return logistic(least, VMIN(VSET(MOST), v), v_low);
}

ALWAYS_INLINE vf leaky_relu(vf x, vf alpha) { return by_sign(x, x * alpha, x); }

ALWAYS_INLINE vf hard_sigmoid(vf x, vf alpha, vf beta) { return VCLAMP(VFMA(x, alpha, beta), VSET(0.0f), VSET(1.0f)); }

ALWAYS_INLINE vf hard_swish(vf x) {
    vf least = VMAX(VSET(-3.0f), x); /* no infinity times 0 */
    return least * (VMIN(VSET(6.0f), least + 3.0f) * (1 / 6.0f));
}

#define EACH(name, value)                                                                                              \
    static void activate_##name(float *values, ptrdiff_t count, float alpha, float beta) {                             \
        (void)alpha, (void)beta;                                                                                       \
        for (ptrdiff_t i = 0; i < count; i += PM_VL) {                                                                 \
            vf x = VLOAD(values + i);                                                                                  \
            VSTORE(values + i, value);                                                                                 \
        }                                                                                                              \
    }

EACH(leaky_relu, leaky_relu(x, VSET(alpha)))
EACH(sigmoid, sigmoid(x))
EACH(swish, swish(x))
EACH(hard_sigmoid, hard_sigmoid(x, VSET(alpha), VSET(beta)))
EACH(hard_swish, hard_swish(x))
EACH(gelu, gelu(x))
EACH(gelu_tanh, gelu_tanh(x))
EACH(tanh, hyperbolic_tangent(x))

#define PM_ACTIVATION(name) [PM_FUNCTION_##name] = activate_##name,
