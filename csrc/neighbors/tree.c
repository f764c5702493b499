/* tree.c -- rows are split at medians of their widest features, down to leaves; then boxes are put around leaves. */
#include "neighbors/tree.h"

#include <stdlib.h>
#include <string.h>

#include "core/matrix.h"
#include "core/threads.h"

enum {
    SAMPLE = 96,        /* rows of a part that tell which feature is the widest */
    SAMPLE_SHARE = 4,   /* or one row in 4 */
    PARTS_A_THREAD = 8, /* before they are shared out */
    EXTENT_ROWS = 1024, /* a task, to find the largest value */
};

/* Of float32, half a unit in the last place of 1. */
static const double FLOAT_ROUNDING = 0x1p-24;

fc_tree_shape fc_tree_shape_of(size_t rows) {
    fc_tree_shape t = {.rows = rows, .leaves = (rows + FC_LEAF_ROWS - 1) / FC_LEAF_ROWS};
    for (size_t boxes = t.leaves;; boxes = (boxes + FC_TREE_BOXES - 1) / FC_TREE_BOXES) {
        t.boxes[t.levels] = boxes;
        t.first_block[t.levels++] = t.blocks;
        t.blocks += (boxes + FC_TREE_BOXES - 1) / FC_TREE_BOXES;
        if (boxes <= FC_TREE_BOXES) return t;
    }
}

size_t fc_tree_blocks(size_t rows) { return fc_tree_shape_of(rows).blocks; }
size_t fc_tree_leaves(size_t rows) { return fc_tree_shape_of(rows).leaves; }

typedef struct {
    float key;
    uint32_t row;
} keyed;

/* Leaves [from, to) of the tree, and the rows that are to go there. */
typedef struct {
    size_t from, to;
} part;

typedef struct {
    fc_space space;
    fc_matrix X;
    fc_tree_shape shape;
    keyed *order;
    double *weight; /* of each row, where rows are brought to unit length; or NULL */
    part *parts;
    size_t n_parts;
    double *extent; /* by task */
    uint32_t *row;
    float *boxes, *leaves;
} making;

/* --- the order of rows ---------------------------------------------------------------------------------------- */

static double value_at(const making *m, size_t row, size_t col) {
    const size_t at = row * m->X.cols + col;
    const double x = fc_value_at(m->X.data, at, m->X.dtype);
    return m->weight ? x * m->weight[row] : x;
}

static size_t rows_before(const making *m, size_t leaf) { return fc_smaller(leaf * FC_LEAF_ROWS, m->shape.rows); }

/* The feature whose values are farthest apart in a sample of rows. */
static size_t widest_feature(const making *m, const keyed *rows, size_t count) {
    const size_t sample = fc_smaller(SAMPLE, 1 + count / SAMPLE_SHARE), step = count / sample;
    size_t widest = 0;
    double width = -1;
    for (size_t col = 0; col < m->X.cols; col++) {
        double least = INFINITY, most = -INFINITY;
        for (size_t i = 0; i < sample; i++) {
            const double v = value_at(m, rows[i * step].row, col);
            least = v < least ? v : least;
            most = v > most ? v : most;
        }
        if (most - least > width) {
            width = most - least;
            widest = col;
        }
    }
    return widest;
}

static void take_keys(const making *m, keyed *rows, size_t count, size_t col) {
    const double centre = m->space.centre && m->space.metric->degree ? (double)m->space.centre[col] : 0;
    for (size_t i = 0; i < count; i++) rows[i].key = (float)((value_at(m, rows[i].row, col) - centre) * m->space.scale);
}

