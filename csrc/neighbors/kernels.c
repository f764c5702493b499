/* kernels.c -- the tables of this build's instruction sets. */
#include "neighbors/kernels.h"

#define FC_DECLARE(isa, needs) extern const fc_kernels fc_kernels_##isa;
FC_ISAS(FC_DECLARE)

#define FC_ROW(isa, needs) &fc_kernels_##isa,
static const fc_kernels *const tables[] = {FC_ISAS(FC_ROW)};

const fc_kernels *fc_kernels_active(void) { return tables[fc_isa_active()]; }
