/* matmul.inc.h -- included for each float type: a block of a product of dense matrices.  Needs floats.inc.h and
 * linear/kernels.h.
 *
 * A tile is FC_MATMUL_ROWS rows of A times a panel, FC_MATMUL_VECTORS vectors of B's columns.  Rows of A are read where
 * they are, a value at a time; a tile's rows stay in the first cache while panels, packed in the second one, go by.
 * Each sum goes through a stretch of rows of B in order, product by product, each step rounded once: so the bytes are
 * the same on every instruction set, for any tile.
 */
enum { NAME(PANEL) = FC_MATMUL_VECTORS * NAME(LANES) };

/* turned[c][r] = values[r][c], of rows x cols; `step` and `to_step` values from one row to the next. */
static void NAME(turn)(const void *values, size_t step, size_t rows, size_t cols, void *turned, size_t to_step) {
    enum { L = NAME(LANES) };
    const size_t whole_rows = rows - rows % L, whole = cols - cols % L;
    const TYPE *from = values;
    TYPE *to = turned;
    for (size_t r = 0; r < whole_rows; r += L) {
        const size_t next = r + L < whole_rows ? r + L : r;
        for (size_t c = 0; c < whole; c += L) {
            VECTOR square[L];
            FC_UNROLL
            for (size_t i = 0; i < L; i++) {
                square[i] = LOAD(from + (r + i) * step + c);
                __builtin_prefetch(from + (next + i) * step + c);
            }
            NAME(transpose)(square);
            FC_UNROLL
            for (size_t i = 0; i < L; i++) memcpy(to + (c + i) * to_step + r, &square[i], sizeof square[i]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t c = r < whole_rows ? whole : 0; c < cols; c++) to[c * to_step + r] = from[r * step + c];
}

/* Rows [row, row + depth) and columns [col, col + cols) of B, as panels: of each row PANEL values, padded by 0. */
static void NAME(pack)(const fc_strided *B, size_t row, size_t depth, size_t col, size_t cols, void *panels) {
    enum { ROWS_AHEAD = 16 };
    for (size_t c = 0; c < cols; c += NAME(PANEL)) {
        const TYPE *from = (const TYPE *)B->values + row * B->row_step + (col + c) * B->col_step;
        TYPE *to = (TYPE *)panels + c * depth;
        const size_t width = fc_smaller(NAME(PANEL), cols - c);
        if (width < NAME(PANEL)) memset(to, 0, depth * NAME(PANEL) * sizeof *to);
        if (B->row_step == 1) {
            NAME(turn)(from, B->col_step, width, depth, to, NAME(PANEL));
        } else if (width < NAME(PANEL)) {
            for (size_t k = 0; k < depth; k++) memcpy(to + k * NAME(PANEL), from + k * B->row_step, width * sizeof *to);
        } else {
            for (size_t k = 0; k < depth; k++) {
                const TYPE *next = from + fc_smaller(k + ROWS_AHEAD, depth - 1) * B->row_step;
                FC_UNROLL
                for (int v = 0; v < FC_MATMUL_VECTORS; v++) __builtin_prefetch(next + v * NAME(LANES));
                memcpy(to + k * NAME(PANEL), from + k * B->row_step, NAME(PANEL) * sizeof *to);
            }
        }
    }
}

/* A sum, what it is added to, and the bias. */
FC_INLINED VECTOR NAME(total)(const fc_matmul_block *m, VECTOR sum, const TYPE *c, const TYPE *bias) {
    if (m->add) sum += LOAD(c);
    return m->bias ? sum + LOAD(bias) : sum;
}

/* Write a tile's sums where C has fewer columns than the tile: of its last vector some. */
static void NAME(put_narrow)(const fc_matmul_block *m, const VECTOR *sum, size_t row, size_t col, size_t vectors) {
    const size_t rows = fc_smaller(FC_MATMUL_ROWS, m->rows - row), width = m->cols - col;
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vectors; v++) {
            const size_t at = v * NAME(LANES), bytes = fc_smaller(NAME(LANES), width - at) * sizeof(TYPE);
            TYPE *to = (TYPE *)m->C + (row + r) * m->C_step + col + at, c[NAME(LANES)] = {0}, bias[NAME(LANES)] = {0};
            if (m->add) memcpy(c, to, bytes);
            if (m->bias) memcpy(bias, (const TYPE *)m->bias + col + at, bytes);
            const VECTOR total = NAME(total)(m, sum[r * vectors + v], c, bias);
            memcpy(to, &total, bytes);
        }
}

/* Write a tile's sums. */
FC_INLINED void NAME(put_whole)(const fc_matmul_block *m, const VECTOR *sum, size_t row, size_t col, int vectors) {
    TYPE *C = (TYPE *)m->C + row * m->C_step + col;
    const TYPE *bias = m->bias ? (const TYPE *)m->bias + col : C; /* or any address */
    FC_UNROLL
    for (int r = 0; r < FC_MATMUL_ROWS; r++) {
        if (row + (size_t)r >= m->rows) break;
        TYPE *c = C + (size_t)r * m->C_step; /* not beyond the last row */
        FC_UNROLL
        for (int v = 0; v < vectors; v++) {
            const VECTOR total = NAME(total)(m, sum[r * vectors + v], c + v * NAME(LANES), bias + v * NAME(LANES));
            memcpy(c + v * NAME(LANES), &total, sizeof total);
        }
    }
}

/* Row `row` of A, or the last one. */
static inline const TYPE *NAME(row_of)(const fc_matmul_block *m, size_t row) {
    return (const TYPE *)m->A + fc_smaller(row, m->rows - 1) * m->A_step;
}

/* A tile's sums of products.  Each panel asks for two rows of the next tile, which the same panels will go by. */
FC_INLINED void NAME(sum_products)(const fc_matmul_block *m, size_t row, size_t col, int vectors, VECTOR *sum) {
    enum { ROWS = FC_MATMUL_ROWS, NEXT = 2 };
    const TYPE *a[ROWS], *next[NEXT], *panel = (const TYPE *)m->panels + col * m->depth;
    FC_UNROLL
    for (size_t r = 0; r < ROWS; r++) a[r] = NAME(row_of)(m, row + r);
    FC_UNROLL
    for (size_t i = 0; i < NEXT; i++) next[i] = NAME(row_of)(m, row + ROWS + col / NAME(PANEL) * NEXT + i);
    for (size_t k = 0; k < m->depth; k++, panel += NAME(PANEL)) {
        VECTOR b[FC_MATMUL_VECTORS];
        FC_UNROLL
        for (int i = 0; i < NEXT; i++) __builtin_prefetch(next[i] + k, 0, 2);
        FC_UNROLL
        for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(panel + FC_MATMUL_AHEAD * NAME(PANEL) + v * NAME(LANES));
            b[v] = LOAD(panel + v * NAME(LANES));
            FC_IN_REGISTER(b[v]);
        }
        FC_UNROLL
        for (int r = 0; r < ROWS; r++) {
            const VECTOR spread = NAME(spread)(a[r] + k);
            FC_UNROLL
            for (int v = 0; v < vectors; v++) sum[r * vectors + v] = NAME(fma)(spread, b[v], sum[r * vectors + v]);
        }
    }
}

