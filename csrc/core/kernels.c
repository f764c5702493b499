/* kernels.c -- the tables of this build's instruction sets. */
#include "core/kernels.h"

#define FC_DECLARE(isa, needs) extern const fc_core_kernels fc_core_kernels_##isa;
FC_ISAS(FC_DECLARE)

#define FC_ROW(isa, needs) &fc_core_kernels_##isa,
static const fc_core_kernels *const tables[] = {FC_ISAS(FC_ROW)};

const fc_core_kernels *fc_core_kernels_active(void) { return tables[fc_isa_active()]; }
