/* kernels.h -- what one instruction set offers for losses: isa/losses/. */
#ifndef FASTCLF_LOSSES_KERNELS_H
#define FASTCLF_LOSSES_KERNELS_H

#include "core/shapes.h"
#include "models.h"

/* Scratch of a thread: FC_LOSS_BUFFERS arrays of float64.  Each holds a row, or FC_LOSS_STEP values if the part has as
 * many, in whole groups of FC_LANES, and one group more.  fc_losses_of_rows makes the parts.
 */
enum { FC_LOSS_STEP = 2048, FC_LOSS_BUFFERS = 5 };

/* Rows of a batch from `first`, and where their results go: see fc_losses.  Labels are copies, so that what was checked
 * cannot change.  The batch's own pointer to labels only tells whether there are any.
 */
typedef struct {
    const fc_batch *batch;
    size_t first, rows;
    const int64_t *label; /* of each row, or NULL */
    double *loss, *each;
    void *gradient;
    double *buffer[FC_LOSS_BUFFERS];
} fc_batch_part;

typedef struct {
    /* Returns how many rows have an answer before the first that has none.  NULL for bytes: scores are floats. */
    size_t (*losses[FC_LOSS_COUNT][FC_ARITHMETIC_COUNT])(const fc_batch_part *part);
} fc_loss_kernels;

/* Of the instruction set in use. */
const fc_loss_kernels *fc_loss_kernels_active(void);

#endif
