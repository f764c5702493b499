# Searches, distances, sketches and votes: a part of _native.pyx.


cdef fc_metric metric_id(str metric) except *:
    for i in range(<int>FC_METRIC_COUNT):
        if (<bytes>fc_metric_name(<fc_metric>i)).decode() == metric:
            return <fc_metric>i
    raise ValueError(f"unknown metric {metric!r}")


def metrics():
    """Names of the metrics, in the order of csrc/lists.h."""
    return [(<bytes>fc_metric_name(<fc_metric>i)).decode() for i in range(<int>FC_METRIC_COUNT)]


cdef class Traits:
    """What is to be known of a metric outside the kernels: its row in csrc/lists.h."""

    cdef fc_metric metric
    cdef readonly str norm
    cdef readonly int degree
    cdef readonly bint at_unit_length, has_sketches, has_tree, is_product

    def __cinit__(self, str metric):
        cdef fc_metric_traits traits
        self.metric = metric_id(metric)
        check(fc_metric_traits_of(self.metric, &traits))
        self.norm = (<bytes>traits.norm).decode()
        self.degree = traits.degree
        self.at_unit_length, self.is_product = traits.at_unit_length, traits.is_product
        self.has_sketches, self.has_tree = traits.has_sketches, traits.has_tree

    def length(self, double distance):
        """The norm of the difference of two rows at that distance."""
        return fc_metric_length(self.metric, distance)


ADDS = {"nothing": <int>FC_ADDS_NOTHING, "numbers": <int>FC_ADDS_NUMBERS, "finer": <int>FC_ADDS_FINER}


def knn(str metric, Q, X, size_t k, centre, own, bint as_bytes, int n_threads, distance, index,
        stages=(), double refine_cost=1.0, given_up=None, bint tell=False, limit=None):
    """Write the k nearest rows of X for each row of Q into `distance` and `index`; `as_bytes` if `fits_u8` of both.

    `stages` are tuples (sketch of Q, sketch of X, adds, gram_excess, unit, young_weight, cost), a sketch being (codes,
    terms).  With `tell`, return the pairs that came to each stage and to refining, and the seconds they took.  Rows
    farther than a query's `limit` may be missing: -1.
    """
    cdef Held held = Held()
    cdef View d = held.view(distance, "d", 2, True), i = held.view(index, INT64, 2, True), g
    cdef fc_stage stage[FC_MAX_STAGES]
    cdef fc_tally tally
    cdef fc_search search
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    if len(stages) > FC_MAX_STAGES:
        raise ValueError(f"at most {FC_MAX_STAGES} stages, got {len(stages)}")
    search.metric = metric_id(metric)
    search.Q = held.view(Q, MATRIX, 2).matrix
    search.X = held.view(X, MATRIX, 2).matrix
    d.shaped(search.Q.rows, k)
    i.shaped(search.Q.rows, k)
    search.k = k
    search.centre = <const float *>held.data(centre, "f", search.X.cols)
    search.own = <const int64_t *>held.data(own, INT64, search.Q.rows)
    search.limit = <const double *>held.data(limit, "d", search.Q.rows)
    search.bytes = as_bytes
    for n, (of_q, of_x, adds, gram_excess, unit, young_weight, cost) in enumerate(stages):
        stage[n] = fc_stage(
            held.sketch(of_q, search.Q.rows), held.sketch(of_x, search.X.rows), <fc_adds><int>adds, gram_excess, unit,
            young_weight, cost)
    search.stages = stage
    search.n_stages = len(stages)
    search.refine_cost = refine_cost
    search.given_up = NULL
    if given_up is not None:
        g = held.view(given_up, "B", 1, True)
        g.shaped(search.Q.rows, 1)
        search.given_up = <uint8_t *>g.matrix.data
    search.tally = &tally if tell else NULL
    with nogil:
        status = fc_knn(&search, run, <double *>d.matrix.data, <int64_t *>i.matrix.data)
    check(status)
    if tell:
        return [(tally.pairs[n], tally.seconds[n]) for n in range(len(stages) + 1)]