FC_INLINED void NAME(matmul_tile)(const fc_matmul_block *m, size_t row, size_t col, int vectors) {
    enum { MOST = FC_MATMUL_ROWS * FC_MATMUL_VECTORS };
    VECTOR acc[MOST] = {0}, sum[MOST]; /* a copy: what has an address would not stay in registers */
    FC_UNROLL
    for (size_t r = 0; r < FC_MATMUL_ROWS; r++) {
        const TYPE *c = (TYPE *)m->C + fc_smaller(row + r, m->rows - 1) * m->C_step + col;
        FC_UNROLL
        for (int v = 0; v < vectors; v++) __builtin_prefetch(c + v * NAME(LANES), 1, 3);
    }
    NAME(sum_products)(m, row, col, vectors, acc);
    if (m->cols - col >= (size_t)(vectors * NAME(LANES))) {
        NAME(put_whole)(m, acc, row, col, vectors);
        return;
    }
    FC_UNROLL
    for (int i = 0; i < FC_MATMUL_ROWS * vectors; i++) sum[i] = acc[i];
    NAME(put_narrow)(m, sum, row, col, (size_t)vectors);
}

_Static_assert(FC_MATMUL_VECTORS <= 3, "matmul names every width");
_Static_assert(FC_MATMUL_COLUMNS % NAME(PANEL) == 0 && FC_MATMUL_TILES % FC_MATMUL_ROWS == 0, "parts are whole tiles");

static void NAME(matmul)(const fc_matmul_block *m) {
    for (size_t row = 0; row < m->rows; row += FC_MATMUL_ROWS)
        for (size_t col = 0; col < m->cols; col += NAME(PANEL)) {
            const size_t width = fc_smaller(NAME(PANEL), m->cols - col);
            switch ((width + NAME(LANES) - 1) / NAME(LANES)) {
#define FC_CASE(n) \
    case n: \
        if (n <= FC_MATMUL_VECTORS) NAME(matmul_tile)(m, row, col, n); \
        break;
                FC_CASE(1)
                FC_CASE(2)
                FC_CASE(3)
#undef FC_CASE
            }
        }
}
