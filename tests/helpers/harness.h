/* harness.h -- what the parts of the harness share. */
#ifndef FASTCLF_HARNESS_H
#define FASTCLF_HARNESS_H

#include "models.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* What values are like: few integers, and so ties; bytes, whatever the dtype; fractions of either sign; float64 whose
 * squares leave its range.
 */
typedef enum { TIES, BYTES, FRACTIONS, HUGE_OR_TINY, SPREAD_COUNT } spread;

uint64_t draw(void);
double draw_value(fc_dtype dtype, spread s);

/* A matrix of its own exact size, so that a checker sees the first byte beyond it. */
fc_matrix make_matrix(size_t rows, size_t cols, fc_dtype dtype, spread s);
void destroy(fc_matrix m);

/* Zeros; or bytes that differ by instruction set, so that digests do where an answer is left out. */
void *allocate(size_t count, size_t size);
void *unwritten(size_t count, size_t size);

uint64_t fnv(uint64_t digest, const void *data, size_t bytes);
void expect_ok(fc_status status, const char *what);

/* Bugs for sanitizers to report. */
typedef enum { NO_BUG, OVER_READ, OVERFLOWS, RACE, UNWRITTEN, BUG_COUNT } bug;
int planted(bug b);

/* The digest, and every search folded in; every loss; every linear model; every window model; the public interface. */
uint64_t run_neighbors(uint64_t digest);
uint64_t run_losses(uint64_t digest);
uint64_t run_linear(uint64_t digest);
uint64_t run_windows(uint64_t digest);
uint64_t run_api(uint64_t digest);

/* Limits of values with and without ties do what kernels.h says. */
void check_limits(void);

#endif
