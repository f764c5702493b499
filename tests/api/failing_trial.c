/* failing_trial.c -- a trial of a tree whose search fails, with its outputs half written, tells no share of leaves. */
#include "api/api_index.c"

size_t fc_tree_leaves(size_t rows) { return rows / FC_LEAF_ROWS; }

fc_status fc_tree_knn(const fc_tree_search *search, fc_run run, double *distance, int64_t *index) {
    (void)run, (void)distance, (void)index;
    search->tally->leaves = -1;
    memset(search->given_up, 0, search->Q.rows);
    return FC_NO_MEMORY;
}

int main(void) {
    static const uint8_t values[TREE_ROWS];
    const fc_matrix X = {values, TREE_ROWS, 1, FC_u8};
    const owned_tree of_rows = {0};
    double share = 1;
    return share_of_leaves(FC_l2, &of_rows, X, (fc_run){1, NULL}, &share) == FC_NO_MEMORY && share == 1 ? 0 : 1;
}
