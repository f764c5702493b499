/* kernels.c -- the tables of this build's instruction sets. */
#include "window/kernels.h"

#define FC_DECLARE(isa, needs) extern const fc_window_kernels fc_window_kernels_##isa[FC_ARITHMETIC_COUNT];
FC_ISAS(FC_DECLARE)

#define FC_ROW(isa, needs) fc_window_kernels_##isa,
static const fc_window_kernels *const tables[] = {FC_ISAS(FC_ROW)};

const fc_window_kernels *fc_window_kernels_active(fc_arithmetic in) { return &tables[fc_isa_active()][in]; }
