#include "neighbors/wide.h"

#include <string.h>

__extension__ typedef unsigned __int128 uint128;

enum { CARRIED = 1 << 28 }; /* products: each adds less than 2^33 to a limb */

/* A float64 as mantissa * 2^exponent. */
typedef struct {
    uint64_t mantissa;
    int exponent, negative, finite;
} parts;

static parts parts_of(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    const int power = (int)(bits >> 52 & 0x7ff);
    const uint64_t fraction = bits & (((uint64_t)1 << 52) - 1), leading = (uint64_t)(power > 0) << 52;
    return (parts){fraction | leading, (power ? power : 1) - 1075, (int)(bits >> 63), power < 0x7ff};
}

/* Leave all limbs but the last in [0, 2^32). */
static void carry(fc_wide *w) {
    for (size_t i = 0; i + 1 < FC_WIDE_LIMBS; i++) {
        w->limb[i + 1] += w->limb[i] >> 32;
        w->limb[i] &= UINT32_MAX;
    }
    w->added = 0;
}

static void add_bits(int64_t *limb, uint64_t bits, int shift, int negative) {
    for (uint128 v = (uint128)bits << shift; v; v >>= 32, limb++) {
        const int64_t low = (int64_t)(v & UINT32_MAX);
        *limb += negative ? -low : low;
    }
}

void fc_wide_add(fc_wide *w, double a, double b) {
    const parts p = parts_of(a), q = parts_of(b);
    const uint128 product = (uint128)p.mantissa * q.mantissa;
    const int at = p.exponent + q.exponent + FC_WIDE_POINT, negative = p.negative != q.negative;
    if (!p.finite || !q.finite) {
        w->not_finite = 1;
        return;
    }
    add_bits(w->limb + at / 32, (uint64_t)product, at % 32, negative);
    add_bits(w->limb + at / 32 + 2, (uint64_t)(product >> 64), at % 32, negative);
    if (++w->added == CARRIED) carry(w);
}

/* Without zeros at its ends. */
static void trim(fc_big *a) {
    int zeros = 0;
    while (a->size && a->limb[a->size - 1] == 0) a->size--;
    while (zeros < a->size && a->limb[zeros] == 0) zeros++;
    memmove(a->limb, a->limb + zeros, (size_t)(a->size - zeros) * sizeof *a->limb);
    a->size -= zeros;
    a->place += zeros;
    if (a->size == 0) a->sign = 0;
}

fc_big fc_big_of(fc_wide *w) {
    fc_big a = {.sign = 1, .place = -FC_WIDE_POINT / 32, .size = FC_WIDE_LIMBS};
    carry(w);
    if (w->limb[FC_WIDE_LIMBS - 1] < 0) {
        a.sign = -1;
        for (size_t i = 0; i < FC_WIDE_LIMBS; i++) w->limb[i] = -w->limb[i];
        carry(w);
    }
    for (size_t i = 0; i < FC_WIDE_LIMBS; i++) a.limb[i] = (uint32_t)w->limb[i];
    trim(&a);
    return a;
}

fc_big fc_big_product(const fc_big *a, const fc_big *b) {
    fc_big p = {.sign = a->sign * b->sign, .place = a->place + b->place, .size = a->size + b->size};
    for (int i = 0; i < a->size; i++) {
        uint64_t over = 0;
        for (int j = 0; j < b->size; j++) {
            over += (uint64_t)a->limb[i] * b->limb[j] + p.limb[i + j];
            p.limb[i + j] = (uint32_t)over;
            over >>= 32;
        }
        p.limb[i + b->size] = (uint32_t)over;
    }
    trim(&p);
    return p;
}

/* The limb at a place; outside the number it is 0. */
static uint32_t limb_at(const fc_big *a, int place) {
    const int i = place - a->place;
    return i >= 0 && i < a->size ? a->limb[i] : 0;
}

static int lower(int a, int b) { return a < b ? a : b; }

