/* api.c -- the public C interface: its numbers, its table, and the checks that its functions share. */
#include "api/api.h"

#include <math.h>
#include <stdlib.h>

#include "core/matrix.h"
#include "neighbors/metric.h"

/* --- numbers: what a row of lists.h is called by others, whatever its place there --------------------------------- */

#define FC_NUMBERED(name, ...) [FASTCLF_##name] = FC_##name,
static const fc_metric metrics[] = {FC_METRICS(FC_NUMBERED)};
static const fc_dtype dtypes[] = {FC_DTYPES(FC_NUMBERED)};
static const fc_loss losses[] = {FC_SCORE_LOSSES(FC_NUMBERED) FC_ROW_LOSSES(FC_NUMBERED)};

/* As many numbers as rows: no number is left out, so that none stands for the first row by accident. */
#define FC_COUNT_OF(array) (sizeof(array) / sizeof *(array))
_Static_assert(FC_COUNT_OF(metrics) == FC_METRIC_COUNT, "metrics of fastclf_api.h are numbered from 0, each once");
_Static_assert(FC_COUNT_OF(dtypes) == FC_DTYPE_COUNT, "dtypes of fastclf_api.h are numbered from 0, each once");
_Static_assert(FC_COUNT_OF(losses) == FC_LOSS_COUNT, "losses of fastclf_api.h are numbered from 0, each once");

int fc_api_metric(int metric, fc_metric *found) {
    if (metric < 0 || (size_t)metric >= FC_COUNT_OF(metrics)) return FASTCLF_BAD_METRIC;
    *found = metrics[metric];
    return FASTCLF_OK;
}

int fc_api_dtype(int dtype, fc_dtype *found) {
    if (dtype < 0 || (size_t)dtype >= FC_COUNT_OF(dtypes)) return FASTCLF_BAD_DTYPE;
    *found = dtypes[dtype];
    return FASTCLF_OK;
}

int fc_api_float(int dtype, fc_dtype *found) {
    FC_TRY(fc_api_dtype(dtype, found));
    return *found == FC_f32 || *found == FC_f64 ? FASTCLF_OK : FASTCLF_BAD_DTYPE;
}

