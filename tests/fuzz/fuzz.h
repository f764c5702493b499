/* fuzz.h -- what fuzz targets share: a case is made of the fuzzer's bytes, and its answer is compared with another one.
 */
#ifndef FASTCLF_FUZZ_H
#define FASTCLF_FUZZ_H

#include "models.h"

/* The fuzzer's bytes; when they are used up, bytes that follow from them. */
typedef struct {
    const uint8_t *at;
    size_t left;
    uint64_t state;
} source;

uint8_t take(source *s);
int one_in(source *s, unsigned n);
size_t up_to(source *s, size_t most); /* most < 256 */

/* What values are like: few integers, and so ties; bytes; any finite ones; NaN and infinity, too. */
typedef enum { FEW, BYTES, FINITE, ANY, KIND_COUNT } kind;

/* An array of its own exact size: of room_for, which is given up for it; drawn. */
void *input_of(void *room, size_t bytes);
void *array_of(source *s, fc_dtype dtype, size_t count, kind v);
fc_matrix matrix_of(source *s, fc_dtype dtype, size_t rows, size_t cols, kind v);
void *room_for(size_t count, size_t size);
void release(const void *array);

/* The portable instruction set, and another one of this machine. */
typedef struct {
    size_t isa[2];
} sets;
sets two_sets(source *s);
void use(size_t isa);

/* Change an input between two answers, if that bug is planted; make a bound too small, if that one is. */
void disturb(const void *array, size_t bytes);
void tighten(const float *bound);

/* End the run with a report. */
void expect(int is_right, const char *what);
void expect_same(const void *found, const void *expected, fc_dtype dtype, size_t count, const char *what);

void fuzz_neighbors(source *s);
void fuzz_votes(source *s);
void fuzz_losses(source *s);
void fuzz_sparse(source *s);
void fuzz_stages(source *s);
void fuzz_trees(source *s);
void fuzz_windows(source *s);

#endif
