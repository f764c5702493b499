/* tree_search.c -- the nearest rows by a tree, one query at a time: the leaf that a query is in, then all others that
 * its limit does not exclude, nearest nodes first.  Queries of the same leaf follow one another.  Lengths are bounded
 * (docs/exactness.md): what may be among the nearest is kept, and compared in full at the end.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"
#include "once.h"
#include "topk.h"
#include "tree_search.h"

enum {
    MORE_ITEMS = 512,   /* rows that are kept beyond some times k, before they are compared in full */
    LEAVES_A_LOOK = 64, /* between questions whether to stop, */
    QUERIES_A_LOOK = 16,
    FETCHED = 256,      /* bytes of a row, or of a leaf, that are asked for ahead */
    MOST_FETCHED = 64,  /* rows */
    ROWS_AS_A_LEAF = 2, /* take as long to be compared */
    FEW_MORE = 4,       /* rows beyond k: these are compared in full at once */
    STACK = FC_TREE_LEVELS * FC_TREE_BOXES,
    SPARE = 64, /* of fc_topk_capacity */
};

/* A row that may be among the nearest, by its place in the tree: at least `low` away, as a length. */
typedef struct {
    double low;
    uint32_t place;
} item;

typedef struct {
    float gaps;
    uint32_t box;
    int level;
} branch;

/* One thread's query: k rows are within `reach`, the last of `upper`, as lengths; boxes with more gaps than `most` have
 * none of the nearest.
 */
typedef struct {
    const fc_tree_job *s;
    size_t query;
    double *exact;
    float *point;
    double error; /* of the point */
    double *upper, *room;
    size_t held;
    double reach;
    float most;
    item *items;
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

static void keep_within_reach(finder *f) {
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        f->items[kept] = f->items[i];
        kept += !(f->items[i].low > f->reach);
    }
    f->count = kept;
}

/* Ask for the rows, which may be anywhere in memory. */
static void fetch(const finder *f) {
    const fc_matrix *X = &f->s->pairs.X;
    const size_t bytes = X->cols * fc_dtype_size(X->dtype), part = fc_smaller(bytes, FETCHED);
    for (size_t i = 0; i < f->count && i < MOST_FETCHED; i++) {
        const char *row = (const char *)X->data + row_of(f->s, f->items[i].place) * bytes;
        for (size_t at = 0; at < part; at += FC_LINE) __builtin_prefetch(row + at);
    }
}

/* Hand all that are within reach to be compared in full, with bounds on their distances by float64, where these may
 * spare some that.
 */
static void compare(finder *f, int at_last) {
    const fc_tree_job *s = f->s;
    const int bounds = !at_last || f->top.count || f->count > s->k + FEW_MORE || fc_orders_all(&s->pairs);
    if (!f->has_squares) f->squares = fc_query_squares(&s->pairs, f->query);
    f->has_squares = 1;
    const fc_settle how = {&s->pairs, f->query, f->squares, f->room, &f->refined, f->team, f->thread};
    for (size_t i = 0; i < f->count; i++) {
        const size_t row = row_of(s, f->items[i].place);
        const fc_bounds b = bounds ? fc_estimate(&s->pairs, f->query, f->squares, row) : (fc_bounds){0, INFINITY};
        if (fc_topk_offer(&f->top, (fc_candidate){b.low, b.slack, (uint32_t)row})) fc_topk_make_room(&f->top, &how);
    }
    f->count = 0;
    if (at_last) fc_topk_finish(&f->top, &how);
}

/* Make room for more items; where many are within reach, as where rows tie, compare them. */
static void make_room(finder *f) {
    keep_within_reach(f);
    if (f->count <= f->s->n_items / 2) return;
    f->spent += (double)f->count / ROWS_AS_A_LEAF;
    compare(f, 0);
    const double length = fc_length_in(&f->s->space, f->top.limit);
    if (length < f->reach) set_reach(f, length);
}

