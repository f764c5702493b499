/* across_groups.c -- the rows of X nearest to each of its rows, whose own group is left out.  A pair is computed once
 * and offered to both rows.
 *
 * A task packs a block of rows in panels.  It multiplies them with the rows from the block's first on; rows after a
 * panel's are offered to both sides.  The threads share the nearest so far of all rows, with a lock for every few of
 * them.  Rows are offered in any order, which changes nothing: the k smallest (exact distance, row) are the same.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "neighbors/filter.h"
#include "core/matrix.h"
#include "core/memory.h"
#include "core/once.h"
#include "neighbors/product.h"
#include "core/sizes.h"

enum {
    BLOCK = 256,           /* rows packed at a time, at most */
    BLOCKS_PER_THREAD = 4, /* at least, as they take unequal time */
    LOCKED = FC_MAX_LANES, /* rows that share a lock: whole panels */
    SPARE = 8,             /* the least number of candidates more than k */
    TASK_ROWS = 64,        /* of what is done for each row */
};
_Static_assert((int)FC_ROW_BLOCK >= (int)FC_MAX_LANES && BLOCK % FC_MAX_LANES == 0, "blocks and rows of whole panels");

typedef struct {
    fc_pairs pairs;
    fc_product product;
    fc_filter filter;
    const int64_t *group;
    size_t k, capacity;
    fc_topk *top; /* of each row */
    fc_candidate *items;
    fc_sum *squares; /* fc_query_squares */
    pthread_mutex_t *locks;
    double *distance;
    int64_t *index;
} groups_job;

/* The pruning terms for the thresholds of one side: A and E by row at hand, B and T by a panel's lanes. */
typedef struct {
    double A[FC_ROW_BLOCK], E[FC_ROW_BLOCK], B[FC_MAX_LANES], T[FC_MAX_LANES]; /* float or double */
} terms;

/* One thread's scratch. */
typedef struct {
    fc_product_scratch product;
    uint32_t *survivors;
    double *scratch, refined;
    fc_sums q_sums[FC_MAX_BLOCK];
    terms ahead, back;               /* for the thresholds of the block's rows, and of the rows at hand */
    double pruned_for[FC_ROW_BLOCK]; /* thresholds that back's terms are for */
    int32_t Iq[FC_MAX_LANES], Ix[FC_ROW_BLOCK], unused[FC_ROW_BLOCK]; /* unused: the same numbers, sides exchanged */
    size_t row, rows;                                                 /* the rows at hand */
} scratch;

static size_t carve(const groups_job *j, scratch *w, char *memory) {
    const size_t survivors = ((size_t)FC_ROW_BLOCK * FC_MAX_LANES + FC_MORE_SURVIVORS) * sizeof *w->survivors,
                 resolving = fc_round_up(j->capacity * sizeof *w->scratch, FC_LINE);
    if (memory) {
        w->survivors = (uint32_t *)(void *)memory;
        w->scratch = (double *)(void *)(memory + fc_round_up(survivors, FC_LINE));
    }
    const size_t used = fc_round_up(survivors, FC_LINE) + resolving;
    return used + fc_product_carve(&j->product, &w->product, memory ? memory + used : NULL);
}

static void offer(const groups_job *j, scratch *w, size_t to, size_t row, fc_candidate candidate) {
    candidate.row = (uint32_t)row;
    if (!fc_topk_offer(&j->top[to], candidate)) return;
    const fc_resolve resolve = {&j->pairs,        to, j->squares[to], w->scratch, &w->refined, w->product.team,
                                w->product.thread};
    fc_topk_evict(&j->top[to], &resolve);
}

/* Hold the lock of a row's list instead of `held`; NULL holds none. */
static pthread_mutex_t *hold(const groups_job *j, size_t row, pthread_mutex_t *held) {
    pthread_mutex_t *lock = &j->locks[row / LOCKED];
    if (lock == held) return held;
    if (held) pthread_mutex_unlock(held);
    pthread_mutex_lock(lock);
    return lock;
}

/* A panel's lanes are the rows from `first` on. */
typedef struct {
    size_t first, lanes;
    const fc_sums *sums;
    const char *acc;
} panel;

