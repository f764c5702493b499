/* linear.inc.h -- included for each float type: products of a block of rows with weights, and of gradients with the
 * block.  Needs floats.inc.h and core/matrix.h.
 *
 * A line is FC_LINE bytes of features.  Rows of a block and of weights are whole lines, padded by 0.  A score is summed
 * in as many partial sums as a line has features; these are then added by halves.  A weight's gradient is summed over
 * the block's rows in their order, and over blocks from where `partial` stands.  So the bytes are the same on every
 * instruction set, for any tile.
 */
enum { NAME(LINE) = FC_LINE / (int)sizeof(TYPE), NAME(LINE_VECTORS) = FC_LINE / FC_VBYTES };

/* Features of a row of X, less the centre. */
#define FC_DEFINE_CENTRED(dtype, type, format) \
    static void NAME(centred_##dtype)(const void *x, const void *centre, size_t n, void *out, size_t padded) { \
        const type *from = x; \
        const TYPE *middle = centre; \
        TYPE *to = out; \
        for (size_t i = 0; i < n; i++) to[i] = (TYPE)fc_number_##dtype(from[i]) - middle[i]; \
        for (size_t i = n; i < padded; i++) to[i] = 0; \
    }
FC_DTYPES(FC_DEFINE_CENTRED)
#undef FC_DEFINE_CENTRED

/* Write the sums over the lanes of FC_LINEAR_ROWS * FC_LINEAR_CLASSES lines or less to `sum`.  Whole vectors are added
 * first, then transposed squares, then lanes: always the lower half and the higher.
 */
static inline void NAME(sum_lines)(VECTOR *line, int lines, TYPE *sum) {
    for (int i = 0; i < lines; i++)
        for (int half = NAME(LINE_VECTORS) / 2; half; half /= 2)
            for (int v = 0; v < half; v++) line[i * NAME(LINE_VECTORS) + v] += line[i * NAME(LINE_VECTORS) + v + half];
    for (int i = 0; i < lines; i += NAME(LANES)) {
        VECTOR square[NAME(LANES)];
        for (int k = 0; k < NAME(LANES); k++)
            square[k] = line[(i + k < lines ? i + k : lines - 1) * NAME(LINE_VECTORS)];
        NAME(transpose)(square);
        for (int half = NAME(LANES) / 2; half; half /= 2)
            for (int k = 0; k < half; k++) square[k] += square[k + half];
        memcpy(sum + i, &square[0], sizeof square[0]);
    }
}

/* A tile's sums over a chunk of features: they go on from `sums`, and end there, but for a row's first and last chunk.
 */
typedef struct {
    VECTOR sums[FC_LINEAR_ROWS * FC_LINEAR_CLASSES * NAME(LINE_VECTORS)];
} NAME(tile_sums);

/* Scores of FC_LINEAR_ROWS rows (the last again where there are fewer) for `classes` classes, features [from, to). */
FC_INLINED void NAME(score_tile)(const fc_linear_block *b, size_t row, size_t class, int classes, size_t from,
                                 size_t to, NAME(tile_sums) * t) {
    enum { ROWS = FC_LINEAR_ROWS, VECTORS = NAME(LINE_VECTORS), MOST = FC_LINEAR_CLASSES };
    const TYPE *x[ROWS], *w = (const TYPE *)b->W + class * b->stride;
    VECTOR acc[ROWS * MOST * VECTORS] = {0}, line[ROWS * MOST * VECTORS]; /* registers; the same in memory */
    TYPE sum[ROWS * MOST + NAME(LANES)];
    FC_UNROLL
    for (int r = 0; r < ROWS; r++)
        x[r] = (const TYPE *)b->x + (row + (size_t)r < b->rows ? row + (size_t)r : b->rows - 1) * b->stride;
    if (from) {
        FC_UNROLL
        for (int i = 0; i < ROWS * classes * VECTORS; i++) acc[i] = t->sums[i];
    }
    for (size_t i = from; i < to; i += (size_t)NAME(LINE)) {
        FC_UNROLL
        for (int v = 0; v < VECTORS; v++) {
            const size_t at = i + (size_t)(v * NAME(LANES));
            VECTOR xs[ROWS];
            FC_UNROLL
            for (int r = 0; r < ROWS; r++) {
                xs[r] = LOAD(x[r] + at);
                FC_IN_REGISTER(xs[r]);
            }
            FC_UNROLL
            for (int c = 0; c < classes; c++) {
                VECTOR ws = LOAD(w + (size_t)c * b->stride + at);
                FC_IN_REGISTER(ws);
                FC_UNROLL
                for (int r = 0; r < ROWS; r++) {
                    VECTOR *a = &acc[(r * classes + c) * VECTORS + v];
                    *a = NAME(times_plus)(xs[r], ws, *a);
                }
            }
        }
    }
    if (to < b->depth) {
        FC_UNROLL
        for (int i = 0; i < ROWS * classes * VECTORS; i++) t->sums[i] = acc[i];
        return;
    }
    FC_UNROLL
    for (int i = 0; i < ROWS * classes * VECTORS; i++) line[i] = acc[i];
    NAME(sum_lines)(line, ROWS * classes, sum);
    for (size_t r = 0; r < ROWS && row + r < b->rows; r++)
        for (size_t c = 0; c < (size_t)classes; c++)
            ((TYPE *)b->scores)[(row + r) * b->classes + class + c] =
                sum[r * (size_t)classes + c] + ((const TYPE *)b->b)[class + c];
}