/* Keep a row's upper bound, if it is among the k least. */
static void lower_reach(finder *f, double high) {
    const size_t k = f->s->k;
    if (f->held == k && !(high < f->upper[k - 1])) return;
    size_t at = f->held < k ? f->held++ : k - 1;
    for (; at > 0 && f->upper[at - 1] > high; at--) f->upper[at] = f->upper[at - 1];
    f->upper[at] = high;
    if (f->held == k && f->upper[k - 1] < f->reach) f->reach = f->upper[k - 1];
}

/* After the first leaf: bring the reach down to as many rows as are needed; the largest gap of those within. */
static float first_limit(finder *f, const float *gaps, size_t count, size_t needed, double error) {
    const fc_tree_job *s = f->s;
    for (size_t i = 0; i < count; i++) f->room[i] = (double)gaps[i];
    const double limit = s->pairs.kernels->limit(f->room, count, needed, needed + needed / 4 + 1);
    f->reach = fc_length_of_gaps(s->kind, limit) * s->stretch + error;
    return most_gaps(s, f->reach + error);
}

static void look_into(finder *f, size_t leaf) {
    const fc_tree_job *s = f->s;
    const size_t d = s->pairs.X.cols, count = fc_leaf_count(&s->shape, leaf), first = leaf * FC_LEAF_ROWS;
    const float *of = s->tree.leaves + leaf * fc_leaf_floats(d);
    const fc_leaf codes = fc_leaf_at(of, d);
    const size_t needed = s->k + (s->own != NULL); /* one may be the query's own */
    const double error = f->error + (double)of[0], before = f->reach;
    float gaps[FC_LEAF_ROWS], most = most_gaps(s, before + error);
    uint32_t passed[FC_LEAF_ROWS + FC_PASSED_MORE];
    const size_t n = s->pairs.kernels->near_rows[s->kind](&codes, f->point, d, most, gaps, passed);
    if (f->leaves++ == 0 && count > needed) most = first_limit(f, gaps, count, needed, error);
    for (size_t i = 0; i < n && passed[i] < count; i++) {
        if (gaps[passed[i]] > most) continue;
        const double length = fc_length_of_gaps(s->kind, (double)gaps[passed[i]]), low = length / s->stretch - error;
        if (low > f->reach || is_own(f, first + passed[i])) continue;
        lower_reach(f, length * s->stretch + error);
        __builtin_prefetch(&s->tree.row[first + passed[i]]);
        f->items[f->count++] = (item){low, (uint32_t)(first + passed[i])};
        if (f->count == s->n_items) make_room(f);
    }
    if (f->reach < before) set_reach(f, f->reach);
}

/* --- the tree ------------------------------------------------------------------------------------------------- */

/* Put a block's boxes that are within reach on the stack, the nearest last. */
static void open_block(finder *f, int level, size_t block) {
    float gaps[FC_TREE_BOXES];
    const size_t count = fc_tree_gaps(f->s, level, block, f->point, gaps), start = f->height;
    for (size_t i = 0; i < count; i++) {
        if (gaps[i] > f->most) continue;
        size_t at = f->height++;
        for (; at > start && f->stack[at - 1].gaps < gaps[i]; at--) f->stack[at] = f->stack[at - 1];
        f->stack[at] = (branch){gaps[i], (uint32_t)(block * FC_TREE_BOXES + i), level};
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

/* Find what may be among the nearest rows, and ask for these rows. */
static void look(finder *f, size_t query) {
    const fc_tree_job *s = f->s;
    f->query = query;
    f->error = fc_tree_point(s, query, f->exact, f->point);
    f->held = f->count = f->leaves = 0;
    f->spent = 0;
    f->has_squares = 0;
    fc_topk_start(&f->top, f->candidates, s->k, s->capacity);
    f->top.in_any_order = 1;
    set_reach(f, INFINITY);
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

/* Compare them. */
static void settle(finder *f) {
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
        FC_CARVE(upper, s->k * sizeof(double));
        FC_CARVE(room, s->capacity * sizeof(double));
        FC_CARVE(items, s->n_items * sizeof(item));
        FC_CARVE(candidates, s->capacity * sizeof(fc_candidate));
#undef FC_CARVE
        if (!pass) *memory = aligned_alloc(FC_LINE, used);
        if (!*memory) return 0;
    }
    return 1;
}

/* Ask for the leaf and the row of a query that comes soon. */
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
        if (i > start) settle(&f[(i + 1) % 2]);
        if (i % QUERIES_A_LOOK == 0 && fc_stopped(f->team, f->thread)) return;
    }
    settle(&f[(end + 1) % 2]);
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
            find_part(f, task * FC_TREE_QUERIES, fc_smaller((task + 1) * FC_TREE_QUERIES, s->pairs.Q.rows));
        s->leaves[thread] = f[0].all_leaves + f[1].all_leaves;
        s->refined[thread] = f[0].refined + f[1].refined;
    } else {
        fc_stop(team, FC_NO_MEMORY);
    }
    free(memory[0]);
    free(memory[1]);
    free(f);
}

