/* tree_order.c -- queries in the order of the leaves that they are in: those near each other find the same rows in the
 * caches.
 */
#include <stdlib.h>

#include "tree_search.h"

double fc_tree_point(const fc_tree_job *s, size_t query, double *exact, float *point) {
    const size_t d = s->pairs.Q.cols;
    double error = fc_point(&s->space, &s->pairs.Q, query, exact), sum = 0;
    for (size_t i = 0; i < d; i++) {
        point[i] = (float)exact[i];
        sum = fc_add_gap(s->kind, sum, exact[i] - (double)point[i]);
    }
    return (error + fc_length_of_gaps(s->kind, sum)) * (1 + 0x1p-40);
}

size_t fc_tree_gaps(const fc_tree_job *s, int level, size_t block, const float *point, float *gaps) {
    const size_t d = s->pairs.X.cols;
    s->pairs.kernels->near_boxes[s->kind](s->tree.boxes + (s->shape.first_block[level] + block) * fc_block_floats(d),
                                          point, d, gaps);
    return fc_smaller(FC_TREE_BOXES, s->shape.boxes[level] - block * FC_TREE_BOXES);
}

/* The leaf that the nearest boxes lead to. */
static size_t home_of(const fc_tree_job *s, const float *point) {
    float gaps[FC_TREE_BOXES];
    size_t block = 0;
    for (int level = s->shape.levels; level-- > 0;) {
        const size_t count = fc_tree_gaps(s, level, block, point, gaps);
        size_t nearest = 0;
        for (size_t i = 1; i < count; i++) nearest = gaps[i] < gaps[nearest] ? i : nearest;
        block = block * FC_TREE_BOXES + nearest;
    }
    return block;
}

static void find_homes(void *of, fc_team *team, int thread) {
    const fc_tree_job *s = of;
    const size_t d = s->pairs.Q.cols;
    double *exact = malloc(d * (sizeof(double) + sizeof(float)));
    if (!exact) fc_stop(team, FC_NO_MEMORY);
    float *point = (float *)(exact + d);
    for (size_t task; exact && fc_next_task(team, &task);) {
        const size_t end = fc_smaller((task + 1) * FC_TREE_QUERIES, s->pairs.Q.rows);
        for (size_t q = task * FC_TREE_QUERIES; q < end && !fc_stopped(team, thread); q++) {
            fc_tree_point(s, q, exact, point);
            s->home[q] = (uint32_t)home_of(s, point);
        }
    }
    free(exact);
}

/* Put queries in the order of their leaves, about: by a counting sort into so many bins as there are queries. */
static int put_in_turn(fc_tree_job *s) {
    const size_t n = s->pairs.Q.rows, leaves = s->shape.leaves, bins = fc_smaller(n, leaves);
    size_t *end = calloc(bins + 1, sizeof *end);
    if (!end) return 0;
    const double by = (double)bins / (double)leaves;
    for (size_t q = 0; q < n; q++) end[(size_t)((double)s->home[q] * by)]++;
    for (size_t b = 1; b <= bins; b++) end[b] += end[b - 1];
    for (size_t q = n; q-- > 0;) s->turn[--end[(size_t)((double)s->home[q] * by)]] = (uint32_t)q;
    free(end);
    return 1;
}

fc_status fc_tree_order(fc_tree_job *s, fc_run run) {
    const fc_status status = fc_parallel(run, (s->pairs.Q.rows + FC_TREE_QUERIES - 1) / FC_TREE_QUERIES, find_homes, s);
    if (status != FC_OK) return status;
    return put_in_turn(s) ? FC_OK : FC_NO_MEMORY;
}
