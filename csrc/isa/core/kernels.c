/* kernels.c -- conversions between dtypes, compiled once for each instruction set. */
#include "core/kernels.h"

#include "core/matrix.h"
#include "isa/isa.h"

#include "isa/core/convert.inc.h"

const fc_core_kernels FC_NAME(fc_core_kernels_, FC_ISA) = {.convert = {FC_CONVERT_ENTRIES}};
