/* memory.h -- memory in whole cache lines.  Windows frees such memory by a function of its own. */
#ifndef FASTCLF_MEMORY_H
#define FASTCLF_MEMORY_H

#include <stdint.h>
#include <stdlib.h>

#ifdef _WIN32
#include <malloc.h>
#endif

#include "core/shapes.h"
#include "core/sizes.h"

/* Memory for that many bytes, which begins with a line; NULL where there is none. */
static inline void *fc_allocate_lines(size_t bytes) {
    if (bytes > SIZE_MAX - FC_LINE) return NULL;
#ifdef _WIN32
    return _aligned_malloc(fc_round_up(bytes, FC_LINE), FC_LINE);
#else
    return aligned_alloc(FC_LINE, fc_round_up(bytes, FC_LINE));
#endif
}

static inline void fc_free_lines(void *memory) {
#ifdef _WIN32
    _aligned_free(memory);
#else
    free(memory);
#endif
}

#endif
