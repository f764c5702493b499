/* sparse.c -- products of a sparse matrix, whose starts and columns may be wrong, and a dense one: two instruction sets
 * agree, and sums of integers are plain.
 */
#include <string.h>

#include "fuzz.h"
#include "core/matrix.h"

enum { MOST_ROWS = 20, MOST_COLS = 30, MOST_VALUES = 60 };
static const fc_run alone = {.n_threads = 1};

/* Where rows start, in order, often with all values; one in some cases is wrong. */
static int64_t *starts_of(source *s, size_t rows, size_t count) {
    int64_t *start = room_for(rows + 1, sizeof *start);
    start[0] = 0;
    for (size_t i = 1; i <= rows; i++) start[i] = start[i - 1] + (int64_t)up_to(s, (count - (size_t)start[i - 1]) / 2);
    if (one_in(s, 2) && rows) start[rows] = (int64_t)count;
    if (one_in(s, 16)) start[up_to(s, rows)] = (int64_t)take(s) - 128;
    return input_of(start, (rows + 1) * sizeof *start);
}

static int32_t *columns_of(source *s, size_t count, size_t end) {
    int32_t *index = room_for(count, sizeof *index);
    const int has_odd = one_in(s, 16);
    for (size_t i = 0; i < count; i++)
        index[i] = has_odd && one_in(s, 16) ? INT32_MIN + take(s) : (int32_t)(end ? up_to(s, end - 1) : 0);
    return input_of(index, count * sizeof *index);
}

/* Whether all is as it has to be. */
static int fits(const fc_sparse *p) {
    if (p->start[0] != 0 || p->M.cols == 0 || (p->M.rows == 0 && p->values > 0)) return 0;
    for (size_t i = 0; i < p->rows; i++)
        if (p->start[i] > p->start[i + 1]) return 0;
    if ((size_t)p->start[p->rows] > p->values) return 0;
    for (int64_t i = 0; i < p->start[p->rows]; i++)
        if (p->index[i] < 0 || (size_t)p->index[i] >= p->M.rows) return 0;
    return 1;
}

static void expect_plain(const fc_sparse *p, const void *out) {
    for (size_t row = 0; row < p->rows; row++)
        for (size_t col = 0; col < p->M.cols; col++) {
            double sum = 0;
            for (int64_t i = p->start[row]; i < p->start[row + 1]; i++)
                sum += fc_value_at(p->value, (size_t)i, p->dtype) *
                       fc_value_at(p->M.data, (size_t)p->index[i] * p->M.cols + col, p->M.dtype);
            expect(fc_value_at(out, row * p->M.cols + col, p->M.dtype) == sum, "not the plain sum");
        }
}

void fuzz_sparse(source *s) {
    static const fc_dtype stored[] = {FC_u8, FC_f32, FC_f64};
    const sets by = two_sets(s);
    const kind v = (kind)up_to(s, FINITE);
    fc_sparse p = {.rows = up_to(s, MOST_ROWS), .values = up_to(s, MOST_VALUES), .dtype = stored[up_to(s, 2)]};
    p.M = matrix_of(s, stored[1 + up_to(s, 1)], up_to(s, MOST_ROWS), up_to(s, MOST_COLS), v);
    p.start = starts_of(s, p.rows, p.values);
    p.index = columns_of(s, p.values, p.M.rows);
    p.value = array_of(s, p.dtype, p.values, v);
    const size_t entries = p.rows * p.M.cols;
    void *expected = room_for(entries, sizeof(double)), *found = room_for(entries, sizeof(double));

    use(by.isa[0]);
    const fc_status status = fc_sparse_product(&p, alone, expected);
    use(by.isa[1]);
    disturb(p.value, p.values * fc_dtype_size(p.dtype));
    expect(fc_sparse_product(&p, alone, found) == status, "status by another instruction set");
    expect(status == (fits(&p) ? FC_OK : FC_BAD_ARGUMENT), "another status than the indices have");
    if (status == FC_OK) {
        expect_same(found, expected, p.M.dtype, entries, "product by another instruction set");
        if (v != FINITE) expect_plain(&p, found);
    }
    release(found);
    release(expected);
    release(p.M.data);
    release(p.start);
    release(p.index);
    release(p.value);
}
