/* kernels.c -- compiled once for each instruction set, with FC_ISA naming it: everything here is static but one table.
 *
 * isa/<FC_ISA>.h gives the vector width and the few steps worth an instruction of their own.  What is written here in
 * vector types is the same arithmetic everywhere: element-wise IEEE operations, never contracted.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "../kernels.h"

#define FC_STR(x) #x
#define FC_HEADER(isa) FC_STR(isa.h)
#define FC_GLUE(a, b) a##b
#define FC_NAME(a, b) FC_GLUE(a, b)
#define FC_UNROLL _Pragma("GCC unroll 32")

#include FC_HEADER(FC_ISA)
#include "load.inc.h"
#include "pair.inc.h"
#include "sum.inc.h"
#include "closer.inc.h"
#include "distance.inc.h"
#include "quick.inc.h"
#include "panel.inc.h"
#include "sieve.inc.h"
#include "near.inc.h"
#include "tiles.inc.h"
#include "math.inc.h"
#include "losses.inc.h"
#include "limit.inc.h"

const fc_kernels FC_NAME(fc_kernels_, FC_ISA) = {
    .tile = {FC_TILES(FC_TILE_ENTRY)},
    .losses = {FC_SCORE_LOSSES(FC_LOSS_ENTRY) FC_ROW_LOSSES(FC_LOSS_ENTRY)},
    .linear = {FC_LINEAR_ENTRY_OF(f32) FC_LINEAR_ENTRY_OF(f64)},
    .window = {FC_WINDOW_ENTRY_OF(f32) FC_WINDOW_ENTRY_OF(f64)},
    .keep = {FC_KEEP_ENTRIES},
    .keep_sketches = keep_sketches,
    .near_boxes = {FC_NEAR_ENTRIES(near_boxes)},
    .near_rows = {FC_NEAR_ENTRIES(near_rows)},
    .limit = limit_of,
    .pair = {FC_PAIRS(FC_PAIR_ENTRY)},
    .sum = {FC_PAIRS(FC_SUM_ENTRY)},
    .gap = {FC_GAP_ENTRIES},
    .residual = residual,
    .quick = {FC_QUICK_ENTRIES},
    .panel = {FC_PAIRS(FC_PANEL_ENTRY)},
    .distance = {FC_PAIRS(FC_DISTANCE_ENTRY)},
};