def tree_sizes(size_t rows, size_t cols):
    """Shapes of a tree's arrays of boxes and of leaves."""
    return (
        (fc_tree_blocks(rows), 2 * FC_TREE_BOXES * cols),
        (fc_tree_leaves(rows), 1 + (2 + FC_LEAF_ROWS // sizeof(float)) * cols))


def tree_make(str metric, X, centre, int n_threads, row, boxes, leaves):
    """Fill a tree's arrays with the rows of X, and return its scale; 0 where values are too large or small for one."""
    cdef Held held = Held()
    cdef fc_matrix M = held.view(X, MATRIX, 2).matrix
    cdef fc_metric id = metric_id(metric)
    cdef const float *middle = <const float *>held.data(centre, "f", M.cols)
    cdef uint32_t *rows = <uint32_t *>held.data(row, "I", M.rows, True)
    of_boxes, of_leaves = tree_sizes(M.rows, M.cols)
    cdef float *box = <float *>held.allocate(boxes, "f", of_boxes[0], of_boxes[1])
    cdef float *leaf = <float *>held.allocate(leaves, "f", of_leaves[0], of_leaves[1])
    cdef fc_run run = fc_run(n_threads, poll)
    cdef double scale = 0
    cdef fc_status status
    with nogil:
        status = fc_tree_make(id, M, middle, run, &scale, rows, box, leaf)
    check(status)
    return scale


def tree_knn(str metric, tree, Q, X, size_t k, own, bint as_bytes, double patience, int n_threads, given_up, distance,
             index, limit=None):
    """Write the k nearest of a tree's rows, the first of X, as `knn` does; set `given_up` of queries without an answer.

    `tree` has row, boxes, leaves, centre, scale and leaves_expected.  Return how many leaves were looked into, and rows
    compared.
    """
    cdef Held held = Held()
    cdef View d = held.view(distance, "d", 2, True), i = held.view(index, INT64, 2, True)
    cdef View rows = held.view(tree.row, "I", 1), boxes = held.view(tree.boxes, "f", 2)
    cdef View leaves = held.view(tree.leaves, "f", 2)
    cdef fc_tree t
    cdef fc_tree_tally tally
    cdef fc_tree_search search
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    search.metric = metric_id(metric)
    search.Q = held.view(Q, MATRIX, 2).matrix
    search.X = held.view(X, MATRIX, 2).matrix
    t.rows = rows.matrix.rows
    of_boxes, of_leaves = tree_sizes(t.rows, search.X.cols)
    boxes.shaped(of_boxes[0], of_boxes[1])
    leaves.shaped(of_leaves[0], of_leaves[1])
    t.row = <const uint32_t *>rows.matrix.data
    t.boxes, t.leaves = <const float *>boxes.matrix.data, <const float *>leaves.matrix.data
    t.centre = <const float *>held.data(tree.centre, "f", search.X.cols)
    t.scale = tree.scale
    d.shaped(search.Q.rows, k)
    i.shaped(search.Q.rows, k)
    search.tree = &t
    search.k = k
    search.own = <const int64_t *>held.data(own, INT64, search.Q.rows)
    search.limit = <const double *>held.data(limit, "d", search.Q.rows)
    search.bytes = as_bytes
    search.patience = patience
    search.expected = tree.leaves_expected
    search.given_up = <uint8_t *>held.data(given_up, "B", search.Q.rows, True)
    search.tally = &tally
    with nogil:
        status = fc_tree_knn(&search, run, <double *>d.matrix.data, <int64_t *>i.matrix.data)
    check(status)
    return tally.leaves, tally.refined


def knn_across_groups(str metric, X, group, centre, bint as_bytes, int n_threads, distance, index):
    """Write the nearest rows of X to each of them, of other groups than its own."""
    cdef Held held = Held()
    cdef View d = held.view(distance, "d", 2, True), i = held.view(index, INT64, 2, True)
    cdef fc_across_groups search
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    search.metric = metric_id(metric)
    search.X = held.view(X, MATRIX, 2).matrix
    search.k = d.matrix.cols
    d.shaped(search.X.rows, search.k)
    i.shaped(search.X.rows, search.k)
    search.group = <const int64_t *>held.data(group, INT64, search.X.rows)
    search.centre = <const float *>held.data(centre, "f", search.X.cols)
    search.bytes = as_bytes
    if search.group == NULL:
        raise ValueError("every row needs a group")
    with nogil:
        status = fc_knn_across_groups(&search, run, <double *>d.matrix.data, <int64_t *>i.matrix.data)
    check(status)


def rerank(str metric, Q, X, row, own, int n_threads, distance, index):
    """Write the nearest rows of X among those in `row`, by query, into `distance` and `index`; -1 where too few."""
    cdef Held held = Held()
    cdef View r = held.view(row, INT64, 2), d = held.view(distance, "d", 2, True), i = held.view(index, INT64, 2, True)
    cdef fc_candidates candidates
    cdef fc_run run = fc_run(n_threads, poll)
    cdef size_t k = d.matrix.cols
    cdef fc_status status
    candidates.metric = metric_id(metric)
    candidates.Q = held.view(Q, MATRIX, 2).matrix
    candidates.X = held.view(X, MATRIX, 2).matrix
    candidates.per_query = r.matrix.cols
    r.shaped(candidates.Q.rows, r.matrix.cols)
    d.shaped(candidates.Q.rows, k)
    i.shaped(candidates.Q.rows, k)
    candidates.row = <const int64_t *>r.matrix.data
    candidates.own = <const int64_t *>held.data(own, INT64, candidates.Q.rows)
    with nogil:
        status = fc_rerank(&candidates, k, run, <double *>d.matrix.data, <int64_t *>i.matrix.data)
    check(status)


def sketch(str metric, M, centre, directions, double gram_excess, groups, offset, float step, bint residual,
           int n_threads, levels):
    """Write codes and terms of the rows of M by level.

    Without directions, `groups` is (feature, start, weight), and a second level is a finer one.
    """
    cdef Held held = Held()
    cdef View m = held.view(M, MATRIX, 2), c, t, w
    cdef fc_metric id = metric_id(metric)
    cdef const float *middle = <const float *>held.data(centre, "f", m.matrix.cols)
    cdef uint8_t *codes[FC_MAX_STAGES]
    cdef fc_sketch_terms *terms[FC_MAX_STAGES]
    cdef fc_sketcher how
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    cdef size_t total = 0
    how.levels = len(levels)
    if how.levels > FC_MAX_STAGES:
        raise ValueError(f"at most {FC_MAX_STAGES} levels, got {how.levels}")
    for n, (of_rows, their_terms) in enumerate(levels):
        c, t = held.view(of_rows, "B", 2, True), held.view(their_terms, "B", 2, True)
        c.shaped(m.matrix.rows, c.matrix.cols)
        t.shaped(m.matrix.rows, sizeof(fc_sketch_terms))
        codes[n], terms[n] = <uint8_t *>c.matrix.data, <fc_sketch_terms *>t.matrix.data
        how.cols[n] = c.matrix.cols
        total += how.cols[n] if n == 0 or directions is not None else 0
    how.directions = NULL
    how.feature = how.start = NULL
    how.weight = NULL
    if directions is not None:
        w = held.view(directions, "f", 2)
        w.shaped(total, m.matrix.cols)
        how.directions = <const float *>w.matrix.data
    else:
        how.feature = <const int64_t *>held.data(groups[0], INT64, len(groups[0]))
        how.weight = <const float *>held.data(groups[2], "f", len(groups[0]))
        how.start = <const int64_t *>held.data(groups[1], INT64, total + 1)
        if groups[1][total] > len(groups[0]):
            raise ValueError("groups end beyond the features")
    how.gram_excess = gram_excess
    how.offset = <const double *>held.data(offset, "d", total)
    how.step = step
    how.residual = residual
    with nogil:
        status = fc_sketch_rows(id, &how, m.matrix, middle, run, codes, terms)
    check(status)


def centre(X, size_t most, middle):
    """Write values near the middle of X's rows, finite in float32, by a sample of at most `most` rows."""
    cdef Held held = Held()
    cdef fc_matrix M = held.view(X, MATRIX, 2).matrix
    check(fc_centre(M, most, <float *>held.data(middle, "f", M.cols, True)))


def first_not_finite(X):
    """The first row of X that holds NaN or infinity, or None."""
    cdef View x = View(X, MATRIX, 2)
    cdef size_t row = 0
    cdef fc_run run = fc_run(1, poll)
    cdef fc_status status
    with nogil:
        status = fc_first_not_finite(x.matrix, run, &row)
    check(status)
    return row if row < x.matrix.rows else None


def fits_u8(X):
    """Whether all values of X are integers from 0 to 255."""
    cdef View x = View(X, MATRIX, 2)
    cdef int fits = 0
    cdef fc_status status
    with nogil:
        status = fc_fits_u8(x.matrix, poll, &fits)
    check(status)
    return bool(fits)


def pairwise(str metric, Q, X, int n_threads, distance):
    """Write all distances between the rows of Q and those of X into `distance`."""
    cdef View q = View(Q, MATRIX, 2), x = View(X, MATRIX, 2), d = View(distance, "d", 2, True)
    cdef fc_metric m = metric_id(metric)
    cdef fc_run run = fc_run(n_threads, poll)
    cdef fc_status status
    d.shaped(q.matrix.rows, x.matrix.rows)
    with nogil:
        status = fc_pairwise(m, q.matrix, x.matrix, run, <double *>d.matrix.data)
    check(status)


def vote(label, index, size_t n_classes, weights, votes, winner):
    """Count the votes of each row of neighbours: label[index], or a two-dimensional `label` where index is None.

    `weights`, `votes` and `winner` may be None.
    """
    cdef View l = View(label, INT64, 2 if index is None else 1)
    cdef View i = None if index is None else View(index, INT64, 2)
    cdef size_t rows = l.matrix.rows if i is None else i.matrix.rows
    cdef size_t k = l.matrix.cols if i is None else i.matrix.cols
    cdef View w = None if weights is None else View(weights, "d", 2)
    cdef View v = None if votes is None else View(votes, "d", 2, True)
    cdef View o = None if winner is None else View(winner, INT64, 1, True)
    cdef const int64_t *ids = NULL
    cdef const double *weight = NULL
    cdef double *counts = NULL
    cdef int64_t *best = NULL
    cdef fc_status status
    if i is not None:
        ids = <const int64_t *>i.matrix.data
    if w is not None:
        w.shaped(rows, k)
        weight = <const double *>w.matrix.data
    if v is not None:
        v.shaped(rows, n_classes)
        counts = <double *>v.matrix.data
    if o is not None:
        o.shaped(rows, 1)
        best = <int64_t *>o.matrix.data
    with nogil:
        status = fc_vote(
            <const int64_t *>l.matrix.data, l.matrix.rows * l.matrix.cols, ids, rows, k, n_classes, weight, poll,
            counts, best)
    check(status)


def vote_prefixes(label, index, size_t n_classes, prefix, winner):
    """Write to `winner`, of shape (prefixes, rows), what the first neighbours of each row vote for.

    `prefix` says how many vote; it does not descend.
    """
    cdef View l = View(label, INT64, 1)
    cdef View i = View(index, INT64, 2)
    cdef View p = View(prefix, INT64, 1)
    cdef View o = View(winner, INT64, 2, True)
    cdef fc_status status
    o.shaped(p.matrix.rows, i.matrix.rows)
    with nogil:
        status = fc_vote_prefixes(
            <const int64_t *>l.matrix.data, l.matrix.rows, <const int64_t *>i.matrix.data, i.matrix.rows, i.matrix.cols,
            n_classes, <const int64_t *>p.matrix.data, p.matrix.rows, poll, <int64_t *>o.matrix.data)
    check(status)