/* --- the call ------------------------------------------------------------------------------------------------- */

static int arguments_ok(const fc_tree_search *a, fc_run run) {
    const fc_matrix *Q = &a->Q, *X = &a->X;
    const fc_tree *t = a->tree;
    size_t out;
    return (unsigned)a->metric < FC_METRIC_COUNT && (unsigned)Q->dtype < FC_DTYPE_COUNT &&
           (unsigned)X->dtype < FC_DTYPE_COUNT && run.n_threads >= 1 && Q->cols == X->cols && Q->cols > 0 &&
           Q->rows <= UINT32_MAX && X->rows <= UINT32_MAX && t->rows > 0 && t->rows <= X->rows && t->scale > 0 &&
           a->k > 0 && a->k + (a->own != NULL) <= t->rows && a->patience >= 0 && a->given_up &&
           !__builtin_mul_overflow(Q->rows, a->k, &out) && out <= PTRDIFF_MAX / (sizeof(double) + sizeof(int64_t));
}

static fc_tree_job job_for(const fc_tree_search *a, double *distance, int64_t *index) {
    const fc_metric_row *m = &fc_metrics[a->metric];
    return (fc_tree_job){.pairs = {m, fc_kernels_active(), a->Q, a->X, fc_common_dtype(&a->Q, &a->X, a->bytes)},
                         .tree = *a->tree,
                         .shape = fc_tree_shape_of(a->tree->rows),
                         .space = {m, m->shift ? a->tree->centre : NULL, a->tree->scale},
                         .kind = fc_gaps_of(m),
                         .stretch = 1 + ((double)a->Q.cols + 16) * 0x1p-23,
                         .k = a->k,
                         .n_items = 4 * a->k + MORE_ITEMS,
                         .capacity = fc_topk_capacity(a->k, SPARE),
                         .own = a->own,
                         .patience = a->patience,
                         .given_up = a->given_up,
                         .distance = distance,
                         .index = index};
}

fc_status fc_tree_knn(const fc_tree_search *a, fc_run run, double *distance, int64_t *index) {
    if (!arguments_ok(a, run)) return FC_BAD_ARGUMENT;
    if (a->tally) *a->tally = (fc_tree_tally){0};
    if (a->Q.rows == 0) return FC_OK;
    fc_tree_job s = job_for(a, distance, index);
    const size_t n = a->Q.rows, tasks = (n + FC_TREE_QUERIES - 1) / FC_TREE_QUERIES;
    run.n_threads = fc_threads_for(run.n_threads, (double)n * FC_LEAF_ROWS * ((double)a->Q.cols + 64));
    s.home = malloc(2 * n * sizeof *s.home);
    s.leaves = calloc(2 * (size_t)run.n_threads, sizeof *s.leaves);
    fc_status status = s.home && s.leaves ? FC_OK : FC_NO_MEMORY;
    s.turn = s.home + n;
    s.refined = s.leaves + run.n_threads;
    if (status == FC_OK) status = fc_tree_order(&s, run);
    if (status == FC_OK) status = fc_parallel(run, tasks, find_all, &s);
    for (int i = 0; status == FC_OK && a->tally && i < run.n_threads; i++) {
        a->tally->leaves += s.leaves[i];
        a->tally->refined += s.refined[i];
    }
    free(s.home);
    free(s.leaves);
    return status;
}
