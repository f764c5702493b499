/* kernels.c -- the kernels of linear models, compiled once for each instruction set. */
#include "linear/kernels.h"

#include "core/matrix.h"
#include "isa/floats.inc.h"

#define FC_TEMPLATE "isa/linear/linear.inc.h"
#include "isa/each_float.inc.h"
#define FC_TEMPLATE "isa/linear/matmul.inc.h"
#include "isa/each_float.inc.h"
#include "isa/linear/ascent.inc.h"
#include "isa/linear/svm_row.inc.h"

const fc_linear_kernels FC_NAME(fc_linear_kernels_, FC_ISA)[FC_ARITHMETIC_COUNT] = {
    FC_LINEAR_ENTRY_OF(f32, NULL, NULL) FC_LINEAR_ENTRY_OF(f64, add_row, svm_row)};
