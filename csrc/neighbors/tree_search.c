/* tree_search.c -- the nearest rows by a tree, one query at a time.  A query looks into its own leaf, then into all
 * others that its reach does not exclude, nearest nodes first.  Queries of the same leaf follow one another.  Lengths
 * are known within bounds (docs/exactness.md): rows that may be among the nearest are compared in full at the end.
 */
#include <math.h>
#include <stdlib.h>

#include "core/matrix.h"
#include "core/memory.h"
#include "core/once.h"
#include "neighbors/topk.h"
#include "neighbors/tree_item.h"
#include "neighbors/tree_search.h"

enum {
    MORE_ITEMS = 512,   /* 4 k and 512 rows are kept before they are compared in full */
    LEAVES_A_LOOK = 64, /* between questions whether to stop */
    QUERIES_A_LOOK = 16,
    FETCHED = 256,      /* bytes of a row, or of a leaf, that are asked for ahead */
    MOST_FETCHED = 64,  /* rows */
    ROWS_AS_A_LEAF = 2, /* take as long to be compared */
    FEW_MORE = 4,       /* up to k + 4 rows are compared in full at once */
    STACK = FC_TREE_LEVELS * FC_TREE_BOXES,
    SPARE = 64,           /* of fc_topk_capacity */
    MOST_SHARE = 64,      /* queries of a task, */
    TASKS_PER_THREAD = 4, /* of few queries: they take unequal time */
};

typedef struct {
    float gaps;
    uint32_t box;
    int level;
} branch;

/* One thread's query.  k rows are within `reach`, a length.  Boxes with more gaps than `most` hold none of the nearest.
 * The first k items are in order.
 */
typedef struct {
    const fc_tree_job *s;
    size_t query;
    double *exact;
    float *point;
    double error; /* of the point */
    double *scratch;
    double reach;
    float most;
    fc_item *items;
    size_t count;
    fc_topk top;
    fc_candidate *candidates;
    fc_sum squares;
    int has_squares, found;
    branch stack[STACK];
    size_t height, leaves;
    double spent; /* on rows that were compared before the last leaf, in leaves */
    double all_leaves, refined;
    fc_team *team;
    int thread;
} finder;

/* The most gaps that a length may have, rounded up. */
static float most_gaps(const fc_tree_job *s, double length) {
    return (float)(fc_gaps_of_length(s->kind, length * s->stretch) * (1 + 0x1p-22));
}

static size_t row_of(const fc_tree_job *s, size_t place) {
    return fc_within(FC_ONCE(s->tree.row[place]), s->tree.rows);
}

static int is_own(const finder *f, size_t place) {
    return f->s->own && FC_ONCE(f->s->own[f->query]) == (int64_t)row_of(f->s, place);
}

static void set_reach(finder *f, double reach) {
    f->reach = reach;
    f->most = most_gaps(f->s, reach + f->error);
}

/* --- rows that may be among the nearest ----------------------------------------------------------------------- */

static double error_at(const finder *f, size_t leaf) {
    return f->error + (double)f->s->tree.leaves[leaf * fc_leaf_floats(f->s->pairs.X.cols)];
}

/* The least that a row may be away: with l the length that was found, `most` is l * stretch + error, rounded up. */
static double least_of(const finder *f, fc_item it) {
    const double error = error_at(f, fc_item_place(it) / FC_LEAF_ROWS),
                 length = fc_item_most(it) * (1 - 0x1p-22) - error;
    return length * f->s->shrink * f->s->shrink - error;
}

static void keep_within_reach(finder *f) {
    size_t kept = fc_smaller(f->s->k, f->count); /* these are within */
    for (size_t i = kept; i < f->count; i++) {
        f->items[kept] = f->items[i];
        kept += !(least_of(f, f->items[i]) > f->reach);
    }
    f->count = kept;
}

/* Ask memory for the rows, which may be anywhere in it. */
static void fetch(const finder *f) {
    const fc_matrix *X = &f->s->pairs.X;
    const size_t bytes = X->cols * fc_dtype_size(X->dtype), part = fc_smaller(bytes, FETCHED);
    for (size_t i = 0; i < f->count && i < MOST_FETCHED; i++) {
        const char *row = (const char *)X->data + row_of(f->s, fc_item_place(f->items[i])) * bytes;
        for (size_t at = 0; at < part; at += FC_LINE) __builtin_prefetch(row + at);
    }
}

/* Offer all rows within reach to `top`, to be compared in full.  First bound their distances in float64, where that may
 * spare some rows the full comparison.
 */
