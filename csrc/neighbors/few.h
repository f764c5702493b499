/* few.h -- inner products of few vectors of bytes with rows, a row a lane: what product.h does by tiles. */
#ifndef FASTCLF_FEW_H
#define FASTCLF_FEW_H

#include "neighbors/product.h"

/* These do what fc_product_carve, fc_product_start and fc_product_panel do. */
size_t fc_few_carve(const fc_product *p, fc_product_scratch *w, char *memory);
void fc_few_start(const fc_product *p, fc_product_scratch *w);
const char *fc_few_panel(const fc_product *p, fc_product_scratch *w, size_t vector);

/* How many rows to take at a time, so that they stay in a near cache for all vectors. */
size_t fc_few_block(const fc_product *p);

#endif