static size_t prune(const groups_job *j, scratch *w, const terms *t, const panel *p) {
    const fc_pruning how = {t->A, t->E, t->B, t->T, w->Ix, w->Iq, (float)j->product.tile->scale, NULL, NULL};
    return j->pairs.kernels->keep[j->product.in](p->acc, w->rows, j->product.tile->lanes, &how, w->survivors);
}

/* Drop a panel's empty lanes and pairs of one group; how many are left. */
static size_t drop_others(const groups_job *j, scratch *w, const panel *p, size_t survivors) {
    const size_t lanes = j->product.tile->lanes;
    size_t kept = 0;
    for (size_t i = 0; i < survivors; i++) {
        const size_t lane = fc_lane_of(w->survivors[i], lanes), r = fc_row_of(w->survivors[i], lanes);
        w->survivors[kept] = w->survivors[i];
        kept += lane < p->lanes && j->group[p->first + lane] != j->group[w->row + r];
    }
    return kept;
}

/* Prune a panel's pairs, and offer the survivors to one side: with `back`, to the rows at hand, in whose order
 * survivors come.
 */
static void prune_and_offer(const groups_job *j, scratch *w, const panel *p, int back) {
    const size_t lanes = j->product.tile->lanes;
    const size_t survivors = drop_others(j, w, p, prune(j, w, back ? &w->back : &w->ahead, p));
    const fc_survivors pairs = {p->acc, w->survivors, survivors, w->row, p->sums, w->product.x_sums};
    fc_candidate c[FC_PAIRS_AT_ONCE];
    pthread_mutex_t *held = NULL;
    for (size_t from = 0, n; (n = fc_filter_bounds(&j->filter, &pairs, from, c)) > 0; from += n)
        for (size_t i = 0; i < n; i++) {
            const size_t of_lane = p->first + fc_lane_of(w->survivors[from + i], lanes), of_row = c[i].row;
            const size_t to = back ? of_row : of_lane;
            held = hold(j, to, held);
            offer(j, w, to, back ? of_lane : of_row, c[i]);
        }
    if (held) pthread_mutex_unlock(held);
}

/* Offer the rows at hand to a panel's rows. */
static void offer_ahead(const groups_job *j, scratch *w, const panel *p) {
    pthread_mutex_t *held = hold(j, p->first, NULL);
    for (size_t l = 0; l < p->lanes; l++)
        fc_filter_query_terms(&j->filter, &p->sums[l], j->top[p->first + l].threshold, l, w->ahead.B, w->ahead.T,
                              w->Iq);
    pthread_mutex_unlock(held);
    prune_and_offer(j, w, p, 0);
}

static void negate(const groups_job *j, void *values, size_t i) {
    fc_put_term(values, i, j->product.in, -fc_term(values, i, j->product.in));
}

/* A pair survives where 2P + E(x) B(q) + T(q) >= A(x), for q's threshold.  For x's threshold, row and query exchange
 * their parts: 2P + E(q) B(x) - A(q) >= -T(x).
 */
static void exchange_terms(const groups_job *j, scratch *w, const panel *p) {
    pthread_mutex_t *held = NULL;
    for (size_t r = 0; r < w->rows; r++) {
        const fc_topk *top = &j->top[w->row + r];
        held = hold(j, w->row + r, held);
        __builtin_prefetch(top->items + top->count, 1); /* about to be written; a cache does not hold all lists */
        if (w->pruned_for[r] == top->threshold) continue;
        w->pruned_for[r] = top->threshold;
        fc_filter_query_terms(&j->filter, &w->product.x_sums[r], top->threshold, r, w->back.E, w->back.A, w->unused);
        negate(j, w->back.A, r);
    }
    pthread_mutex_unlock(held);
    for (size_t l = 0; l < p->lanes; l++) {
        fc_filter_row_terms(&j->filter, &p->sums[l], l, w->back.T, w->back.B, w->unused);
        negate(j, w->back.T, l);
    }
}

/* Offer a panel's rows to the rows at hand. */
static void offer_back(const groups_job *j, scratch *w, const panel *p) {
    exchange_terms(j, w, p);
    prune_and_offer(j, w, p, 1);
}

/* The block's own rows come first, in whole panels.  With panels before their own, a pair is computed once, for both
 * sides; with their own panel twice, each time for one side.
 */
