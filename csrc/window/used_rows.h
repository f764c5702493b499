/* used_rows.h -- which vectors the windows of a batch use, and where. */
#ifndef FASTCLF_USED_ROWS_H
#define FASTCLF_USED_ROWS_H

#include "models.h"

/* Vectors are numbered as they first occur: number v is that of `word[v]`, used at use[start[v]], ..., use[start[v + 1]
 * - 1], in order.  A use is window * width + place in the window.
 */
typedef struct {
    size_t count, slots; /* slots: of the table, a power of two */
    uint32_t *table;     /* number of the vector + 1 at its word's slot, 0 where there is none */
    uint32_t *number, *use, *start;
    int32_t *word;
} fc_used_rows;

/* Allocate space for `uses` uses; 0 without memory. */
int fc_used_rows_make(fc_used_rows *used, size_t uses);
void fc_used_rows_drop(fc_used_rows *used);

/* Look at the windows about `n` centres; words from `trained` on are left out. */
void fc_used_rows_fill(fc_used_rows *used, const fc_windows *windows, const int64_t *centre, size_t n, size_t width,
                       size_t trained);

#endif
