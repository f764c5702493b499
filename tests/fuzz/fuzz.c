/* fuzz.c -- libFuzzer's entry: FUZZ_TARGET names the target, FUZZ_PLANT a bug that has to be found: "short" (inputs end
 * a byte early), "unset" (their last byte is never written), "changed" (the second answer is that of another input),
 * "tight" (a bound that prunes is too small) or "lost" (nothing is freed).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "core/matrix.h"

static const struct {
    const char *name;
    void (*run)(source *);
} targets[] = {{"neighbors", fuzz_neighbors}, {"stages", fuzz_stages}, {"trees", fuzz_trees},    {"votes", fuzz_votes},
               {"losses", fuzz_losses},       {"sparse", fuzz_sparse}, {"windows", fuzz_windows}};
static void (*target)(source *);

enum { MOST_SETS = 16 };
static size_t there[MOST_SETS], there_count = 0; /* instruction sets of this machine */

static const char *const plants[] = {"none", "short", "unset", "changed", "tight", "lost"};
enum { NOTHING, SHORT, UNSET, CHANGED, TIGHT, LOST, PLANT_COUNT };
static int plant = NOTHING;
enum { LEAST_PLANTED = 48 }; /* bytes of an input that a plant is in: the fuzzer has to come to it */

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerInitialize(int *count, char ***words) {
    const char *name = getenv("FUZZ_TARGET"), *bug = getenv("FUZZ_PLANT");
    (void)count, (void)words;
    for (size_t i = 0; name && i < sizeof targets / sizeof *targets; i++)
        if (strcmp(name, targets[i].name) == 0) target = targets[i].run;
    for (int i = 0; bug && i < PLANT_COUNT; i++)
        if (strcmp(bug, plants[i]) == 0) plant = i;
    for (size_t isa = 0; isa < fc_isa_count(); isa++)
        if (fc_isa_available(isa)) there[there_count++] = isa;
    if (target) return 0;
    fputs("fuzz: FUZZ_TARGET names no target\n", stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    source s = {data, size, size};
    target(&s);
    return 0;
}

/* --- inputs ------------------------------------------------------------------------------------------------------- */

uint8_t take(source *s) {
    if (s->left) {
        s->left--;
        s->state = s->state * 31 + *s->at;
        return *s->at++;
    }
    s->state = s->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint8_t)(s->state >> 56);
}

int one_in(source *s, unsigned n) { return take(s) % n == n - 1; }
size_t up_to(source *s, size_t most) { return take(s) % (most + 1); }

void *room_for(size_t count, size_t size) {
    const size_t bytes = count * size;
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) exit(2);
    return memory;
}

void release(const void *array) {
    if (plant != LOST) free((void *)(uintptr_t)array);
}

/* An integer from 0 to 255 of a dtype; of two bytes, from 0 to 3. */
static void put_integer(void *data, size_t i, fc_dtype dtype, uint8_t v) {
    static const uint16_t halves[] = {0, 0x3c00, 0x4000, 0x4200}, bfloats[] = {0, 0x3f80, 0x4000, 0x4040};
    if (dtype == FC_u8 || dtype == FC_i8) ((uint8_t *)data)[i] = v;
    if (dtype == FC_f16) ((uint16_t *)data)[i] = halves[v % 4];
    if (dtype == FC_bf16) ((uint16_t *)data)[i] = bfloats[v % 4];
    if (dtype == FC_f32) ((float *)data)[i] = v;
    if (dtype == FC_f64) ((double *)data)[i] = v;
}

static void put(source *s, char *data, size_t i, fc_dtype dtype, kind v) {
    const size_t size = fc_dtype_size(dtype);
    if (v == FEW || v == BYTES) {
        put_integer(data, i, dtype, v == FEW ? take(s) % 4 : take(s));
        return;
    }
    for (size_t j = 0; j < size; j++) data[i * size + j] = (char)take(s);
    if (v == FINITE && !isfinite(fc_value_at(data, i, dtype))) put_integer(data, i, dtype, 0);
}

void *input_of(void *room, size_t bytes) {
    if ((plant != SHORT && plant != UNSET) || bytes < LEAST_PLANTED) return room;
    void *planted = room_for(bytes - (plant == SHORT), 1);
    memcpy(planted, room, bytes - 1);
    release(room);
    return planted;
}

void *array_of(source *s, fc_dtype dtype, size_t count, kind v) {
    const size_t bytes = count * fc_dtype_size(dtype);
    char *room = room_for(bytes, 1);
    for (size_t i = 0; i < count; i++) put(s, room, i, dtype, v);
    return input_of(room, bytes);
}

fc_matrix matrix_of(source *s, fc_dtype dtype, size_t rows, size_t cols, kind v) {
    return (fc_matrix){array_of(s, dtype, rows * cols, v), rows, cols, dtype};
}

sets two_sets(source *s) { return (sets){{there[0], there[there_count > 1 ? 1 + up_to(s, there_count - 2) : 0]}}; }

/* Asking the processor takes long in a virtual machine. */
void use(size_t isa) {
    if (fc_isa_active() != isa) expect(fc_isa_use(isa), "an instruction set is not there any more");
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

void disturb(const void *array, size_t bytes) {
    if (plant == CHANGED && bytes >= LEAST_PLANTED) ((uint8_t *)(uintptr_t)array)[bytes - 1] ^= 1;
}

void tighten(const float *bound) {
    if (plant == TIGHT) *(float *)(uintptr_t)bound *= 0.25f;
}

void expect(int is_right, const char *what) {
    if (is_right) return;
    fprintf(stderr, "fuzz: wrong answer: %s\n", what);
    abort();
}

void expect_same(const void *found, const void *expected, fc_dtype dtype, size_t count, const char *what) {
    if (memcmp(found, expected, count * fc_dtype_size(dtype)) == 0) return;
    for (size_t i = 0; i < count; i++) {
        const double a = fc_value_at(found, i, dtype), b = fc_value_at(expected, i, dtype);
        expect((a == b && signbit(a) == signbit(b)) || (isnan(a) && isnan(b)), what); /* NaN has many forms */
    }
}
