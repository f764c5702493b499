/* kernels.h -- what one instruction set offers to all families: isa/core/. */
#ifndef FASTCLF_CORE_KERNELS_H
#define FASTCLF_CORE_KERNELS_H

#include "fastclf.h"

typedef struct {
    /* `count` values in another arithmetic, exactly.  None where they are stored as they are computed in.  To bytes go
     * only values that are bytes; but those of i8 have FC_MOVED added, so that all of them are.  Where another thread
     * writes in between, a byte may be any byte: none becomes an address. */
    void (*convert[FC_DTYPE_COUNT][FC_ARITHMETIC_COUNT])(const void *values, size_t count, void *out);
} fc_core_kernels;

/* Of the instruction set in use. */
const fc_core_kernels *fc_core_kernels_active(void);

#endif