/* sum += v, in float64. */
FC_INLINED void NAME(add_wide)(double *sum, VECTOR v) {
    TYPE lane[NAME(LANES)];
    memcpy(lane, &v, sizeof lane);
    for (int l = 0; l < NAME(LANES); l += F64_LANES) {
        const v_f64 total = load_v_f64(sum + l) + NAME(widen)(lane + l);
        memcpy(sum + l, &total, sizeof total);
    }
}

/* Add gradients times rows for `classes` classes and `vectors` vectors of features from `at` on. */
FC_INLINED void NAME(gradient_tile)(const fc_linear_block *b, size_t at, size_t class, int classes, int vectors) {
    VECTOR acc[FC_LINEAR_CLASSES * FC_LINEAR_VECTORS] = {0};
    const TYPE *x = (const TYPE *)b->x + at, *slope = (const TYPE *)b->scores + class;
    if (b->partial) {
        const TYPE *from = (const TYPE *)b->partial + class * b->depth + at;
        FC_UNROLL
        for (int c = 0; c < classes; c++) FC_UNROLL
        for (int v = 0; v < vectors; v++) acc[c * vectors + v] = LOAD(from + (size_t)c * b->depth + v * NAME(LANES));
    }
    for (size_t row = 0; row < b->rows; row++, x += b->stride, slope += b->classes) {
        VECTOR xs[FC_LINEAR_VECTORS];
        FC_UNROLL
        for (int v = 0; v < vectors; v++) xs[v] = LOAD(x + v * NAME(LANES));
        FC_UNROLL
        for (int c = 0; c < classes; c++) {
            const VECTOR s = NAME(spread)(slope + c);
            FC_UNROLL
            for (int v = 0; v < vectors; v++) acc[c * vectors + v] = NAME(times_plus)(s, xs[v], acc[c * vectors + v]);
        }
    }
    FC_UNROLL
    for (int c = 0; c < classes; c++) FC_UNROLL
    for (int v = 0; v < vectors; v++) {
        const size_t to = (class + (size_t)c) * b->depth + at + (size_t)(v * NAME(LANES));
        if (b->partial)
            memcpy((TYPE *)b->partial + to, &acc[c * vectors + v], sizeof acc[0]);
        else
            NAME(add_wide)(b->sum + to, acc[c * vectors + v]);
    }
}

#define FC_WIDTHS(X) X(1) X(2) X(3) X(4) X(5) X(6)
_Static_assert(FC_LINEAR_CLASSES <= 6, "FC_WIDTHS names every width");

/* Tiles that all classes make, of about the same width, at most FC_LINEAR_CLASSES; and the first class of tile i. */
static inline size_t NAME(tile_count)(size_t classes) { return (classes + FC_LINEAR_CLASSES - 1) / FC_LINEAR_CLASSES; }
static inline size_t NAME(tile_start)(size_t classes, size_t i) { return i * classes / NAME(tile_count)(classes); }

/* The first cache, of 32 KiB or more, holds the weights of a group of tiles, a chunk of features at a time, while a
 * group of rows goes by.  Of rows of one chunk no sums are kept, and a group may have more tiles.
 */
