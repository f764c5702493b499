/* rows.inc.h -- included for each float type of scores: rows in whole groups of FC_LANES, and how losses go through
 * them.  Needs the first part of losses.inc.h.
 *
 * Most calls have small rows.  A processor waits where values are stored in pieces and then loaded whole: that happens
 * only at a part's end.
 */

/* What a loss needs to know of one row, and where its results go: gradients times `factor` to `gradient`, losses of
 * scores times `weight` to `each`, unless they are NULL.
 */
typedef struct {
    const fc_batch *batch;
    const int64_t *label;         /* of this row and those after it, or NULL */
    size_t first, row, n, groups; /* first of the part */
    size_t readable;              /* values from the row's first to the part's end */
    const TYPE *scores;
    double weight, factor, *each, *const *buffer;
    TYPE *gradient;
    double *ratio; /* of the row: see each_row */
} NAME(a_row);

/* n values, n less than 16, without a call. */
static inline void NAME(copy_few)(TYPE *to, const TYPE *from, size_t n) {
    size_t i = 0;
    if (n & 8) memcpy(to, from, 8 * sizeof *to), i = 8;
    if (n & 4) memcpy(to + i, from + i, 4 * sizeof *to), i += 4;
    if (n & 2) memcpy(to + i, from + i, 2 * sizeof *to), i += 2;
    if (n & 1) to[i] = from[i];
}

/* Scores i, i + 1, ... of a row of n, and -inf after its end; `readable` values from the row's first can be read. */
static inline VECTOR NAME(scores_at)(const TYPE *scores, size_t n, size_t readable, size_t i) {
    const VECTOR filler = ALL((TYPE)-INFINITY);
    VECTOR v = filler;
    if (i + NAME(LANES) <= n) return LOAD(scores + i);
    if (i >= n) return v;
    if (i + NAME(LANES) <= readable) {
        const INTEGERS inside = NAME(count) < (INTEGERS){0} + (INTEGER)(n - i);
        return (VECTOR)((inside & (INTEGERS)LOAD(scores + i)) | (~inside & (INTEGERS)filler));
    }
    TYPE last[NAME(LANES)];
    memcpy(last, &v, sizeof v);
    for (size_t l = 0; l < n - i; l++) last[l] = scores[i + l];
    memcpy(&v, last, sizeof v);
    return v;
}

/* Where the last vector of n values begins: it ends with them, and overlaps the one before. */
static inline size_t NAME(last_of)(size_t n) { return n > NAME(LANES) ? n - NAME(LANES) : 0; }

static inline TYPE NAME(top_of)(VECTOR v) {
    TYPE lane[NAME(LANES)];
    memcpy(lane, &v, sizeof v);
    for (int half = NAME(LANES) / 2; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] = lane[l] > lane[l + half] ? lane[l] : lane[l + half];
    return lane[0];
}

/* What to ask of memory while a stretch of `count` scores from `from` is worked on: the scores after it, if there are
 * as many, and the place of the gradient.
 */
typedef struct {
    const TYPE *scores, *gradient;
} NAME(ahead);

static inline NAME(ahead) NAME(ahead_of)(const NAME(a_row) * r, size_t from, size_t count) {
    const TYPE *next = r->scores + (from + 2 * count <= r->readable ? count : 0);
    const NAME(ahead) a = {next, r->gradient ? r->gradient : next};
    return a;
}

static inline void NAME(ask)(NAME(ahead) a, size_t i) {
    __builtin_prefetch(a.scores + i);
    __builtin_prefetch(a.gradient + i);
}

/* Whether all of n values are finite. */
FC_INLINED int NAME(all_finite)(const TYPE *row, size_t n) {
    INTEGERS ok = ~(INTEGERS){0};
    const size_t whole = n - n % NAME(LANES);
    FC_STRETCHES (i, whole, NAME(LANES)) {
        const VECTOR v = LOAD(row + i);
        ok &= v - v == ALL(0);
    }
    for (size_t i = whole; i < n; i++) ok[0] &= -(INTEGER)(row[i] - row[i] == 0);
    for (int l = 1; l < NAME(LANES); l++) ok[0] &= ok[l];
    return ok[0] != 0;
}

/* n values times `factor`, rounded. */
static inline void NAME(put_row)(TYPE *to, const double *from, size_t n, double factor) {
    const size_t whole = n - n % F64_LANES;
    FC_STRETCHES (i, whole, F64_LANES) NAME(narrow)(to + i, load_v_f64(from + i) * factor);
    if (whole == n) return;
    if (n >= F64_LANES)
        NAME(narrow)(to + n - F64_LANES, load_v_f64(from + n - F64_LANES) * factor);
    else
        for (size_t i = 0; i < n; i++) to[i] = (TYPE)(from[i] * factor);
}

/* Make r the part's row i. */
FC_INLINED void NAME(point_to)(NAME(a_row) * r, const fc_batch_part *part, size_t i) {
    const fc_batch *b = part->batch;
    r->row = part->first + i;
    r->label = part->label ? part->label + i : NULL;
    r->scores = (const TYPE *)b->scores.data + r->row * r->n;
    r->readable = (part->rows - i) * r->n;
    r->weight = b->weight ? b->weight[r->row] : 1;
    r->factor = r->weight * b->scale;
    r->each = part->each ? part->each + i * r->n : NULL;
    r->gradient = part->gradient ? (TYPE *)part->gradient + i * r->n : NULL;
}

static inline int NAME(is_left_out)(const NAME(a_row) * r) { return (r->label && *r->label < 0) || r->weight == 0; }

static inline void NAME(put_nothing)(const NAME(a_row) * r) {
    if (r->gradient) clear(r->gradient, r->n * sizeof(TYPE));
    if (r->each) clear(r->each, r->n * sizeof *r->each);
}

/* Call `loss_of` for each row of a part: it returns the row's loss, or NaN if there is none.  For few classes call
 * `losses_of` for LANES rows together; it fails if one of them is special.  With `ratio`, log(1 + *r.ratio) is added to
 * each row's loss: for all rows together, as a single row leaves most of a vector idle.
 */
FC_INLINED size_t NAME(each_row)(const fc_batch_part *part, double (*loss_of)(const NAME(a_row) *),
                                 int (*losses_of)(const NAME(a_row) *, double *), double *ratio) {
    const fc_batch *b = part->batch;
    NAME(a_row) r = {.batch = b, .first = part->first, .n = b->scores.cols, .buffer = part->buffer};
    r.groups = (r.n + FC_LANES - 1) / FC_LANES;
    for (size_t i = 0; i < part->rows; i++) {
        double *loss = part->loss ? part->loss + i : (double[FC_LANES]){0};
        NAME(point_to)(&r, part, i);
        r.ratio = ratio ? ratio + i : (double[FC_LANES]){0};
        if (losses_of && r.n <= FC_FEW_CLASSES && i + NAME(LANES) <= part->rows && losses_of(&r, loss)) {
            i += NAME(LANES) - 1;
            continue;
        }
        *loss = *r.ratio = 0;
        if (NAME(is_left_out)(&r))
            NAME(put_nothing)(&r);
        else
            *loss = loss_of(&r);
        if (isnan(*loss)) return i;
    }
    if (part->loss) finish_losses(part->loss, ratio, b->weight ? b->weight + part->first : NULL, part->rows);
    return part->rows;
}
