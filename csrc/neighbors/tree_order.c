/* tree_order.c -- queries in the order of their leaves: queries near each other find the same rows in the caches. */
#include <stdlib.h>
#include <string.h>

#include "neighbors/tree_search.h"

/* More than a coordinate's rounding to a float: relative, with that of the length; and what underflow may take from a
 * length.
 */
static const double FLOAT_ROUNDING = 0x1p-24 * (1 + 0x1p-20), FLOAT_FLOOR = 0x1p-100;

double fc_tree_point(const fc_tree_job *s, size_t query, double *exact, float *point) {
    const fc_placed at = fc_point(&s->space, &s->pairs.Q, query, exact);
    for (size_t i = 0; i < s->pairs.Q.cols; i++) point[i] = (float)exact[i];
    return at.error + at.length * FLOAT_ROUNDING + FLOAT_FLOOR;
}

size_t fc_tree_gaps(const fc_tree_job *s, int level, size_t block, const float *point, float most, float *gaps,
                    uint32_t *near) {
    const size_t d = s->pairs.X.cols;
    const float *boxes = s->tree.boxes + (s->shape.first_block[level] + block) * fc_block_floats(d);
    return s->pairs.kernels->near_boxes[s->kind](boxes, point, d, most, gaps, near);
}

size_t fc_tree_count(const fc_tree_job *s, int level, size_t block) {
    return fc_smaller(FC_TREE_BOXES, s->shape.boxes[level] - block * FC_TREE_BOXES);
}

/* The box with about the least gaps.  No branch, as none could be predicted: gaps are in the order of their bits, of
 * which the last make space for the box's number.
 */
static size_t nearest_box(const float *gaps, size_t count) {
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &gaps[i], sizeof bits);
        bits = (bits & ~(uint32_t)(FC_TREE_BOXES - 1)) | (uint32_t)i;
        least = bits < least ? bits : least;
    }
    return least % FC_TREE_BOXES;
}

/* The leaf that the nearest boxes lead to. */
static size_t home_of(const fc_tree_job *s, const float *point) {
    float gaps[FC_TREE_BOXES];
    uint32_t near[FC_TREE_BOXES + FC_MORE_SURVIVORS];
    size_t block = 0;
    for (int level = s->shape.levels; level-- > 0;) {
        fc_tree_gaps(s, level, block, point, 0, gaps, near);
        block = block * FC_TREE_BOXES + nearest_box(gaps, fc_tree_count(s, level, block));
    }
    return block;
}

static void find_homes(void *of, fc_team *team, int thread) {
    const fc_tree_job *s = of;
    const size_t d = s->pairs.Q.cols;
    double *exact = malloc(d * (sizeof(double) + sizeof(float)));
    if (!exact) {
        fc_stop(team, FC_NO_MEMORY);
        return;
    }
    float *point = (float *)(exact + d);
    for (size_t task; fc_next_task(team, &task);) {
        const size_t end = fc_smaller((task + 1) * s->share, s->pairs.Q.rows);
        for (size_t q = task * s->share; q < end && !fc_stopped(team, thread); q++) {
            fc_tree_point(s, q, exact, point);
            s->home[q] = (uint32_t)home_of(s, point);
        }
    }
    free(exact);
}

/* Put queries about in the order of their leaves: by a counting sort into as many bins as there are queries. */
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
    const fc_status status = fc_parallel(run, (s->pairs.Q.rows + s->share - 1) / s->share, find_homes, s);
    if (status != FC_OK) return status;
    return put_in_turn(s) ? FC_OK : FC_NO_MEMORY;
}