static void compare(finder *f, int at_last) {
    const fc_tree_job *s = f->s;
    const int bounds = !at_last || f->top.count || f->count > s->k + FEW_MORE || fc_orders_all(&s->pairs);
    if (!f->has_squares) f->squares = fc_query_squares(&s->pairs, f->query);
    f->has_squares = 1;
    const fc_resolve how = {&s->pairs, f->query, f->squares, f->scratch, &f->refined, f->team, f->thread};
    for (size_t i = 0; i < f->count; i++) {
        const size_t row = row_of(s, fc_item_place(f->items[i]));
        const fc_bounds b = bounds ? fc_estimate(&s->pairs, f->query, f->squares, row) : (fc_bounds){0, INFINITY};
        if (fc_topk_offer(&f->top, (fc_candidate){b.low, b.slack, (uint32_t)row})) fc_topk_evict(&f->top, &how);
    }
    f->count = 0;
    if (at_last) fc_topk_finish(&f->top, &how);
}

/* Make space for more items.  Where many are within reach, as where rows tie, compare them. */
static void evict(finder *f) {
    keep_within_reach(f);
    if (f->count <= f->s->n_items / 2) return;
    f->spent += (double)f->count / (double)ROWS_AS_A_LEAF;
    compare(f, 0);
    const double length = fc_length_in(&f->s->space, f->top.threshold);
    if (length < f->reach) set_reach(f, length);
}

/* Put an item among the first k, or behind them. */
static void put(finder *f, fc_item it) {
    const size_t k = f->s->k;
    size_t at = f->count++;
    if (at >= k) {
        fc_item *last = &f->items[k - 1];
        f->items[at] = it < *last ? *last : it;
        if (it >= *last) return;
        at = k - 1;
    }
    for (; at > 0 && f->items[at - 1] > it; at--) f->items[at] = f->items[at - 1];
    f->items[at] = it;
}

/* Put all of some items, with space for them made.  A row farther than the reach may be among them. */
static void put_all(finder *f, const fc_item *items, size_t n) {
    if (f->count + n > f->s->n_items) evict(f);
    for (size_t i = 0; i < n; i++) put(f, items[i]);
    if (f->count >= f->s->k) f->reach = fmin(f->reach, fc_item_most(f->items[f->s->k - 1]));
}

/* After the first leaf: lower the reach so that it holds about as many rows as are needed; returns their most gaps. */
static float first_threshold(finder *f, const float *gaps, size_t count, size_t needed, double error) {
    const fc_tree_job *s = f->s;
    for (size_t i = 0; i < count; i++) f->scratch[i] = (double)gaps[i];
    const double threshold = s->pairs.kernels->select(f->scratch, count, needed, needed + needed / 4 + 1);
    f->reach = fmin(f->reach, fc_length_of_gaps(s->kind, threshold) * s->stretch + error);
    return most_gaps(s, f->reach + error);
}

static void look_into(finder *f, size_t leaf) {
    const fc_tree_job *s = f->s;
    const size_t d = s->pairs.X.cols, count = fc_leaf_count(&s->shape, leaf), first = leaf * FC_LEAF_ROWS;
    const float *of = s->tree.leaves + leaf * fc_leaf_floats(d);
    const fc_leaf codes = fc_leaf_at(of, d);
    const size_t needed = s->k + (s->own != NULL); /* one may be the query's own */
    const double error = error_at(f, leaf), before = f->reach;
    float gaps[FC_LEAF_ROWS], most = most_gaps(s, before + error);
    uint32_t survivors[FC_LEAF_ROWS + FC_MORE_SURVIVORS];
    fc_item items[FC_LEAF_ROWS];
    size_t n = s->pairs.kernels->near_rows[s->kind](&codes, f->point, d, most, gaps, survivors);
    if (f->leaves++ == 0 && count > needed) {
        most = first_threshold(f, gaps, count, needed, error);
        n = s->pairs.kernels->list_rows(gaps, most, survivors);
    }
    size_t taken = 0;
    for (size_t i = 0; i < n && survivors[i] < count; i++) {
        const double length = fc_length_of_gaps(s->kind, (double)gaps[survivors[i]]);
        __builtin_prefetch(&s->tree.row[first + survivors[i]]);
        items[taken] = fc_item_of(length * s->stretch + error, first + survivors[i]);
        taken += !is_own(f, first + survivors[i]);
    }
    put_all(f, items, taken);
    if (f->reach < before) set_reach(f, f->reach);
}

/* --- the tree ------------------------------------------------------------------------------------------------- */

/* Put a block's boxes that are within reach on the stack, the nearest last. */
static void open_block(finder *f, int level, size_t block) {
    float gaps[FC_TREE_BOXES];
    uint32_t near[FC_TREE_BOXES + FC_MORE_SURVIVORS];
    const size_t n = fc_tree_gaps(f->s, level, block, f->point, f->most, gaps, near), start = f->height;
    const size_t count = fc_tree_count(f->s, level, block);
    for (size_t i = 0; i < n && near[i] < count; i++) {
        const float of = gaps[near[i]];
        size_t at = f->height++;
        for (; at > start && f->stack[at - 1].gaps < of; at--) f->stack[at] = f->stack[at - 1];
        f->stack[at] = (branch){of, (uint32_t)(block * FC_TREE_BOXES) + near[i], level};
    }
}

