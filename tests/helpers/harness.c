/* harness.c -- run the C interface with no Python: every metric, loss, dtype and awkward shape on every instruction
 * set.
 *
 *      harness [--plant BUG] [ISA...]
 *
 * Prints "name digest" for each set that is named, or for all: one FNV-1a sum over all answers' bytes, equal on all
 * sets and machines.  Inputs come from a generator of integers, so that they are the same everywhere.  A planted bug is
 * one that a sanitizer has to report.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "core/matrix.h"
#include "core/threads.h"

#define SEED 20240607
static uint64_t state = SEED;

/* SplitMix64. */
uint64_t draw(void) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double draw_value(fc_dtype dtype, spread s) {
    const int64_t bits = (int64_t)(draw() >> 11); /* 53 of them */
    if (s == BYTES || dtype == FC_u8) return (double)(bits % (s == TIES ? 3 : 256));
    if (s == TIES) return (double)(bits % 5 - 2);
    if (dtype != FC_f64) return (double)(bits % (1 << 24) - (1 << 23)) * 0x1p-20;
    return (double)(bits - (INT64_C(1) << 52)) * (s == FRACTIONS ? 0x1p-50 : bits % 2 ? 0x1p500 : 0x1p-700);
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory || count == 0) return memory;
    fputs("harness: no memory\n", stderr);
    exit(1);
}

void *unwritten(size_t count, size_t size) {
    void *memory = allocate(count, size);
    if (memory) memset(memory, 1 + (int)fc_isa_active(), count * size);
    return memory;
}

/* The bits of an integer from 0 to 255 as binary16. */
static uint16_t half_of(unsigned v) {
    unsigned exponent = 0;
    while (v >> (exponent + 1)) exponent++;
    return v ? (uint16_t)((exponent + 15) << 10 | (v << (10 - exponent) & 0x3ff)) : 0;
}

/* Any finite one, or small integers. */
static uint16_t draw_half(spread s) {
    if (s == TIES || s == BYTES) return half_of((unsigned)draw_value(FC_u8, s));
    return (uint16_t)((draw() & 0x8000) | (draw() % FC_HALF_INFINITE));
}

/* The upper half of a float. */
static uint16_t draw_bfloat(spread s) {
    const float v = (float)draw_value(FC_bf16, s);
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static void draw_into(void *data, size_t i, fc_dtype dtype, spread s) {
    switch (dtype) {
    case FC_u8:
        ((uint8_t *)data)[i] = (uint8_t)draw_value(dtype, s);
        break;
    case FC_i8: /* of bytes the lower half, else all */
        ((int8_t *)data)[i] = (int8_t)((int)draw_value(FC_u8, s) / (1 + (s == BYTES)) - 128 * (s >= FRACTIONS));
        break;
    case FC_f16:
        ((uint16_t *)data)[i] = draw_half(s);
        break;
    case FC_bf16:
        ((uint16_t *)data)[i] = draw_bfloat(s);
        break;
    case FC_f32:
        ((float *)data)[i] = (float)draw_value(dtype, s);
        break;
    case FC_f64:
        ((double *)data)[i] = draw_value(dtype, s);
        break;
    case FC_DTYPE_COUNT:
        break;
    }
}

fc_matrix make_matrix(size_t rows, size_t cols, fc_dtype dtype, spread s) {
    void *data = allocate(rows * cols, fc_dtype_size(dtype));
    for (size_t i = 0; i < rows * cols; i++) draw_into(data, i, dtype, s);
    return (fc_matrix){data, rows, cols, dtype};
}

void destroy(fc_matrix m) { free((void *)(uintptr_t)m.data); }

uint64_t fnv(uint64_t digest, const void *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) digest = (digest ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
    return digest;
}

void expect_ok(fc_status status, const char *what) {
    if (status == FC_OK) return;
    fprintf(stderr, "harness: %s returned %d\n", what, (int)status);
    exit(1);
}

static const char *const bugs[BUG_COUNT] = {
    [OVER_READ] = "over-read", [OVERFLOWS] = "overflow", [RACE] = "race", [UNWRITTEN] = "unwritten"};
static bug plant = NO_BUG;

int planted(bug b) { return plant == b; }

static uint64_t run_all(void) {
    state = SEED;
    return run_api(run_windows(run_linear(run_losses(run_neighbors(UINT64_C(0xcbf29ce484222325))))));
}

static void add_to(void *job, fc_team *team, int thread) {
    (void)team, (void)thread;
    for (int i = 0; i < 1000; i++) ++*(size_t *)job;
}

static void race(void) {
    size_t shared = 0;
    expect_ok(fc_parallel((fc_run){.n_threads = 2}, 2, add_to, &shared), "fc_parallel");
}

static void overflow(void) {
    volatile int most = INT32_MAX;
    most++;
}

static void read_unwritten(void) {
    int fits;
    float *v = malloc(sizeof *v);
    expect_ok(fc_fits_u8((fc_matrix){v, 1, 1, FC_f32}, NULL, &fits), "fc_fits_u8");
    free(v);
}

static bug bug_named(const char *name) {
    for (bug b = NO_BUG + 1; b < BUG_COUNT; b++)
        if (strcmp(name, bugs[b]) == 0) return b;
    fprintf(stderr, "harness: no bug is named %s\n", name);
    exit(2);
}

/* The number of the instruction set of that name. */
static size_t isa_named(const char *name) {
    for (size_t isa = 0; isa < fc_isa_count(); isa++)
        if (strcmp(name, fc_isa_name(isa)) == 0 && fc_isa_available(isa)) return isa;
    fprintf(stderr, "harness: no instruction set here is named %s\n", name);
    exit(2);
}

static void run_isa(size_t isa) {
    if (!fc_isa_use(isa)) return;
    check_limits();
    printf("%s %016" PRIx64 "\n", fc_isa_name(isa), run_all());
    fflush(stdout);
}

int main(int count, char **words) {
    int first = 1;
    if (count > 2 && strcmp(words[1], "--plant") == 0) {
        plant = bug_named(words[2]);
        first = 3;
    }
    if (planted(RACE)) race();
    if (planted(OVERFLOWS)) overflow();
    if (planted(UNWRITTEN)) read_unwritten();
    for (int i = first; i < count; i++) run_isa(isa_named(words[i]));
    for (size_t isa = 0; count == first && isa < fc_isa_count(); isa++) run_isa(isa);
    return 0;
}
