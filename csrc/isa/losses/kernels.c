/* losses.c -- the kernels of losses, compiled once for each instruction set. */
#include "losses/kernels.h"

#include "isa/losses/losses.inc.h"

const fc_loss_kernels FC_NAME(fc_loss_kernels_, FC_ISA) = {
    .losses = {FC_SCORE_LOSSES(FC_LOSS_ENTRY) FC_ROW_LOSSES(FC_LOSS_ENTRY)},
};