/* False if the query is given up. */
static int look_around(finder *f, size_t home) {
    const fc_tree_job *s = f->s;
    look_into(f, home);
    f->height = 0;
    open_block(f, s->shape.levels - 1, 0);
    while (f->height) {
        const branch b = f->stack[--f->height];
        if (b.gaps > f->most) continue;
        if (b.level > 0) {
            open_block(f, b.level - 1, b.box);
            continue;
        }
        if (b.box == home) continue;
        if ((double)f->leaves + f->spent > s->patience) return 0;
        if (f->leaves % LEAVES_A_LOOK == 0 && fc_stopped(f->team, f->thread)) return 0;
        look_into(f, b.box);
    }
    return 1;
}

/* --- queries -------------------------------------------------------------------------------------------------- */

/* Find the rows that may be among the nearest, and ask memory for them. */
static void look(finder *f, size_t query) {
    const fc_tree_job *s = f->s;
    f->query = query;
    f->error = fc_tree_point(s, query, f->exact, f->point);
    f->count = f->leaves = 0;
    f->spent = 0;
    f->has_squares = 0;
    fc_topk_start(&f->top, f->candidates, s->k, s->capacity);
    f->top.in_any_order = 1;
    f->top.threshold = fc_limit_of(&s->pairs, s->limit, query);
    set_reach(f, f->top.threshold < INFINITY ? fc_length_in(&s->space, f->top.threshold) : INFINITY);
    f->found = isfinite(f->error) && look_around(f, fc_within(s->home[query], s->shape.leaves));
    f->all_leaves += (double)f->leaves;
    keep_within_reach(f);
    fetch(f);
}

static void report(const finder *f) {
    const fc_tree_job *s = f->s;
    for (size_t j = 0, at = f->query * s->k; j < s->k; j++, at++) {
        s->distance[at] = j < f->top.count ? f->top.items[j].low : INFINITY;
        s->index[at] = j < f->top.count ? (int64_t)f->top.items[j].row : -1;
    }
}

/* Compare these rows in full. */
static void resolve(finder *f) {
    const fc_tree_job *s = f->s;
    s->given_up[f->query] = (uint8_t)!f->found;
    if (!f->found) return;
    compare(f, 1);
    report(f);
}

static int carve(const fc_tree_job *s, finder *f, char **memory) {
    const size_t d = s->pairs.Q.cols;
    size_t used = 0;
    for (int pass = 0; pass < 2; pass++) {
        used = 0;
#define FC_CARVE(field, bytes) \
    f->field = pass ? (void *)(*memory + used) : NULL; \
    used += fc_round_up((bytes), FC_LINE)
        FC_CARVE(exact, d * sizeof(double));
        FC_CARVE(point, d * sizeof(float));
        FC_CARVE(scratch, s->capacity * sizeof(double));
        FC_CARVE(items, s->n_items * sizeof(fc_item));
        FC_CARVE(candidates, s->capacity * sizeof(fc_candidate));
#undef FC_CARVE
        if (!pass) *memory = fc_allocate_lines(used);
        if (!*memory) return 0;
    }
    return 1;
}

/* Ask memory for the leaf and the row of a query that comes soon. */
static void fetch_query(const fc_tree_job *s, size_t turn) {
    if (turn >= s->pairs.Q.rows) return;
    const size_t query = s->turn[turn], leaf = fc_within(s->home[query], s->shape.leaves), d = s->pairs.Q.cols;
    const char *row = (const char *)s->pairs.Q.data + query * d * fc_dtype_size(s->pairs.Q.dtype),
               *of = (const char *)(s->tree.leaves + leaf * fc_leaf_floats(d));
    __builtin_prefetch(row);
    __builtin_prefetch(s->distance + query * s->k, 1);
    __builtin_prefetch(s->index + query * s->k, 1);
    for (size_t at = 0; at < FETCHED && at < fc_leaf_floats(d) * sizeof(float); at += FC_LINE)
        __builtin_prefetch(of + at);
}

/* A query's rows are compared while those of the next are on their way from memory. */
static void find_part(finder *f, size_t start, size_t end) {
    for (size_t i = start; i < end; i++) {
        fetch_query(f->s, i + 1);
        look(&f[i % 2], f->s->turn[i]);
        if (i > start) resolve(&f[(i + 1) % 2]);
        if (i % QUERIES_A_LOOK == 0 && fc_stopped(f->team, f->thread)) return;
    }
    resolve(&f[(end + 1) % 2]);
}