/* Put the `first` least keys first, in expected linear time for any data: pivots are taken at random. */
static void part_at(keyed *rows, size_t count, size_t first) {
    size_t low = 0, high = count - 1;
    uint64_t random = 0x9e3779b97f4a7c15;
    while (low < high) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const float pivot = rows[low + (size_t)(random >> 33) % (high - low + 1)].key;
        size_t i = low, j = high + 1; /* j is one after the last */
        while (i < j) {
            while (rows[i].key < pivot) i++;
            while (rows[j - 1].key > pivot) j--;
            if (i >= j) break;
            const keyed taken = rows[i];
            rows[i++] = rows[j - 1];
            rows[--j] = taken;
        }
        if (first < j)
            high = j - 1;
        else if (first > i)
            low = i;
        else
            return;
    }
}

/* The leaves of a part's first half: whole nodes of the largest size that it has several of. */
static size_t first_half(part p) {
    const size_t leaves = p.to - p.from;
    size_t node = 1;
    while (node * FC_TREE_BOXES < leaves) node *= FC_TREE_BOXES;
    return ((leaves + node - 1) / node + 1) / 2 * node;
}

/* Halve a part of several leaves; where its second half begins. */
static size_t halve(making *m, part p) {
    const size_t middle = p.from + first_half(p), start = rows_before(m, p.from);
    keyed *rows = m->order + start;
    const size_t count = rows_before(m, p.to) - start;
    take_keys(m, rows, count, widest_feature(m, rows, count));
    part_at(rows, count, rows_before(m, middle) - start);
    return middle;
}

/* Each call halves the part: the depth is below 40. */
static void part_rows(making *m, part p, fc_team *team, int thread) {
    while (p.to - p.from > 1 && !fc_stopped(team, thread)) {
        const size_t middle = halve(m, p);
        part_rows(m, (part){middle, p.to}, team, thread);
        p.to = middle;
    }
}

static void part_rows_of_tasks(void *of, fc_team *team, int thread) {
    making *m = of;
    for (size_t task; fc_next_task(team, &task);) part_rows(m, m->parts[task], team, thread);
}

/* The first halvings, by one thread, until there are `wanted` parts. */
typedef struct {
    making *m;
    size_t wanted;
} beginning;

static size_t parts_wanted(fc_run run) { return run.n_threads > 1 ? PARTS_A_THREAD * (size_t)run.n_threads : 1; }

static void begin_parting(void *of, fc_team *team, int thread) {
    const beginning *b = of;
    making *m = b->m;
    size_t task;
    if (!fc_next_task(team, &task)) return;
    m->parts[0] = (part){0, m->shape.leaves};
    m->n_parts = 1;
    for (size_t before = 0; before < m->n_parts && m->n_parts < b->wanted;) {
        before = m->n_parts;
        for (size_t i = 0; i < before; i++) {
            part *p = &m->parts[i];
            if (p->to - p->from == 1 || fc_stopped(team, thread)) continue;
            const size_t middle = halve(m, *p);
            m->parts[m->n_parts++] = (part){middle, p->to};
            p->to = middle;
        }
    }
}

/* --- boxes ---------------------------------------------------------------------------------------------------- */

static float below(double v) { return nextafterf((float)v, -INFINITY); }
static float above(double v) { return nextafterf((float)v, INFINITY); }

static float *block_at(const making *m, int level, size_t block) {
    return m->boxes + (m->shape.first_block[level] + block) * fc_block_floats(m->X.cols);
}

static void put_box(const making *m, int level, size_t box, size_t col, float low, float high) {
    float *bounds = block_at(m, level, box / FC_TREE_BOXES) + col * 2 * FC_TREE_BOXES + box % FC_TREE_BOXES;
    bounds[0] = low;
    bounds[FC_TREE_BOXES] = high;
}

/* One thread's scratch for a leaf's points. */
typedef struct {
    double *points, *error, *rest; /* rows x cols; of each row; sums of what its codes leave out */
    size_t cols;
} leaf_scratch;

static void range_of(const leaf_scratch *r, size_t count, size_t col, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        const double off = isfinite(r->error[i]) ? r->error[i] : 0, v = r->points[i * r->cols + col];
        *low = v - off < *low ? v - off : *low;
        *high = v + off > *high ? v + off : *high;
    }
}