fc_big fc_big_difference(const fc_big *a, const fc_big *b) {
    fc_big d = {.sign = 1, .place = b->size ? lower(a->place, b->place) : a->place};
    int64_t over = 0;
    for (d.size = 0; d.place + d.size < a->place + a->size; d.size++) {
        over += (int64_t)limb_at(a, d.place + d.size) - limb_at(b, d.place + d.size);
        d.limb[d.size] = (uint32_t)over;
        over >>= 32;
    }
    trim(&d);
    return d;
}

int fc_big_compare(const fc_big *a, const fc_big *b) {
    const int top_a = a->place + a->size, top_b = b->place + b->size;
    if (!a->sign || !b->sign) return (a->sign != 0) - (b->sign != 0);
    if (top_a != top_b) return top_a < top_b ? -1 : 1;
    for (int at = top_a; at-- > lower(a->place, b->place);) {
        const uint32_t l = limb_at(a, at), m = limb_at(b, at);
        if (l != m) return l < m ? -1 : 1;
    }
    return 0;
}

/* --- to float64 ----------------------------------------------------------------------------------------------- */

/* The number of the bit above the first one that is set. */
static int top_of(const fc_big *a) { return 32 * (a->place + a->size) - __builtin_clz(a->limb[a->size - 1]); }

/* 64 bits from bit `from` on; and whether bits below it are set. */
static uint64_t bits_from(const fc_big *a, int from) {
    const int place = (from + 32 * 1024) / 32 - 1024, shift = from - 32 * place;
    uint128 v = 0;
    for (int i = 2; i >= 0; i--) v = v << 32 | limb_at(a, place + i);
    return (uint64_t)(v >> shift);
}

static int has_bits_below(const fc_big *a, int from) {
    const int i = (from + 32 * 1024) / 32 - 1024 - a->place;
    /* without zeros at its end, a number has its lowest bit in its first limb */
    return i > 0 || (i == 0 && (a->limb[0] & (((uint32_t)1 << ((unsigned)from % 32)) - 1)));
}

/* bits * 2^exponent, and a little more if `more`: rounded to nearest, ties to even.  The first bit is set. */
static double rounded(uint64_t bits, int more, int exponent) {
    const int top = exponent + 64, precision = top > -1021 ? 53 : top + 1074; /* bits of a float64 there */
    if (top > 1024) return INFINITY;
    if (precision < 0) return 0;
    const int dropped = 64 - precision;
    uint64_t kept = dropped < 64 ? bits >> dropped : 0;
    const uint64_t half = (uint64_t)1 << (dropped - 1), rest = bits & (half | (half - 1));
    kept += rest > half || (rest == half && (more || kept % 2));
    return ldexp((double)kept, exponent + dropped);
}

double fc_big_rounded(const fc_big *a) {
    if (!a->sign) return 0;
    const int from = top_of(a) - 64;
    return rounded(bits_from(a, from), has_bits_below(a, from), from);
}

/* The greatest integer whose square is at most v, which is at least 2^126. */
static uint64_t integer_root(uint128 v) {
    const double about = sqrt((double)v);
    uint64_t root = about < 0x1p64 ? (uint64_t)about : UINT64_MAX;
    const uint128 better = (root + v / root) / 2;
    root = better < UINT64_MAX ? (uint64_t)better : UINT64_MAX;
    while ((uint128)root * root > v) root--;
    while (root < UINT64_MAX && (uint128)(root + 1) * (root + 1) <= v) root++;
    return root;
}

double fc_big_root(const fc_big *a) {
    if (!a->sign) return 0;
    const int top = top_of(a), from = top - 128 + (top & 1); /* even */
    const uint128 v = (uint128)bits_from(a, from + 64) << 64 | bits_from(a, from);
    const uint64_t root = integer_root(v);
    return rounded(root, has_bits_below(a, from) || (uint128)root * root != v, from / 2);
}

fc_twofold fc_big_leading(const fc_big *a, int *exponent) {
    const int top = a->place + a->size - 1;
    double rest = 0;
    for (int i = 4; i >= 2; i--) rest = (rest + (double)limb_at(a, top - i)) * 0x1p-32;
    const fc_twofold first = fc_two_sum((double)limb_at(a, top), (double)limb_at(a, top - 1) * 0x1p-32);
    *exponent = 32 * top;
    return fc_fast_two_sum(first.high, first.low + rest * 0x1p-32);
}
