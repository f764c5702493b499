/* kernels.h -- what one instruction set offers for classifiers of windows, beside linear/kernels.h: isa/window/. */
#ifndef FASTCLF_WINDOW_KERNELS_H
#define FASTCLF_WINDOW_KERNELS_H

#include "models.h"

/* What window models need beside the kernels of linear ones, in one arithmetic. */
typedef struct {
    /* n values y of sums s. */
    void (*activate[FC_ACTIVATION_COUNT])(const void *s, size_t n, void *y);
    /* n gradients by sums, from gradients by values. */
    void (*backward[FC_ACTIVATION_COUNT])(const double *by_value, const void *y, size_t n, void *by_sum);
    /* squares += g^2; w -= rate * g / (sqrt(squares) + 1e-10), after g is rounded to the type of w. */
    void (*adagrad)(void *w, void *squares, const double *g, size_t n, double rate);
} fc_window_kernels;

/* Of the instruction set in use, in float or double. */
const fc_window_kernels *fc_window_kernels_active(fc_arithmetic in);

#endif
