/* harness_linear.c -- linear models: every dtype and kernel of scores, losses with gradients, products of matrices. */
#include <stdlib.h>
#include <string.h>

#include "core/matrix.h"
#include "harness.h"

static const struct {
    size_t rows, cols, classes;
} shapes[] = {{0, 3, 2}, {1, 1, 1}, {3, 15, 2}, {5, 16, 3}, {7, 33, 6}, {18, 65, 7}, {40, 130, 13}, {90, 3000, 4}};

static const fc_loss losses[] = {FC_cross_entropy, FC_mse, FC_hinge, FC_crammer_singer};

static uint64_t run_loss(uint64_t digest, const fc_linear *model, const int64_t *label, fc_loss loss, int n_threads) {
    double *of_W = allocate(model->classes * model->X.cols, sizeof *of_W),
           *of_b = allocate(model->classes, sizeof *of_b), sum = 0;
    const fc_batch batch = {.loss = loss,
                            .scores = {NULL, model->X.rows, model->classes, fc_dtype_of(model->in)},
                            .label = label,
                            .scale = 1,
                            .margin = 1,
                            .hinge_width = 0.5};
    expect_ok(fc_linear_loss(model, &batch, (fc_run){n_threads, NULL}, &sum, of_W, of_b), "linear loss");
    digest = fnv(digest, &sum, sizeof sum);
    digest = fnv(digest, of_W, model->classes * model->X.cols * sizeof *of_W);
    digest = fnv(digest, of_b, model->classes * sizeof *of_b);
    free(of_W);
    free(of_b);
    return digest;
}

static uint64_t run_model(uint64_t digest, size_t shape, fc_dtype dtype, fc_dtype own) {
    const size_t rows = shapes[shape].rows, cols = shapes[shape].cols, classes = shapes[shape].classes;
    const fc_matrix X = make_matrix(rows, cols, dtype, dtype == FC_u8 ? BYTES : FRACTIONS),
                    W = make_matrix(classes, cols, own, FRACTIONS), b = make_matrix(1, classes, own, FRACTIONS),
                    centre = make_matrix(1, cols, own, FRACTIONS);
    const fc_linear model = {X,      fc_arithmetic_of(own),     shape % 2 ? centre.data : NULL,
                             W.data, shape % 3 ? b.data : NULL, classes};
    const size_t size = own == FC_f32 ? sizeof(float) : sizeof(double);
    void *scores = allocate(rows * classes, size);
    int64_t *label = allocate(rows, sizeof *label);
    for (size_t i = 0; i < rows; i++) label[i] = (int64_t)(draw() % (classes + 1)) - 1;
    expect_ok(fc_linear_scores(&model, (fc_run){1 + (int)(shape % 3), NULL}, scores), "linear scores");
    digest = fnv(digest, scores, rows * classes * size);
    for (size_t i = 0; i < LENGTH(losses); i++) digest = run_loss(digest, &model, label, losses[i], 1 + (int)(i % 2));
    free(scores);
    free(label);
    destroy(X);
    destroy(W);
    destroy(b);
    destroy(centre);
    return digest;
}

/* Every third value of a matrix of so many columns, row by row. */
static uint64_t run_sparse(uint64_t digest, fc_dtype dtype, fc_dtype own, size_t classes) {
    enum { ROWS = 9, COLS = 14, VALUES = ROWS * COLS / 3 };
    const fc_matrix value = make_matrix(1, VALUES, dtype, BYTES), M = make_matrix(COLS, classes, own, FRACTIONS);
    const size_t size = own == FC_f32 ? sizeof(float) : sizeof(double);
    int64_t *start = allocate(ROWS + 1, sizeof *start);
    int32_t *index = allocate(VALUES, sizeof *index);
    void *out = allocate(ROWS * classes, size);
    for (int i = 0; i < VALUES; i++) index[i] = 3 * i % COLS;
    for (int i = 0; i <= ROWS; i++) start[i] = i * VALUES / ROWS;
    const fc_sparse product = {ROWS, VALUES, start, index, value.data, dtype, M};
    expect_ok(fc_sparse_product(&product, (fc_run){2, NULL}, out), "sparse product");
    digest = fnv(digest, out, ROWS * classes * size);
    free(start);
    free(index);
    free(out);
    destroy(value);
    destroy(M);
    return digest;
}

/* Of matrices in either order, with what is added and without; sums of rows. */
static uint64_t run_matmul(uint64_t digest, size_t rows, size_t depth, size_t cols, fc_dtype own, int orders) {
    const fc_matrix A = make_matrix(rows, depth, own, FRACTIONS), B = make_matrix(depth, cols, own, FRACTIONS),
                    bias = make_matrix(1, cols, own, FRACTIONS), C = make_matrix(rows, cols, own, FRACTIONS);
    const fc_strided a = {A.data, rows, depth, orders % 2 ? 1 : depth, orders % 2 ? rows : 1},
                     b = {B.data, depth, cols, orders / 2 ? 1 : cols, orders / 2 ? depth : 1};
    double *sums = allocate(rows, sizeof *sums);
    for (size_t i = 0; i < rows; i++) sums[i] = 0;
    expect_ok(fc_matmul(fc_arithmetic_of(own), &a, &b, orders ? bias.data : NULL, orders % 3 > 0, (fc_run){2, NULL},
                        (void *)(uintptr_t)C.data, sums),
              "matmul");
    digest = fnv(digest, C.data, rows * cols * fc_dtype_size(own));
    digest = fnv(digest, sums, rows * sizeof *sums);
    free(sums);
    destroy(A);
    destroy(B);
    destroy(bias);
    destroy(C);
    return digest;
}

static uint64_t run_matmuls(uint64_t digest, fc_dtype own) {
    static const size_t sizes[][3] = {{1, 1, 1},      {2, 0, 3},     {3, 5, 0},    {0, 2, 4},
                                      {7, 33, 15},    {9, 16, 47},   {25, 64, 48}, {17, 40, 130},
                                      {140, 17, 500}, {13, 800, 50}, {700, 3, 20}};
    for (size_t i = 0; i < LENGTH(sizes); i++)
        for (int orders = 0; orders < 4; orders++)
            digest = run_matmul(digest, sizes[i][0], sizes[i][1], sizes[i][2], own, orders);
    return digest;
}

uint64_t run_linear(uint64_t digest) {
    for (fc_dtype own = FC_f32; own <= FC_f64; own++) {
        digest = run_matmuls(digest, own);
        for (fc_dtype dtype = FC_u8; dtype <= own; dtype++) {
            for (size_t i = 0; i < LENGTH(shapes); i++) digest = run_model(digest, i, dtype, own);
            for (size_t classes = 1; fc_is_stored(dtype, fc_arithmetic_of(dtype)) && classes < 35; classes += 3)
                digest = run_sparse(digest, dtype, own, classes);
        }
    }
    return digest;
}
