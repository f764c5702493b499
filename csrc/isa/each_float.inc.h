/* each_float.inc.h -- includes FC_TEMPLATE for float64 and for float32: TYPE, vectors of it, integers as wide, and
 * NAME, which adds the suffix of the dtype.
 */
#define NAME(stem) stem##_f64
#define TYPE double
#define VECTOR v_f64
#define INTEGER int64_t
#define INTEGERS v_i64
#define ALL all_f64
#define LOAD load_v_f64
#define MAX max_f64
#include FC_TEMPLATE
#undef NAME
#undef TYPE
#undef VECTOR
#undef INTEGER
#undef INTEGERS
#undef ALL
#undef LOAD
#undef MAX

#define NAME(stem) stem##_f32
#define TYPE float
#define VECTOR v_f32
#define INTEGER int32_t
#define INTEGERS v_i32
#define ALL all_f32
#define LOAD load_v_f32
#define MAX max_f32
#include FC_TEMPLATE
#undef NAME
#undef TYPE
#undef VECTOR
#undef INTEGER
#undef INTEGERS
#undef ALL
#undef LOAD
#undef MAX
#undef FC_TEMPLATE
