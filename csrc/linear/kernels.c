/* kernels.c -- the tables of this build's instruction sets. */
#include "linear/kernels.h"

#define FC_DECLARE(isa, needs) extern const fc_linear_kernels fc_linear_kernels_##isa[FC_ARITHMETIC_COUNT];
FC_ISAS(FC_DECLARE)

#define FC_ROW(isa, needs) fc_linear_kernels_##isa,
static const fc_linear_kernels *const tables[] = {FC_ISAS(FC_ROW)};

const fc_linear_kernels *fc_linear_kernels_active(fc_arithmetic in) { return &tables[fc_isa_active()][in]; }