enum {
    NAME(CACHED) = 24576 / (int)sizeof(TYPE),
    NAME(CHUNK) = 4096 / (int)sizeof(TYPE),
    NAME(CHUNK_TILES) = NAME(CACHED) / NAME(CHUNK) / FC_LINEAR_CLASSES,
    NAME(GROUP_ROWS) = 8
};
_Static_assert(NAME(GROUP_ROWS) % FC_LINEAR_ROWS == 0 && NAME(CHUNK_TILES) > 0, "a group's sums have a place each");

static void NAME(score_group)(const fc_linear_block *b, size_t row, size_t tile, size_t tiles) {
    NAME(tile_sums) sums[NAME(GROUP_ROWS) / FC_LINEAR_ROWS][NAME(CHUNK_TILES)];
    const size_t rows = fc_smaller(NAME(GROUP_ROWS), b->rows - row);
    size_t from = 0;
    do {
        const size_t to = fc_smaller(from + NAME(CHUNK), b->depth);
        for (size_t r = 0; r < rows; r += FC_LINEAR_ROWS)
            for (size_t t = 0; t < tiles; t++) {
                const size_t class = NAME(tile_start)(b->classes, tile + t);
                NAME(tile_sums) *kept = &sums[r / FC_LINEAR_ROWS][t % NAME(CHUNK_TILES)];
                switch (NAME(tile_start)(b->classes, tile + t + 1) - class) {
#define FC_CASE(n) \
    case n: \
        if (n <= FC_LINEAR_CLASSES) NAME(score_tile)(b, row + r, class, n, from, to, kept); \
        break;
                    FC_WIDTHS(FC_CASE)
#undef FC_CASE
                }
            }
    } while ((from += NAME(CHUNK)) < b->depth);
}

static void NAME(linear_scores)(const fc_linear_block *b) {
    const size_t tiles = NAME(tile_count)(b->classes);
    const size_t step =
        b->depth > NAME(CHUNK) ? NAME(CHUNK_TILES) : 1 + NAME(CACHED) / FC_LINEAR_CLASSES / (b->depth + 1);
    for (size_t tile = 0; tile < tiles; tile += step)
        for (size_t row = 0; row < b->rows; row += NAME(GROUP_ROWS))
            NAME(score_group)(b, row, tile, fc_smaller(step, tiles - tile));
}

static void NAME(linear_gradients)(const fc_linear_block *b) {
    enum { VECTORS = FC_LINEAR_VECTORS };
    const size_t whole = b->depth - b->depth % (VECTORS * NAME(LANES)), tiles = NAME(tile_count)(b->classes);
    for (size_t at = 0; at < b->depth; at += at < whole ? VECTORS * NAME(LANES) : NAME(LANES))
        for (size_t tile = 0; tile < tiles; tile++) {
            const size_t class = NAME(tile_start)(b->classes, tile);
            switch (NAME(tile_start)(b->classes, tile + 1) - class) {
#define FC_CASE(n) \
    case n: \
        if (n > FC_LINEAR_CLASSES) break; \
        if (at < whole) \
            NAME(gradient_tile)(b, at, class, n, VECTORS); \
        else \
            NAME(gradient_tile)(b, at, class, n, 1); \
        break;
                FC_WIDTHS(FC_CASE)
#undef FC_CASE
            }
        }
}
#undef FC_WIDTHS

/* --- compressed rows ---------------------------------------------------------------------------------------------- */

typedef TYPE NAME(four) __attribute__((vector_size(4 * sizeof(TYPE))));
typedef double NAME(sum_of_four) __attribute__((vector_size(4 * sizeof(double))));

/* Columns [from, from + 4 * fours) of a row's product; the first `wanted` are kept.  Sums are in float64, in the order
 * of the row's values.  Four columns of M are read at once, at M's end from a copy.  Rows of M that later values need,
 * those before `end`, are asked for ahead.
 */
enum { NAME(SPARSE_AHEAD) = 16 };

