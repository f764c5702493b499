/* isa.h -- the instruction set that FC_ISA names, for a file that is compiled once for each: everything in it is static
 * but one table.
 *
 * isa/<FC_ISA>.h gives the vector width and the few steps worth an instruction of their own.  What templates write in
 * vector types is the same arithmetic everywhere: element-wise IEEE operations, never contracted.
 */
#ifndef FASTCLF_ISA_H
#define FASTCLF_ISA_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/shapes.h"
#include "core/twofold.h"
#include "core/sizes.h"
#include "lists.h"

#define FC_STR(x) #x
#define FC_HEADER(isa) FC_STR(isa.h)
#define FC_GLUE(a, b) a##b
#define FC_NAME(a, b) FC_GLUE(a, b)
#define FC_UNROLL _Pragma("GCC unroll 32")
/* For calls that would slow small rows down, and for functions to be compiled for each constant argument. */
#define FC_INLINED static inline __attribute__((always_inline))

#include FC_HEADER(FC_ISA)

#ifndef FC_IN_REGISTER /* a vector that several steps use, for compilers that need to be told */
#define FC_IN_REGISTER(v)
#endif

#endif
