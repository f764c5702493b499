/* kernels.c -- the kernels of window models, compiled once for each instruction set. */
#include "window/kernels.h"

#include "isa/floats.inc.h"

#define FC_TEMPLATE "isa/window/window.inc.h"
#include "isa/each_float.inc.h"

const fc_window_kernels FC_NAME(fc_window_kernels_,
                                FC_ISA)[FC_ARITHMETIC_COUNT] = {FC_WINDOW_ENTRY_OF(f32) FC_WINDOW_ENTRY_OF(f64)};
