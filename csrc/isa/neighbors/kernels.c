/* kernels.c -- the kernels of searches and distances, compiled once for each instruction set. */
#include "neighbors/kernels.h"

#include "isa/neighbors/closer.inc.h"
#include "isa/neighbors/distance.inc.h"
#include "isa/neighbors/few.inc.h"
#include "isa/neighbors/select.inc.h"
#include "isa/neighbors/narrow.inc.h"
#include "isa/neighbors/near.inc.h"
#include "isa/neighbors/pair.inc.h"
#include "isa/neighbors/panel.inc.h"
#include "isa/neighbors/quick.inc.h"
#include "isa/neighbors/prune.inc.h"
#include "isa/neighbors/sum.inc.h"
#include "isa/neighbors/tiles.inc.h"

const fc_kernels FC_NAME(fc_kernels_, FC_ISA) = {
    .tile = {FC_TILE_ENTRIES},
    .keep = {FC_KEEP_ENTRIES},
    .keep_sketches = keep_sketches,
    .few = {FC_FEW_ENTRIES},
    .keep_few = keep_few,
    .sketch_terms = sketch_terms,
    .near_boxes = {FC_NEAR_ENTRIES(near_boxes)},
    .near_rows = {FC_NEAR_ENTRIES(near_rows)},
    .list_rows = list_rows,
    .select = kth_least,
    .pair = {FC_PAIRS(FC_PAIR_ENTRY)},
    .pair_i8 = {FC_PAIRS(FC_PAIR_I8_ENTRY)},
    .sum = {FC_SUM_ENTRIES},
    .gap = {FC_GAP_ENTRIES},
    .residual = residual,
    .quick = {FC_QUICK_ENTRIES},
    .panel = {FC_PANEL_ENTRIES},
    .narrow = {FC_NARROW_ENTRIES},
    .distance = {FC_FORMS(FC_DISTANCE_ENTRY)},
};
