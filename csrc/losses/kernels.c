/* kernels.c -- the tables of this build's instruction sets. */
#include "losses/kernels.h"

#define FC_DECLARE(isa, needs) extern const fc_loss_kernels fc_loss_kernels_##isa;
FC_ISAS(FC_DECLARE)

#define FC_ROW(isa, needs) &fc_loss_kernels_##isa,
static const fc_loss_kernels *const tables[] = {FC_ISAS(FC_ROW)};

const fc_loss_kernels *fc_loss_kernels_active(void) { return tables[fc_isa_active()]; }
