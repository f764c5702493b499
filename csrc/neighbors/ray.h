/* ray.h -- whether two rows of floats point exactly the same way: at any angle of another row they tie. */
#ifndef FASTCLF_RAY_H
#define FASTCLF_RAY_H

#include "neighbors/exact.h"

/* Whether one is a positive multiple of the other, neither of them zero.  It is also false where values differ so much
 * in size that their products may lose bits (docs/exactness.md).
 */
int fc_on_one_ray(fc_row a, fc_row b);

#endif