/* Write a feature's codes, and add to each row's `rest`; the width that the codes span. */
static double encode(const leaf_scratch *r, size_t count, size_t col, double high, float low, fc_gap_kind kind,
                     float *step, uint8_t *codes) {
    const double wide = (high - (double)low) / 255;
    *step = (float)wide;
    for (size_t i = 0; i < count; i++) {
        const double v = r->points[i * r->cols + col] - (double)low,
                     code = *step > 0 ? floor(v / (double)*step + 0.5) : 0;
        codes[i] = (uint8_t)(code < 0 ? 0 : code < 255 ? code : 255);
        r->rest[i] = fc_add_gap(kind, r->rest[i], v - (double)*step * codes[i]);
    }
    return 255 * (double)*step;
}

/* How far a leaf's rows may be from their codes, with the rounding of fc_kernels' near_rows. */
static float leaf_error(const leaf_scratch *r, size_t count, fc_gap_kind kind, double widths) {
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = fc_length_of_gaps(kind, r->rest[i]) + r->error[i];
        most = error > most ? error : most;
    }
    return above((most + 4 * FLOAT_ROUNDING * fc_length_of_gaps(kind, widths)) * (1 + 0x1p-20));
}

static void make_leaf(making *m, const leaf_scratch *r, size_t leaf) {
    const size_t start = leaf * FC_LEAF_ROWS, count = fc_leaf_count(&m->shape, leaf), d = m->X.cols;
    const fc_gap_kind kind = fc_gaps_of(m->space.metric);
    float *out = m->leaves + leaf * fc_leaf_floats(d), *low = out + 1, *step = low + d;
    uint8_t *codes = (uint8_t *)(step + d);
    double widths = 0;
    for (size_t i = 0; i < count; i++) {
        m->row[start + i] = m->order[start + i].row;
        r->error[i] = fc_point(&m->space, &m->X, m->order[start + i].row, r->points + i * d).error;
        r->rest[i] = 0;
    }
    memset(codes, 0, d * FC_LEAF_ROWS);
    for (size_t col = 0; col < d; col++) {
        double least, most;
        range_of(r, count, col, &least, &most);
        low[col] = below(least);
        put_box(m, 0, leaf, col, low[col], above(most));
        const double width = encode(r, count, col, most, low[col], kind, &step[col], codes + col * FC_LEAF_ROWS);
        widths = fc_add_gap(kind, widths, width);
    }
    out[0] = leaf_error(r, count, kind, widths);
}

static void make_leaves(void *of, fc_team *team, int thread) {
    making *m = of;
    const size_t d = m->X.cols;
    double *memory = malloc(FC_LEAF_ROWS * (d + 2) * sizeof *memory);
    if (!memory) {
        fc_stop(team, FC_NO_MEMORY);
        return;
    }
    const leaf_scratch buffer = {memory, memory + FC_LEAF_ROWS * d, memory + FC_LEAF_ROWS * (d + 1), d};
    for (size_t task; fc_next_task(team, &task);) {
        const size_t end = fc_smaller((task + 1) * FC_TREE_BOXES, m->shape.leaves);
        for (size_t leaf = task * FC_TREE_BOXES; leaf < end && !fc_stopped(team, thread); leaf++)
            make_leaf(m, &buffer, leaf);
    }
    free(memory);
}

