/* floats.inc.h -- operations that float templates of several families name by the dtype; and float.inc.h's. */
#ifndef FASTCLF_ISA_FLOATS
#define FASTCLF_ISA_FLOATS

#include "isa/math.inc.h"

/* a b + c, for sums of products of that dtype, but for those of matmul.inc.h.  It is fused only for float32: there
 * float64 gives the same result on machines that cannot fuse.
 */
static inline v_f32 times_plus_f32(v_f32 a, v_f32 b, v_f32 c) { return fma_f32(a, b, c); }
static inline v_f64 times_plus_f64(v_f64 a, v_f64 b, v_f64 c) { return a * b + c; }

static inline void narrow_f64(double *to, v_f64 v) { memcpy(to, &v, sizeof v); }

static inline float root_f32(float v) { return sqrtf(v); }
static inline double root_f64(double v) { return sqrt(v); }

static inline float next_to_f32(float v, float to) { return nextafterf(v, to); }
static inline double next_to_f64(double v, double to) { return nextafter(v, to); }

#define FC_TEMPLATE "isa/float.inc.h"
#include "isa/each_float.inc.h"

#endif
