/* lists.h -- the one page that names every metric, dtype, loss and instruction set.  A row here feeds the enums, the
 * tables, the Python names and the tests.
 */
#ifndef FASTCLF_LISTS_H
#define FASTCLF_LISTS_H

/* What rows are stored as, narrowest first.  f16 is IEEE's binary16, bf16 the upper half of a float: kept as their
 * bits, whose numbers are fc_number_* of core/numbers.h.  No buffer has a format for bf16: E is ml_dtypes' character.
 *      name  C type   buffer format
 */
#define FC_DTYPES(X) \
    X(u8, uint8_t, 'B') \
    X(i8, int8_t, 'b') \
    X(bf16, uint16_t, 'E') \
    X(f16, uint16_t, 'e') \
    X(f32, float, 'f') \
    X(f64, double, 'd')

/* What kernels compute in, narrowest first.  Inputs are widened to the first that holds all their values, never
 * narrowed.  The dtype of the same name stores its values.  Losses and models compute in floats only.
 *      name  C type
 */
#define FC_ARITHMETICS(X) \
    X(u8, uint8_t) \
    X(f32, float) \
    X(f64, double)

/* What register tiles find of a query q and a row x (isa/neighbors/tiles.inc.h), as 2P: an inner product P, or another
 * measure.
 *      dot   P is the sum of q x
 *      min   P is the sum of min(q, x), as sum |q-x| = sum q + sum x - 2P
 *      max   -2P is the largest |q-x|
 */
#define FC_TILE_KINDS(X) \
    X(dot) \
    X(min) \
    X(max)

/* What refining sums over the features of a pair, or takes the largest of (isa/neighbors/pair.inc.h):
 *      sqdiff   (q-x)^2
 *      absdiff  |q-x|
 *      product  q x
 *      maxdiff  |q-x|, the largest
 */
#define FC_PAIRS(X) \
    X(sqdiff) \
    X(absdiff) \
    X(product) \
    X(maxdiff)

/* How the distance is made of such a sum (isa/neighbors/distance.inc.h):
 *      sum      itself
 *      root     its square root
 *      angle    1 less the cosine, which is the sum over both vectors' lengths
 *      minus    the sum with its sign changed, so that the largest product is nearest; reported is the sum
 */
#define FC_FORMS(X) \
    X(sum) \
    X(root) \
    X(angle) \
    X(minus)

/* Norms of q-x, by the names that FAISS has for their metrics. */
#define FC_NORMS(X) \
    X(L1) \
    X(L2) \
    X(Linf)

/* Metrics.  A tile's P is fast and has a bounded error; the filter turns it into bounds on the distance.  Refining then
 * computes what is reported, the exact distance rounded to nearest, for the few rows that survive.  The formulas of a
 * metric are its functions in metrics.h.
 *
 *   name       what Python calls it
 *   .tile      the P that bounds it
 *   .pair      the sum that it is made of
 *   .form      how it is made of that sum
 *   .norm      the norm that it grows with, for sketches, trees and other libraries; of products, the one that bounds
 *              them: |q x| is at most |q| |x|
 *   .degree    scaling q and x by t scales the distance by t to this power; 0: .norm is of the vectors at unit length
 *   .centred   the filter subtracts a centre from q and x: that does not change the distance
 *   .sketches  sketches bound it (stage.h): .norm is L1 or L2
 *   .tree      trees search by it (tree.h): .norm is L1 or L2
 */
// clang-format off
#define FC_METRICS(X) \
    X(l1, .tile = FC_TILE_min, .pair = FC_PAIR_absdiff, .form = FC_FORM_sum, .norm = FC_NORM_L1, \
      .degree = 1, .centred = 1, .sketches = 1, .tree = 1) \
    X(l2, .tile = FC_TILE_dot, .pair = FC_PAIR_sqdiff, .form = FC_FORM_root, .norm = FC_NORM_L2, \
      .degree = 1, .centred = 1, .sketches = 1, .tree = 1) \
    X(cosine, .tile = FC_TILE_dot, .pair = FC_PAIR_product, .form = FC_FORM_angle, .norm = FC_NORM_L2, \
      .degree = 0, .centred = 0, .sketches = 1, .tree = 1) \
    X(sqeuclidean, .tile = FC_TILE_dot, .pair = FC_PAIR_sqdiff, .form = FC_FORM_sum, .norm = FC_NORM_L2, \
      .degree = 2, .centred = 1, .sketches = 1, .tree = 1) \
    X(chebyshev, .tile = FC_TILE_max, .pair = FC_PAIR_maxdiff, .form = FC_FORM_sum, .norm = FC_NORM_Linf, \
      .degree = 1, .centred = 0, .sketches = 0, .tree = 0) \
    X(inner_product, .tile = FC_TILE_dot, .pair = FC_PAIR_product, .form = FC_FORM_minus, .norm = FC_NORM_L2, \
      .degree = 2, .centred = 0, .sketches = 1, .tree = 0)