/* Boxes around the boxes of each block of the level below. */
static void make_level(making *m, int level) {
    for (size_t box = 0; box < m->shape.boxes[level]; box++) {
        const float *of = block_at(m, level - 1, box);
        const size_t count = fc_smaller(FC_TREE_BOXES, m->shape.boxes[level - 1] - box * FC_TREE_BOXES);
        for (size_t col = 0; col < m->X.cols; col++, of += 2 * FC_TREE_BOXES) {
            float low = of[0], high = of[FC_TREE_BOXES];
            for (size_t i = 1; i < count; i++) {
                low = of[i] < low ? of[i] : low;
                high = of[FC_TREE_BOXES + i] > high ? of[FC_TREE_BOXES + i] : high;
            }
            put_box(m, level, box, col, low, high);
        }
    }
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

static void find_extents(void *of, fc_team *team, int thread) {
    making *m = of;
    (void)thread;
    for (size_t task; fc_next_task(team, &task);) {
        const size_t start = task * EXTENT_ROWS, end = fc_smaller(start + EXTENT_ROWS, m->X.rows);
        double most = 0;
        for (size_t row = start; row < end; row++) {
            const double extent = fc_point_extent(&m->space, &m->X, row);
            most = extent > most ? extent : most;
            m->order[row] = (keyed){0, (uint32_t)row};
            if (m->weight) m->weight[row] = fc_point_weight(&m->X, row);
        }
        m->extent[task] = most;
    }
}

/* The power of two that brings the largest value to FC_POINT_MOST at most; 0 if there is none that floats hold well. */
static double scale_for(double extent) {
    int exponent;
    if (!(extent > 0x1p-900 && extent < 0x1p900)) return 0;
    frexp(extent, &exponent);
    return ldexp(FC_POINT_MOST, -exponent);
}

static fc_status make(making *m, fc_run run, double *scale) {
    const size_t tasks = (m->X.rows + EXTENT_ROWS - 1) / EXTENT_ROWS;
    fc_status status = fc_parallel(run, tasks, find_extents, m);
    if (status != FC_OK) return status;
    double extent = 0;
    for (size_t i = 0; i < tasks; i++) extent = m->extent[i] > extent ? m->extent[i] : extent;
    *scale = m->space.scale = scale_for(extent);
    if (!(*scale > 0)) return FC_OK;
    beginning b = {m, parts_wanted(run)};
    status = fc_parallel((fc_run){1, run.poll}, 1, begin_parting, &b);
    if (status == FC_OK) status = fc_parallel(run, m->n_parts, part_rows_of_tasks, m);
    if (status == FC_OK)
        status = fc_parallel(run, (m->shape.leaves + FC_TREE_BOXES - 1) / FC_TREE_BOXES, make_leaves, m);
    for (int level = 1; level < m->shape.levels && status == FC_OK; level++) make_level(m, level);
    return status;
}

fc_status fc_tree_make(fc_metric metric, fc_matrix X, const float *centre, fc_run run, double *scale, uint32_t *row,
                       float *boxes, float *leaves) {
    if ((unsigned)metric >= FC_METRIC_COUNT || (unsigned)X.dtype >= FC_DTYPE_COUNT || run.n_threads < 1 || !X.cols ||
        !X.rows || X.rows > UINT32_MAX)
        return FC_BAD_ARGUMENT;
    const fc_metric_row *m = &fc_metrics[metric];
    if (!m->tree) return FC_BAD_ARGUMENT;
    making it = {.space = {m, m->centred ? centre : NULL, 0},
                 .X = X,
                 .shape = fc_tree_shape_of(X.rows),
                 .row = row,
                 .boxes = boxes,
                 .leaves = leaves};
    run.n_threads = fc_threads_for(run.n_threads, (double)X.rows * (double)(X.cols + 64));
    it.order = malloc(X.rows * sizeof *it.order);
    it.weight = m->degree ? NULL : malloc(X.rows * sizeof *it.weight);
    it.parts = malloc(2 * parts_wanted(run) * sizeof *it.parts);
    it.extent = malloc((X.rows / EXTENT_ROWS + 1) * sizeof *it.extent);
    const int allocated = it.order && it.parts && it.extent && (it.weight || m->degree);
    const fc_status status = allocated ? make(&it, run, scale) : FC_NO_MEMORY;
    free(it.order);
    free(it.weight);
    free(it.parts);
    free(it.extent);
    return status;
}