static void run_block(const groups_job *j, scratch *w, size_t block) {
    const size_t n = j->pairs.X.rows, lanes = j->product.tile->lanes, first = block * j->product.block,
                 end = fc_smaller(first + j->product.block, n);
    for (size_t i = first; i < end; i++) w->q_sums[i - first] = fc_product_sums(&j->product, i);
    fc_product_start(&j->product, &w->product, first, end - first);
    for (w->row = first; w->row < n; w->row += w->rows) {
        const int is_inside = w->row < end;
        const size_t most = is_inside ? FC_ROW_BLOCK / lanes * lanes : FC_ROW_BLOCK;
        w->rows = fc_smaller(most, (is_inside ? end : n) - w->row);
        if (is_inside) w->product.used = fc_round_up(w->row + w->rows - first, lanes) / lanes;
        if (!fc_product_rows(&j->product, &w->product, w->row, w->rows)) return;
        for (size_t r = 0; r < w->rows; r++) {
            fc_filter_row_terms(&j->filter, &w->product.x_sums[r], r, w->ahead.A, w->ahead.E, w->Ix);
            w->pruned_for[r] = NAN; /* unequal to any threshold */
        }
        for (size_t i = 0; i < w->product.used; i++) {
            const size_t at = first + i * lanes;
            const panel p = {at, fc_smaller(lanes, end - at), w->q_sums + i * lanes,
                             fc_product_panel(&j->product, &w->product, i)};
            offer_ahead(j, w, &p); /* first: it sets Iq, which like Ix is the same for both sides */
            if (w->row >= at + lanes) offer_back(j, w, &p);
        }
    }
}

static void search_thread(void *data, fc_team *team, int thread) {
    const groups_job *j = data;
    scratch *w = calloc(1, sizeof *w);
    char *memory = w ? fc_allocate_lines(carve(j, w, NULL)) : NULL;
    if (memory) {
        carve(j, w, memory);
        w->product.team = team;
        w->product.thread = thread;
        for (size_t block; fc_next_task(team, &block);) run_block(j, w, block);
    } else {
        fc_stop(team, FC_NO_MEMORY);
    }
    fc_free_lines(memory);
    free(w);
}

/* A team computes these, as all sums that are reported: in its floating-point mode. */
static void square_thread(void *data, fc_team *team, int thread) {
    const groups_job *j = data;
    const size_t look = fc_stop_interval(j->pairs.X.cols);
    for (size_t task; fc_next_task(team, &task);) {
        const size_t end = fc_smaller((task + 1) * TASK_ROWS, j->pairs.X.rows);
        for (size_t row = task * TASK_ROWS; row < end; row++) {
            if (row % look == 0 && fc_stopped(team, thread)) break;
            j->squares[row] = fc_query_squares(&j->pairs, row);
        }
    }
}

static void finish_thread(void *data, fc_team *team, int thread) {
    const groups_job *j = data;
    double *values = malloc(j->capacity * sizeof *values), refined = 0;
    if (!values) fc_stop(team, FC_NO_MEMORY);
    for (size_t task; fc_next_task(team, &task);) {
        const size_t end = fc_smaller((task + 1) * TASK_ROWS, j->pairs.X.rows);
        for (size_t row = task * TASK_ROWS; row < end && !fc_stopped(team, thread); row++) {
            const fc_resolve resolve = {&j->pairs, row, j->squares[row], values, &refined, team, thread};
            const fc_topk *top = &j->top[row];
            fc_topk_finish(&j->top[row], &resolve);
            for (size_t i = 0; i < j->k; i++) { /* with NaNs there may be fewer than k */
                const double distance = i < top->count ? top->items[i].low : INFINITY;
                j->distance[row * j->k + i] = fc_reported(&j->pairs, distance);
                j->index[row * j->k + i] = i < top->count ? (int64_t)top->items[i].row : -1;
            }
        }
    }
    free(values);
}

/* FC_OK if the groups are numbered below the number of rows, and each leaves k rows. */
static fc_status check_groups(const fc_across_groups *a) {
    const size_t n = a->X.rows;
    size_t *sizes = calloc(n, sizeof *sizes);
    int ok = 1;
    if (!sizes) return FC_NO_MEMORY;
    for (size_t i = 0; ok && i < n; i++) {
        const int64_t group = FC_ONCE(a->group[i]);
        ok = group >= 0 && (uint64_t)group < n;
        if (ok) ok = ++sizes[group] <= n - a->k;
    }
    free(sizes);
    return ok ? FC_OK : FC_BAD_ARGUMENT;
}