static void find_all(void *of, fc_team *team, int thread) {
    const fc_tree_job *s = of;
    finder *f = calloc(2, sizeof *f);
    char *memory[2] = {NULL, NULL};
    if (f && carve(s, &f[0], &memory[0]) && carve(s, &f[1], &memory[1])) {
        for (int i = 0; i < 2; i++) {
            f[i].s = s;
            f[i].team = team;
            f[i].thread = thread;
        }
        for (size_t task; fc_next_task(team, &task);)
            find_part(f, task * s->share, fc_smaller((task + 1) * s->share, s->pairs.Q.rows));
        s->leaves[thread] = f[0].all_leaves + f[1].all_leaves;
        s->refined[thread] = f[0].refined + f[1].refined;
    } else {
        fc_stop(team, FC_NO_MEMORY);
    }
    fc_free_lines(memory[0]);
    fc_free_lines(memory[1]);
    free(f);
}

/* --- the call ------------------------------------------------------------------------------------------------- */

static int arguments_ok(const fc_tree_search *a, fc_run run) {
    const fc_matrix *Q = &a->Q, *X = &a->X;
    const fc_tree *t = a->tree;
    size_t out;
    return (unsigned)a->metric < FC_METRIC_COUNT && fc_metrics[a->metric].tree && (unsigned)Q->dtype < FC_DTYPE_COUNT &&
           (unsigned)X->dtype < FC_DTYPE_COUNT && run.n_threads >= 1 && Q->cols == X->cols && Q->cols > 0 &&
           Q->rows <= UINT32_MAX && X->rows <= UINT32_MAX && t->rows > 0 && t->rows <= X->rows && t->scale > 0 &&
           a->k > 0 && a->k + (a->own != NULL) <= t->rows && a->patience >= 0 && a->given_up &&
           !__builtin_mul_overflow(Q->rows, a->k, &out) && out <= PTRDIFF_MAX / (sizeof(double) + sizeof(int64_t));
}

static fc_tree_job job_for(const fc_tree_search *a, double *distance, int64_t *index) {
    const fc_metric_row *m = &fc_metrics[a->metric];
    const double stretch = 1 + ((double)a->Q.cols + 16) * 0x1p-23;
    return (fc_tree_job){.pairs = fc_pairs_of(m, a->Q, a->X, a->bytes),
                         .tree = *a->tree,
                         .shape = fc_tree_shape_of(a->tree->rows),
                         .space = {m, m->centred ? a->tree->centre : NULL, a->tree->scale},
                         .kind = fc_gaps_of(m),
                         .stretch = stretch,
                         .shrink = (1 - 0x1p-50) / stretch,
                         .k = a->k,
                         .n_items = 4 * a->k + MORE_ITEMS,
                         .capacity = fc_topk_capacity(a->k, SPARE),
                         .own = a->own,
                         .limit = a->limit,
                         .patience = a->patience,
                         .given_up = a->given_up,
                         .distance = distance,
                         .index = index};
}

/* About how many multiplications: in the leaves, and in the boxes on the way to them. */
static double work_of(const fc_tree_search *a) {
    return (double)a->Q.rows * fmax(a->expected, 1) * (double)FC_LEAF_ROWS * ((double)a->Q.cols + 64);
}

static size_t share_for(size_t queries, size_t threads) {
    return fc_smaller(MOST_SHARE, (queries + TASKS_PER_THREAD * threads - 1) / (TASKS_PER_THREAD * threads));
}

fc_status fc_tree_knn(const fc_tree_search *a, fc_run run, double *distance, int64_t *index) {
    if (!arguments_ok(a, run)) return FC_BAD_ARGUMENT;
    if (a->tally) *a->tally = (fc_tree_tally){0};
    if (a->Q.rows == 0) return FC_OK;
    fc_tree_job s = job_for(a, distance, index);
    const size_t n = a->Q.rows;
    run.n_threads = fc_threads_for(run.n_threads, work_of(a));
    s.share = share_for(n, (size_t)run.n_threads);
    s.home = malloc(2 * n * sizeof *s.home);
    s.leaves = calloc(2 * (size_t)run.n_threads, sizeof *s.leaves);
    fc_status status = s.home && s.leaves ? FC_OK : FC_NO_MEMORY;
    s.turn = s.home + n;
    s.refined = s.leaves + run.n_threads;
    if (status == FC_OK) status = fc_tree_order(&s, run);
    if (status == FC_OK) status = fc_parallel(run, (n + s.share - 1) / s.share, find_all, &s);
    for (int i = 0; status == FC_OK && a->tally && i < run.n_threads; i++) {
        a->tally->leaves += s.leaves[i];
        a->tally->refined += s.refined[i];
    }
    free(s.home);
    free(s.leaves);
    return status;
}