// clang-format on

/* Losses that are sums over the scores of a row, each in terms of one score: vectors of float64.
 *
 *   name    what Python calls it
 *   let     what both formulas need
 *   loss    of score s and target t; w is the weight of its column, p the loss's parameter (of max_margin, the margin)
 *   slope   its derivative by s
 */
// clang-format off
#define FC_SCORE_LOSSES(X) \
    X(mse, \
      /* let   */ const v_f64 d = s - t, \
      /* loss  */ d * d, \
      /* slope */ d + d) \
    X(binary_cross_entropy_with_logits, \
      /* let   */ const v_f64 e = exp_f64(-abs_f64(s)); const v_f64 l = log1p_f64(e), \
      /* loss  */ (1 - t) * (positive_f64(s) + l) + w * t * (positive_f64(-s) + l), \
      /* slope */ (1 - t) * sigmoid(s, e) - w * t * sigmoid(-s, e)) \
    X(max_margin, \
      /* let   */ const v_f64 d = p - s + t, \
      /* loss  */ positive_f64(d), \
      /* slope */ only_f64(d > 0, all_f64(-1)))
// clang-format on

/* Losses that look at the scores of a row together.  Those that take a softmax of them, for which a score of -inf is a
 * class that is not there: a function each in isa/losses/softmax.inc.h.  The first two are not losses: they write what
 * they are named after where others write the gradient.
 */
#define FC_SOFTMAX_LOSSES(X) \
    X(softmax) \
    X(log_softmax) \
    X(cross_entropy) \
    X(kl_div) \
    X(softmax_mse)

/* Those that compare a label's score with the others: a function each in isa/losses/hinge.inc.h. */
#define FC_HINGE_LOSSES(X) \
    X(hinge) \
    X(crammer_singer)

#define FC_ROW_LOSSES(X) FC_SOFTMAX_LOSSES(X) FC_HINGE_LOSSES(X)

/* What hidden layers do to a sum: vectors of float64.
 *
 *   name    what Python calls it
 *   value   of a sum s
 *   slope   its derivative, in terms of the value y
 */
// clang-format off
#define FC_ACTIVATIONS(X) \
    X(logistic, sigmoid(s, exp_f64(-abs_f64(s))), y * (1 - y)) \
    X(tanh, 2 * sigmoid(s + s, exp_f64(-2 * abs_f64(s))) - 1, 1 - y * y)
// clang-format on

/* Instruction sets, worst first; each overrides what it improves and inherits the rest.  FC_PORTABLE and FC_NO_AVX512
 * leave out what a program of the tests does not run; FC_NO_AMX, what a compiler does not have.
 *      name        needs (bits of cpu.h)
 */
#if defined(FC_PORTABLE)
#define FC_ISAS(X) X(scalar, 0)
#elif defined(__x86_64__)
#ifdef FC_NO_AVX512
#define FC_AVX512_ISAS(X)
#else
#define FC_AVX512_ISAS(X) \
    X(avx512, FC_CPU_AVX512) \
    X(avx512vnni, FC_CPU_AVX512 | FC_CPU_VNNI)
#endif
#if defined(FC_NO_AVX512) || defined(FC_NO_AMX)
#define FC_AMX_ISA(X)
#else
#define FC_AMX_ISA(X) X(amx, FC_CPU_AVX512 | FC_CPU_VNNI | FC_CPU_AMX)
#endif
#define FC_ISAS(X) \
    X(scalar, 0) \
    X(avx2, FC_CPU_AVX2) \
    FC_AVX512_ISAS(X) \
    FC_AMX_ISA(X)
#elif defined(__aarch64__)
#define FC_ISAS(X) \
    X(scalar, 0) \
    X(neon, FC_CPU_NEON)
#else
#define FC_ISAS(X) X(scalar, 0)
#endif

#endif
