/* lists.h -- the one page that names every metric, dtype, loss and instruction set.  A row here feeds the enums, the
 * tables, the Python names and the tests.
 */
#ifndef FASTCLF_LISTS_H
#define FASTCLF_LISTS_H

/* Element types, narrowest first: a row of X is widened to the dtype of the queries, never narrowed.
 *      name  C type   buffer format
 */
#define FC_DTYPES(X) \
    X(u8, uint8_t, 'B') \
    X(f32, float, 'f') \
    X(f64, double, 'd')

/* Metrics.  A register tile yields P, one inner product of a query with a row, fast and with a bounded error; the
 * filter turns P into bounds on the distance.  What is reported, the exact distance rounded to nearest, is computed
 * anew for the few rows that pass.
 *
 *   name      what Python calls it
 *   tile      inner product: `dot` is sum q*x; `min` is sum min(q, x), as sum |q-x| = sum q + sum x - 2 sum min(q, x)
 *   refine    the sums that the distance is made of: absdiff; sqdiff, of which it is the root; or product, of which it
 *             is 1 less the cosine (isa/distance.inc.h, exact.c)
 *   shift     1: the distance does not change when q and x move together, so that the filter may subtract a centre
 *   degree    scaling q and x by t scales the distance by t to this power
 *   rank      what grows with the distance, from 2P and the sums of both vectors (struct fc_sums: sum, abs, sq)
 *   error     |rank| is off by at most g * error, when every sum is off by a part g of its sum of absolute terms
 *   undo      distance from rank r
 *   length    of the difference of two vectors as sketches see it (stage.h), at distance r; where degree is 0, of the
 *             vectors at unit length
 *   A E B T   rank - g * error <= rank of `limit`, taken apart by row and query: 2P + E(x) * B(q) + T(q) >= A(x)
 *   distance  from that sum s and the vectors' sums of squares qq and xx, in float64: of bytes what is reported where
 *             `refine` is a difference; else within (d / 16 + 16) 2^-52 of it, relative, or absolute where degree is 0
 *
 * Cosine: a zero vector is at distance 1 from everything, as scikit-learn has it.
 */
// clang-format off
#define FC_METRICS(X) \
    X(l1, min, absdiff, 1, 1, \
      /* rank  */ q->sum + x->sum - P2, \
      /* error */ 2 * (q->abs + x->abs), \
      /* undo  */ r, \
      /* length */ r, \
      /* A E B */ x->sum - g * 2 * x->abs, 0, 0, \
      /* T     */ limit - q->sum + g * 2 * q->abs, \
      /* distance */ s) \
    X(l2, dot, sqdiff, 1, 1, \
      /* rank  */ q->sq + x->sq - P2, \
      /* error */ 2 * (q->sq + x->sq), \
      /* undo  */ sqrt(r), \
      /* length */ r, \
      /* A E B */ x->sq - g * 2 * x->sq, 0, 0, \
      /* T     */ limit * limit - q->sq + g * 2 * q->sq, \
      /* distance */ sqrt(s)) \
    X(cosine, dot, product, 0, 0, \
      /* rank  */ 1 - P2 / (2 * sqrt(q->sq) * sqrt(x->sq)), \
      /* error */ 4, \
      /* undo  */ r, \
      /* length */ sqrt(2 * r), \
      /* A E B */ 0, sqrt(x->sq), 2 * (limit - 1 + g * 4) * sqrt(q->sq), \
      /* T     */ 0, \
      /* distance */ qq > 0 && xx > 0 ? fmin(fmax(1 - s / sqrt(qq * xx), 0), 2) : 1)
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

/* Losses that look at the scores of a row together: a function each in isa/softmax.inc.h or isa/hinge.inc.h.  The first
 * two are no losses: they write what they are named after where others write the gradient.
 */
#define FC_ROW_LOSSES(X) \
    X(softmax) \
    X(log_softmax) \
    X(cross_entropy) \
    X(kl_div) \
    X(softmax_mse) \
    X(hinge) \
    X(crammer_singer)

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

/* Instruction sets, worst first; each overrides what it improves and inherits the rest.
 *      name        needs (bits of cpu.h)
 */
#if defined(__x86_64__)
#ifdef FC_NO_AMX /* the compiler has none */
#define FC_AMX_ISA(X)
#else
#define FC_AMX_ISA(X) X(amx, FC_CPU_AVX512 | FC_CPU_VNNI | FC_CPU_AMX)
#endif
#define FC_ISAS(X) \
    X(scalar, 0) \
    X(avx2, FC_CPU_AVX2) \
    X(avx512, FC_CPU_AVX512) \
    X(avx512vnni, FC_CPU_AVX512 | FC_CPU_VNNI) \
    FC_AMX_ISA(X)
#elif defined(__aarch64__)
#define FC_ISAS(X) \
    X(scalar, 0) \
    X(neon, FC_CPU_NEON)
#else
#define FC_ISAS(X) X(scalar, 0)
#endif

#endif
