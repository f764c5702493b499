/* rows.inc.h -- included for each dtype of scores: rows in whole groups of FC_LANES, and how losses go through them.
 *
 * Small rows are what most calls have: nothing is stored in pieces and then loaded whole, which processors wait for.
 */

enum { NAME(LANES) = FC_VBYTES / (int)sizeof(TYPE) };

/* What a loss needs to know of one row, and where its results go: slopes times `factor` to `gradient`, losses of scores
 * times `weight` to `each`, unless they are NULL.
 */
typedef struct {
    const fc_batch *batch;
    size_t first, row, n, groups; /* first of the part */
    size_t readable;              /* values from the row's first to the part's end */
    const TYPE *scores;
    double weight, factor, *each, *const *room;
    TYPE *gradient;
} NAME(a_row);

/* n values, n less than 16, without a call. */
static inline void NAME(copy_few)(TYPE *to, const TYPE *from, size_t n) {
    size_t i = 0;
    if (n & 8) memcpy(to, from, 8 * sizeof *to), i = 8;
    if (n & 4) memcpy(to + i, from + i, 4 * sizeof *to), i += 4;
    if (n & 2) memcpy(to + i, from + i, 2 * sizeof *to), i += 2;
    if (n & 1) to[i] = from[i];
}

/* The row's scores from i on, and -inf beyond its end. */
static inline VECTOR NAME(scores_at)(const NAME(a_row) *r, size_t i) {
    const VECTOR filler = ALL((TYPE)-INFINITY);
    VECTOR v = filler;
    if (i + NAME(LANES) <= r->n) return LOAD(r->scores + i);
    if (i >= r->n) return v;
    if (i + NAME(LANES) <= r->readable) {
        const INTEGERS inside = NAME(count) < (INTEGERS){0} + (INTEGER)(r->n - i);
        return (VECTOR)((inside & (INTEGERS)LOAD(r->scores + i)) | (~inside & (INTEGERS)filler));
    }
    TYPE last[NAME(LANES)];
    memcpy(last, &v, sizeof v);
    for (size_t l = 0; l < r->n - i; l++) last[l] = r->scores[i + l];
    memcpy(&v, last, sizeof v);
    return v;
}

static inline TYPE NAME(top_of)(VECTOR v) {
    TYPE lane[NAME(LANES)];
    memcpy(lane, &v, sizeof v);
    for (int half = NAME(LANES) / 2; half; half /= 2)
        for (int l = 0; l < half; l++) lane[l] = lane[l] > lane[l + half] ? lane[l] : lane[l + half];
    return lane[0];
}

/* Whether all of n values are finite. */
static inline int NAME(all_finite)(const TYPE *row, size_t n) {
    VECTOR zero = ALL(0);
    TYPE lane[NAME(LANES)], sum = 0;
    size_t i = 0;
    for (; i + NAME(LANES) <= n; i += NAME(LANES)) zero += LOAD(row + i) * 0;
    for (; i < n; i++) sum += row[i] * 0;
    memcpy(lane, &zero, sizeof zero);
    for (int l = 0; l < NAME(LANES); l++) sum += lane[l];
    return sum == 0;
}

static inline lanes NAME(add_group)(lanes sum, const TYPE *v) {
    FC_UNROLL
    for (int l = 0; l < LANE_VECTORS; l++) sum.v[l] += NAME(widen)(v + l * F64_LANES);
    return sum;
}

/* The sum of a padded row, without entry `but`. */
static inline double NAME(sum_but)(const TYPE *row, size_t groups, size_t but) {
    const size_t group = but / FC_LANES;
    lanes sum = {{{0}}};
    size_t g = 0;
    for (; g < group; g++) sum = NAME(add_group)(sum, row + g * FC_LANES);
    for (int l = 0; l < LANE_VECTORS; l++) {
        const size_t i = g * FC_LANES + (size_t)(l * F64_LANES);
        const v_i64 kept = count_f64 != (v_i64){0} + (int64_t)(but - i);
        sum.v[l] += only_f64(kept, NAME(widen)(row + i));
    }
    for (g++; g < groups; g++) sum = NAME(add_group)(sum, row + g * FC_LANES);
    return sum_of_lanes(sum);
}

/* n values times `factor`, rounded. */
static inline void NAME(put_row)(TYPE *to, const double *from, size_t n, double factor) {
    size_t i = 0;
    for (; i + F64_LANES <= n; i += F64_LANES) NAME(narrow)(to + i, load_v_f64(from + i) * factor);
    if (i < n && n >= F64_LANES) NAME(narrow)(to + n - F64_LANES, load_v_f64(from + n - F64_LANES) * factor), i = n;
    for (; i < n; i++) to[i] = (TYPE)(from[i] * factor);
}

/* Call `loss_of` for each row of a part: it returns the row's loss, or NaN if there is none.  With `ratio`, log(1 + *ratio)
 * is added to it: for all rows together, as one alone leaves most of a vector idle.
 */
static inline __attribute__((always_inline)) size_t NAME(each_row)(const fc_batch_part *part,
                                                                  double (*loss_of)(const NAME(a_row) *, double *),
                                                                  double *ratio) {
    const fc_batch *b = part->batch;
    const size_t n = b->scores.cols;
    NAME(a_row) r = {.batch = b, .first = part->first, .n = n, .room = part->room};
    r.groups = (n + FC_LANES - 1) / FC_LANES;
    double nothing;
    for (size_t i = 0; i < part->rows; i++) {
        double loss = 0, *more = ratio ? ratio + i : &nothing;
        r.row = part->first + i;
        r.scores = (const TYPE *)b->scores.data + r.row * n;
        r.readable = (part->rows - i) * n;
        r.weight = b->weight ? b->weight[r.row] : 1;
        r.factor = r.weight * b->scale;
        r.each = part->each ? part->each + i * n : NULL;
        r.gradient = part->gradient ? (TYPE *)part->gradient + i * n : NULL;
        *more = 0;
        if ((b->label && b->label[r.row] < 0) || r.weight == 0) {
            if (r.gradient) memset(r.gradient, 0, n * sizeof(TYPE));
            if (r.each) memset(r.each, 0, n * sizeof *r.each);
        } else {
            loss = loss_of(&r, more);
            if (isnan(loss)) return i;
        }
        if (part->loss) part->loss[i] = loss;
    }
    if (part->loss) finish_losses(part->loss, ratio, b->weight ? b->weight + part->first : NULL, part->rows);
    return part->rows;
}