int fc_api_loss(int loss, fc_loss *found) {
    if (loss < 0 || (size_t)loss >= FC_COUNT_OF(losses)) return FASTCLF_BAD_LOSS;
    *found = losses[loss];
    return FASTCLF_OK;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

#define FC_MEMBER(name) .name = fastclf_##name,
const fastclf_api fc_api_table = {
    .api_version = FASTCLF_API_VERSION, .size = sizeof(fastclf_api), FASTCLF_FUNCTIONS(FC_MEMBER)};

typedef void function(void);

#define FC_NAME(name) #name,
#define FC_ADDRESS(name) (function *)fastclf_##name,
static const char *const names[] = {FASTCLF_FUNCTIONS(FC_NAME)};
static function *const addresses[] = {FASTCLF_FUNCTIONS(FC_ADDRESS)};

const char *fc_api_name(size_t i) { return i < FC_COUNT_OF(names) ? names[i] : NULL; }
const void *fc_api_address(size_t i) { return i < FC_COUNT_OF(names) ? (const void *)(uintptr_t)addresses[i] : NULL; }

/* --- the build ---------------------------------------------------------------------------------------------------- */

const char *fastclf_error_string(int status) {
    static const char *const texts[] = {
        [FASTCLF_OK] = "no error",
        [FASTCLF_NO_MEMORY] = "out of memory",
        [FASTCLF_NULL_POINTER] = "an array is missing: its pointer is NULL",
        [FASTCLF_MISALIGNED] = "an array is not aligned to the size of its elements",
        [FASTCLF_BAD_SIZE] =
            "a size is negative, zero where there has to be something, too large, or does not fit another",
        [FASTCLF_BAD_K] = "k is less than 1 or more than the number of rows",
        [FASTCLF_BAD_METRIC] = "unknown metric",
        [FASTCLF_BAD_DTYPE] = "unknown dtype, or one that does not go here",
        [FASTCLF_BAD_LOSS] = "unknown loss, or one that does not go here",
        [FASTCLF_BAD_THREADS] = "the number of threads is negative",
        [FASTCLF_BAD_LABEL] = "a label is no class, or a neighbour is not there",
        [FASTCLF_BAD_WEIGHT] = "a weight is negative, NaN or infinite, or the votes of a row add up to infinity",
        [FASTCLF_BAD_OPTION] = "a flag, parameter, margin, weight or target that does not go here",
        [FASTCLF_NOT_FINITE] = "NaN or infinity among queries or rows",
        [FASTCLF_BAD_ROW] = "a row has no loss: NaN, infinity, or targets that are not as they have to be",
    };
    return status >= 0 && (size_t)status < FC_COUNT_OF(texts) ? texts[status] : "unknown error";
}

#define FC_QUOTED(text) #text
#define FC_QUOTE(macro) FC_QUOTED(macro)
const char *fastclf_version(void) { return FC_QUOTE(FASTCLF_VERSION); }

const char *fastclf_isa(void) { return fc_isa_name(fc_isa_active()); }

int fastclf_max_threads(void) { return fc_max_threads(); }

/* --- checks ------------------------------------------------------------------------------------------------------- */

/* Arguments that pass the checks here can still be wrong in one way: their sizes do not go together. */
int fc_api_status(fc_status status) {
    static const int statuses[] = {[FC_OK] = FASTCLF_OK,
                                   [FC_NO_MEMORY] = FASTCLF_NO_MEMORY,
                                   [FC_INTERRUPTED] = FASTCLF_NO_MEMORY, /* never: nobody is asked */
                                   [FC_BAD_ARGUMENT] = FASTCLF_BAD_SIZE,
                                   [FC_BAD_ROW] = FASTCLF_BAD_ROW};
    return statuses[status];
}

int fc_api_optional(const void *data, int64_t rows, int64_t cols, size_t size) {
    size_t entries, bytes;
    if (rows < 0 || cols < 1 || __builtin_mul_overflow((uint64_t)rows, (uint64_t)cols, &entries) ||
        __builtin_mul_overflow(entries, size, &bytes) || bytes > PTRDIFF_MAX)
        return FASTCLF_BAD_SIZE;
    return (uintptr_t)data % size ? FASTCLF_MISALIGNED : FASTCLF_OK;
}

int fc_api_array(const void *data, int64_t rows, int64_t cols, size_t size) {
    FC_TRY(fc_api_optional(data, rows, cols, size));
    return data || rows == 0 ? FASTCLF_OK : FASTCLF_NULL_POINTER;
}

int fc_api_matrix(int dtype, const void *data, int64_t rows, int64_t cols, fc_matrix *found) {
    fc_dtype of;
    FC_TRY(fc_api_dtype(dtype, &of));
    FC_TRY(fc_api_array(data, rows, cols, fc_dtype_size(of)));
    *found = (fc_matrix){data, (size_t)rows, (size_t)cols, of};
    return FASTCLF_OK;
}

int fc_api_rows(int dtype, const void *data, int64_t rows, int64_t cols, fc_matrix *found) {
    if (rows > UINT32_MAX) return FASTCLF_BAD_SIZE;
    return fc_api_matrix(dtype, data, rows, cols, found);
}

int fc_api_run(int n_threads, fc_run *run) {
    if (n_threads < 0) return FASTCLF_BAD_THREADS;
    *run = (fc_run){n_threads ? n_threads : fc_max_threads(), NULL};
    return FASTCLF_OK;
}

int fc_api_finite(fc_matrix matrix, fc_run run) {
    size_t row;
    FC_TRY(fc_api_status(fc_first_not_finite(matrix, run, &row)));
    return row < matrix.rows ? FASTCLF_NOT_FINITE : FASTCLF_OK;
}

int fc_api_weights(const double *weights, size_t n) {
    for (size_t i = 0; weights && i < n; i++)
        if (!(weights[i] >= 0 && weights[i] < (double)INFINITY)) return FASTCLF_BAD_WEIGHT;
    return FASTCLF_OK;
}

int fc_api_neighbors(int64_t n_queries, int64_t k, size_t n_rows, const double *distances, const int64_t *indices) {
    if (k < 1 || (uint64_t)k > n_rows) return FASTCLF_BAD_K;
    FC_TRY(fc_api_array(distances, n_queries, k, sizeof *distances));
    return fc_api_array(indices, n_queries, k, sizeof *indices);
}

int fc_api_centre(fc_metric metric, fc_matrix X, size_t most, float **centre) {
    *centre = NULL;
    if (X.dtype == FC_u8 || !fc_metrics[metric].centred || !X.rows) return FASTCLF_OK;
    *centre = malloc(X.cols * sizeof **centre);
    return *centre ? fc_api_status(fc_centre(X, most, *centre)) : FASTCLF_NO_MEMORY;
}
