/* touched.h -- which vectors the windows of a batch use, and where. */
#ifndef FASTCLF_TOUCHED_H
#define FASTCLF_TOUCHED_H

#include "fastclf.h"

/* Vectors are numbered as they first occur: number v is that of `word[v]`, used at use[start[v]], ..., use[start[v + 1]
 * - 1], in order.  A use is window * width + place in the window.
 */
typedef struct {
    size_t count, slots; /* slots: of the table, a power of two */
    uint32_t *table;     /* number of the vector + 1 at its word's slot, 0 where there is none */
    uint32_t *number, *use, *start;
    int32_t *word;
} fc_touched;

/* Room for so many uses; 0 without memory. */
int fc_touched_make(fc_touched *touched, size_t uses);
void fc_touched_drop(fc_touched *touched);

/* Look at the windows about `n` centres; words from `trained` on are left out. */
void fc_touched_fill(fc_touched *touched, const fc_windows *windows, const int64_t *centre, size_t n, size_t width,
                     size_t trained);

#endif
