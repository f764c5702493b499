/* window.h -- a window model ready to compute with: weights in whole lines, and what its layers see of a block of
 * windows.
 */
#ifndef FASTCLF_WINDOW_H
#define FASTCLF_WINDOW_H

#include "linear/kernels.h"
#include "window/kernels.h"

enum { FC_WINDOW_BLOCK = 32 }; /* windows at a time: their inputs stay in the first caches */

typedef struct {
    size_t inputs, depth, outputs; /* depth: inputs, and 0 up to whole lines */
    char *W, *b;                   /* outputs x depth, outputs */
} fc_packed_layer;

typedef struct {
    const fc_window_model *model;
    const fc_linear_kernels *linear;
    const fc_window_kernels *window;
    size_t size, width; /* bytes of a value; words of a window */
    fc_packed_layer layer[FC_WINDOW_LAYERS];
    void *memory;
} fc_net;

/* One thread's block of windows. */
typedef struct {
    char *x[FC_WINDOW_LAYERS]; /* inputs of each layer, FC_WINDOW_BLOCK x depth */
    char
        *out[FC_WINDOW_LAYERS]; /* what comes of it before the activation, later gradients: FC_WINDOW_BLOCK x outputs */
    void *memory;
} fc_net_scratch;

/* Whether sizes and names of a model, and the windows with their words, go together. */
int fc_model_fits(const fc_window_model *model);
int fc_windows_fit(const fc_window_model *model, const fc_windows *windows);

/* Copies of the weights; 0 without memory. */
int fc_net_pack(fc_net *net, const fc_window_model *model);
void fc_net_unpack(const fc_net *net); /* into the model */
void fc_net_drop(fc_net *net);

int fc_net_allocate(const fc_net *net, fc_net_scratch *scratch);
void fc_net_free(fc_net_scratch *scratch);

/* Scores of up to FC_WINDOW_BLOCK windows, by their centres, in the last layer's `out`. */
void fc_net_forward(const fc_net *net, const fc_windows *windows, const int64_t *centre, size_t rows,
                    const fc_net_scratch *scratch);

/* Where a window of `width` words begins in a text of as many at least: inside it, whatever the centre is by now. */
static inline size_t fc_window_start(const fc_windows *windows, int64_t centre, size_t width) {
    return fc_within((int64_t)((uint64_t)centre - width / 2), windows->length - width + 1);
}

/* One layer's part of a block, for the kernels of linear models. */
fc_linear_block fc_net_block(const fc_net *net, size_t layer, size_t rows, const fc_net_scratch *scratch);

#endif
