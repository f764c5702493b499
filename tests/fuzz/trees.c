/* trees.c -- searches by a tree: of queries that are not given up, what the plain search finds among the tree's rows,
 * by two instruction sets.
 */
#include <math.h>
#include <string.h>

#include "searches.h"
#include "core/matrix.h"

enum { MOST_QUERIES = 5, MOST_ROWS = 200, MORE_ROWS = 900, MOST_COLS = 10, MOST_GROWN = 9 };

/* Every row has one place. */
static void expect_places(const fc_tree *t) {
    uint8_t *is_there = room_for(t->rows, 1);
    memset(is_there, 0, t->rows);
    for (size_t i = 0; i < t->rows; i++) {
        expect(t->row[i] < t->rows && !is_there[t->row[i]], "no such row, or again");
        is_there[t->row[i]] = 1;
    }
    release(is_there);
}

/* A tree of the first `rows` rows of X. */
static fc_tree tree_of(const fc_search *s, size_t rows) {
    const fc_matrix X = {s->X.data, rows, s->X.cols, s->X.dtype};
    const size_t boxes = fc_tree_blocks(rows) * 2 * FC_TREE_BOXES * X.cols,
                 leaves = fc_tree_leaves(rows) * (1 + (2 + FC_LEAF_ROWS / sizeof(float)) * X.cols);
    uint32_t *row = room_for(rows, sizeof *row);
    float *box = room_for(boxes, sizeof *box), *leaf = room_for(leaves, sizeof *leaf);
    fc_tree t = {rows, row, box, leaf, s->centre, 0};
    memset(box, 0, boxes * sizeof *box); /* some blocks are not full */
    expect(fc_tree_make(s->metric, X, s->centre, alone, &t.scale, row, box, leaf) == FC_OK, "making a tree fails");
    return t;
}

static void release_tree(const fc_tree *t) {
    release(t->row);
    release(t->boxes);
    release(t->leaves);
}

/* The same search as s, whose rows are the tree's. */
static void expect_by_tree(const fc_search *s, fc_tree_search by, nearest expected) {
    const nearest found = room_for_nearest(s);
    by.given_up = room_for(s->Q.rows, 1);
    expect(fc_tree_knn(&by, alone, found.distance, found.index) == FC_OK, "searching a tree fails");
    expect_same_nearest(s, found, expected, by.given_up, by.limit, "a tree finds other rows");
    for (size_t i = 0; i < s->Q.rows && isinf(by.patience) && s->metric != FC_cosine && s->Q.dtype <= FC_i8; i++)
        expect(!by.given_up[i], "a query is given up without a reason");
    release(by.given_up);
    release_nearest(found);
}

void fuzz_trees(source *from) {
    const sets by = two_sets(from);
    const kind v = (kind)up_to(from, FINITE);
    const size_t rows = 1 + up_to(from, MOST_ROWS - 1) + (one_in(from, 32) ? MORE_ROWS : 0);
    const size_t grown = up_to(from, MOST_GROWN), queries = 1 + up_to(from, MOST_QUERIES - 1);
    fc_search s = search_of(from, v, queries, rows + grown, 1 + up_to(from, MOST_COLS - 1));
    fc_metric_traits traits;
    expect(fc_metric_traits_of(s.metric, &traits) == FC_OK, "a metric has no traits");
    if (!traits.has_tree) s.metric = one_in(from, 2) ? FC_l1 : FC_l2;

    use(by.isa[0]);
    const fc_tree tree = tree_of(&s, rows);
    fc_tree_search search = {.metric = s.metric, .tree = &tree, .Q = s.Q, .X = s.X, .k = s.k, .own = s.own};
    search.patience = one_in(from, 4) ? (double)up_to(from, 3) : INFINITY;
    s.X.rows = rows;
    if (tree.scale > 0 && s.k + (s.own != NULL) <= rows) {
        const nearest expected = nearest_of(&s);
        expect_places(&tree);
        expect_by_tree(&s, search, expected);
        use(by.isa[1]);
        disturb(s.X.data, rows * s.X.cols * fc_dtype_size(s.X.dtype));
        tighten(tree.leaves);
        if (one_in(from, 4)) search.limit = limits_of(from, &s, expected);
        expect_by_tree(&s, search, expected);
        release_nearest(expected);
    }
    release(search.limit);
    release_tree(&tree);
    release_search(&s);
}