static int arguments_ok(const fc_across_groups *a, fc_run run) {
    size_t most;
    return (unsigned)a->metric < FC_METRIC_COUNT && (unsigned)a->X.dtype < FC_DTYPE_COUNT && run.n_threads >= 1 &&
           a->X.cols > 0 && a->X.rows <= UINT32_MAX && a->k > 0 && a->k < a->X.rows &&
           !__builtin_mul_overflow(a->X.rows, fc_topk_capacity(a->k, SPARE), &most) &&
           most <= PTRDIFF_MAX / sizeof(fc_candidate);
}

static fc_product product_for(const fc_across_groups *a, const fc_pairs *pairs, const void *centre, int n_threads) {
    const fc_tile *tile = &pairs->kernels->tile[pairs->metric->tile][pairs->in];
    const size_t n = a->X.rows, blocks = BLOCKS_PER_THREAD * (size_t)n_threads,
                 fit = fc_product_most(tile, a->X.cols, BLOCK),
                 block = fc_smaller(fit, fc_round_up((n + blocks - 1) / blocks, tile->lanes));
    return (fc_product){.tile = tile,
                        .in = pairs->in,
                        .Q = a->X,
                        .X = a->X,
                        .q_centre = centre,
                        .x_centre = centre,
                        .block = block,
                        .pack_cols = fc_product_pack_cols(tile, a->X.cols, block),
                        .is_moved = fc_moves_products(pairs)};
}

static size_t locks_of(const groups_job *j) { return (j->pairs.X.rows + LOCKED - 1) / LOCKED; }

/* Lists with nothing in them, and their locks; 0 without memory. */
static int start_lists(groups_job *j) {
    const size_t n = j->pairs.X.rows;
    j->locks = malloc(locks_of(j) * sizeof *j->locks);
    for (size_t i = 0; j->locks && i < locks_of(j); i++) pthread_mutex_init(&j->locks[i], NULL);
    j->top = malloc(n * sizeof *j->top);
    j->items = malloc(n * j->capacity * sizeof *j->items);
    j->squares = malloc(n * sizeof *j->squares);
    if (!j->top || !j->items || !j->squares || !j->locks) return 0;
    for (size_t i = 0; i < n; i++) {
        fc_topk_start(&j->top[i], j->items + i * j->capacity, j->k, j->capacity);
        j->top[i].in_any_order = 1;
    }
    return 1;
}

static void drop_lists(groups_job *j) {
    free(j->top);
    free(j->items);
    free(j->squares);
    for (size_t i = 0; j->locks && i < locks_of(j); i++) pthread_mutex_destroy(&j->locks[i]);
    free(j->locks);
}

fc_status fc_knn_across_groups(const fc_across_groups *a, fc_run run, double *distance, int64_t *index) {
    if (!arguments_ok(a, run)) return FC_BAD_ARGUMENT;
    const fc_status groups = check_groups(a);
    if (groups != FC_OK) return groups;
    const fc_pairs pairs = fc_pairs_of(&fc_metrics[a->metric], a->X, a->X, a->bytes);
    double *owned = NULL;
    const void *centre = NULL;
    if (!fc_filter_centre(&pairs, a->centre, &centre, &owned)) return FC_NO_MEMORY;
    run.n_threads = fc_threads_for(run.n_threads, (double)a->X.rows * (double)a->X.rows / 2 * (double)a->X.cols);
    groups_job j = {.pairs = pairs,
                    .product = product_for(a, &pairs, centre, run.n_threads),
                    .filter = fc_filter_for(&pairs),
                    .group = a->group,
                    .k = a->k,
                    .capacity = fc_topk_capacity(a->k, SPARE),
                    .distance = distance,
                    .index = index};
    const size_t blocks = (a->X.rows + j.product.block - 1) / j.product.block,
                 tasks = (a->X.rows + TASK_ROWS - 1) / TASK_ROWS;
    fc_status status = start_lists(&j) ? FC_OK : FC_NO_MEMORY;
    if (status == FC_OK) status = fc_parallel(run, tasks, square_thread, &j);
    if (status == FC_OK) status = fc_parallel(run, blocks, search_thread, &j);
    if (status == FC_OK) status = fc_parallel(run, tasks, finish_thread, &j);
    drop_lists(&j);
    free(owned);
    return status;
}
