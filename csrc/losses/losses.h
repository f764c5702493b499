/* losses.h -- losses of some rows of a batch in the calling thread. */
#ifndef FASTCLF_LOSSES_H
#define FASTCLF_LOSSES_H

#include "losses/kernels.h"

typedef struct {
    double *memory; /* to be freed */
    double *buffer[FC_LOSS_BUFFERS];
} fc_loss_scratch;

/* Whether what a batch says goes together. */
int fc_batch_fits(const fc_batch *batch);

/* How many rows the kernels take at once. */
size_t fc_loss_step(const fc_batch *batch);

/* One thread's scratch; 0 without memory. */
int fc_loss_allocate(fc_loss_scratch *scratch, const fc_batch *batch);

/* Losses of rows [first, first + rows), written to their places in the whole batch's outputs as fc_losses has them.
 * Returns how many have an answer before the first that has none. */
size_t fc_losses_of_rows(const fc_batch *batch, const fc_loss_scratch *scratch, size_t first, size_t rows, double *loss,
                         double *each, void *gradient);

#endif
