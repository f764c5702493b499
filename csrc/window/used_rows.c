/* used_rows.c -- the words of a batch in a hash table as large as the batch, so that a step's cost does not grow with
 * the vocabulary.
 */
#include "window/used_rows.h"

#include <stdlib.h>
#include <string.h>

#include "window/window.h"

enum { NONE = -1 };

int fc_used_rows_make(fc_used_rows *t, size_t uses) {
    *t = (fc_used_rows){.slots = 2};
    while (t->slots < 2 * uses) t->slots *= 2; /* at most half full */
    t->table = malloc(t->slots * sizeof *t->table);
    t->number = malloc((uses + 1) * sizeof *t->number);
    t->use = malloc((uses + 1) * sizeof *t->use);
    t->start = malloc((uses + 2) * sizeof *t->start);
    t->word = malloc((uses + 1) * sizeof *t->word);
    return t->table && t->number && t->use && t->start && t->word;
}

void fc_used_rows_drop(fc_used_rows *t) {
    free(t->table);
    free(t->number);
    free(t->use);
    free(t->start);
    free(t->word);
}

/* The number of a word's vector; a new one where it has none yet.  A slot is found by multiplying, which spreads
 * consecutive words.
 */
static uint32_t number_of(fc_used_rows *t, int32_t word) {
    size_t at = (uint32_t)word * UINT32_C(2654435769) & (t->slots - 1);
    for (; t->table[at]; at = (at + 1) & (t->slots - 1))
        if (t->word[t->table[at] - 1] == word) return t->table[at] - 1;
    t->word[t->count] = word;
    t->start[t->count] = 0;
    t->table[at] = (uint32_t)++t->count;
    return t->table[at] - 1;
}

/* Turn the count of each vector's uses into the end of its stretch. */
static void add_up(fc_used_rows *t) {
    uint32_t end = 0;
    for (size_t v = 0; v < t->count; v++) t->start[v] = end += t->start[v];
    t->start[t->count] = end;
}

void fc_used_rows_fill(fc_used_rows *t, const fc_windows *windows, const int64_t *centre, size_t n, size_t width,
                       size_t trained) {
    memset(t->table, 0, t->slots * sizeof *t->table);
    t->count = 0;
    for (size_t w = 0; w < n; w++) {
        const int32_t *words = windows->word + fc_window_start(windows, centre[w], width);
        for (size_t i = 0; i < width; i++) {
            const int32_t word = FC_ONCE(words[i]);
            const int is_trained = (size_t)word < trained;
            const uint32_t v = is_trained ? number_of(t, word) : (uint32_t)NONE;
            t->number[w * width + i] = v;
            if (is_trained) t->start[v]++;
        }
    }
    add_up(t);
    /* From the last, so that each stretch is in order, and its end moves to its start. */
    for (size_t use = n * width; use-- > 0;)
        if (t->number[use] != (uint32_t)NONE) t->use[--t->start[t->number[use]]] = (uint32_t)use;
}