FC_INLINED void NAME(sparse_tile)(const fc_sparse *s, fc_dtype dtype, size_t row, size_t end, size_t from, int fours,
                                  size_t wanted, TYPE *out) {
    NAME(sum_of_four) acc[4] = {0};
    TYPE last[16] = {0};
    const size_t row_end = fc_sparse_start(s, row + 1);
    for (size_t i = fc_sparse_start(s, row); i < row_end; i++) {
        const size_t later = i + NAME(SPARSE_AHEAD) < end ? i + NAME(SPARSE_AHEAD) : i;
        const TYPE *ahead = (const TYPE *)s->M.data + (size_t)s->index[later] * s->M.cols + from;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + wanted - 1);
        const size_t at = fc_within(FC_ONCE(s->index[i]), s->M.rows) * s->M.cols + from;
        const TYPE *m = (const TYPE *)s->M.data + at;
        const double value = fc_value_at(s->value, i, dtype);
        if (at + 4 * (size_t)fours > s->M.rows * s->M.cols) m = memcpy(last, m, wanted * sizeof *m);
        FC_UNROLL
        for (int k = 0; k < fours; k++) {
            NAME(four) v;
            memcpy(&v, m + 4 * k, sizeof v);
            acc[k] += value * __builtin_convertvector(v, NAME(sum_of_four));
        }
    }
    for (size_t c = 0; c < wanted; c++) out[c] = (TYPE)acc[c / 4][c % 4];
}

/* One row's product; `dtype`, the values', is a constant, so that their loop has no branch by it. */
FC_INLINED void NAME(sparse_row)(const fc_sparse *s, fc_dtype dtype, size_t row, size_t end, TYPE *out) {
    for (size_t c = 0; c < s->M.cols; c += 16) {
        const size_t left = s->M.cols - c;
        switch ((left + 3) / 4) {
        case 1:
            NAME(sparse_tile)(s, dtype, row, end, c, 1, left, out + c);
            break;
        case 2:
            NAME(sparse_tile)(s, dtype, row, end, c, 2, left, out + c);
            break;
        case 3:
            NAME(sparse_tile)(s, dtype, row, end, c, 3, left, out + c);
            break;
        default:
            NAME(sparse_tile)(s, dtype, row, end, c, 4, left < 16 ? left : 16, out + c);
        }
    }
}

/* A function for each dtype: in one function their loops would share registers, which costs a tenth with few columns.
 */
#define FC_DEFINE_SPARSE_ROW(dtype) \
    static void NAME(sparse_row_##dtype)(const fc_sparse *s, size_t row, size_t end, TYPE *out) { \
        NAME(sparse_row)(s, FC_##dtype, row, end, out); \
    }
FC_DEFINE_SPARSE_ROW(u8)
FC_DEFINE_SPARSE_ROW(f32)
FC_DEFINE_SPARSE_ROW(f64)
#undef FC_DEFINE_SPARSE_ROW

static void NAME(sparse_product)(const fc_sparse *s, size_t from, size_t to, void *out) {
    const size_t end = fc_sparse_start(s, to);
    TYPE *rows = out;
    for (size_t row = from; row < to; row++, rows += s->M.cols) switch (s->dtype) {
        case FC_u8:
            NAME(sparse_row_u8)(s, row, end, rows);
            break;
        case FC_f32:
            NAME(sparse_row_f32)(s, row, end, rows);
            break;
        case FC_f64:
            NAME(sparse_row_f64)(s, row, end, rows);
            break;
        case FC_i8: /* refused: fc_sparse_fits */
        case FC_bf16:
        case FC_f16:
        case FC_DTYPE_COUNT:
            break;
        }
}

#define FC_CENTRED_ENTRY_f32(dtype, type, format) [FC_##dtype] = centred_##dtype##_f32,
#define FC_CENTRED_ENTRY_f64(dtype, type, format) [FC_##dtype] = centred_##dtype##_f64,
#define FC_LINEAR_ENTRY_OF(dtype, row_adder, row_solver) \
    [FC_IN_##dtype] = {.centred = {FC_DTYPES(FC_CENTRED_ENTRY_##dtype)}, \
                       .scores = linear_scores_##dtype, \
                       .gradients = linear_gradients_##dtype, \
                       .sparse_product = sparse_product_##dtype, \
                       .turn = turn_##dtype, \
                       .pack = pack_##dtype, \
                       .matmul = matmul_##dtype, \
                       .add_row = row_adder, \
                       .svm_row = row_solver},
