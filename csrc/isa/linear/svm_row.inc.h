/* svm_row.inc.h -- included once: one row's part of the dual problem of a multiclass SVM, solved exactly: sums of
 * clipped lines, whose root is found by Newton's method between bounds.  Needs linear.inc.h.
 *
 * With t = -a_label, stationary a_c of Weston and Watkins [1] are clip(u_c - u_label - t, 0, 1), and t is their sum.
 * Of squared terms they are max(0, u_c - u_label - t) / (1 + soft), with no bound above, and t is their sum again.  Of
 * Crammer and Singer [2], a + e_label is the projection of u + e_label onto the simplex: max(0, u_c - t), which sum to
 * 1.  Each sum, less what it has to be, falls with t and is made of straight pieces.  Newton's method ends on the piece
 * that holds the root; where it leaves the bounds so far, they are halved.
 *
 * [1] Y. Wang and C. Scott, "An exact solver for the Weston-Watkins SVM subproblem", ICML 2021.
 * [2] S. S. Keerthi, S. Sundararajan, K.-W. Chang, C.-J. Hsieh and C.-J. Lin, "A sequential dual method for large scale
 * multi-class linear SVMs", KDD 2008.
 */
enum { MOST_SVM_STEPS = 200 }; /* 64 halvings of doubles are enough; Newton's method between them ends in a few */

/* A sum over classes at t: how far it is above its aim, and how fast it falls. */
typedef struct {
    double above, falls;
} sum_at;

typedef sum_of_four_f64 four;
typedef int64_t flags __attribute__((vector_size(sizeof(four))));

static double clipped(double v, double most) { return v < 0 ? 0 : v > most ? most : v; }

/* a_c as a function of t: rate * clip(u_c - t, 0, most). */
typedef struct {
    double most, rate;
} clipping;

/* Add the sum of the a_c to `from`. */
static sum_at sum_of(const double *u, size_t classes, double t, clipping how, sum_at from) {
    four above = {0};
    flags falls = {0};
    for (size_t c = 0; c < classes; c += 4) {
        four v;
        memcpy(&v, u + c, sizeof v);
        v -= t;
        const flags some = v > 0, less = v < how.most, inside = some & less;
        const four all = (four){0} + how.most;
        above += (four)(((flags)v & inside) | ((flags)all & some & ~less));
        falls -= inside;
    }
    from.above += how.rate * ((above[0] + above[1]) + (above[2] + above[3]));
    from.falls += how.rate * (double)(falls[0] + falls[1] + falls[2] + falls[3]);
    return from;
}

/* The t in [low, high] where the sum is its aim, from a guess on: -t for Weston and Watkins, who sum to t, else -1. */
static double root(const double *u, size_t classes, double t, double low, double high, clipping how, int largest) {
    for (int step = 0; step < MOST_SVM_STEPS; step++) {
        const sum_at from = {largest ? -1 : -t, largest ? 0 : 1}, s = sum_of(u, classes, t, how, from);
        if (s.above > 0)
            low = t;
        else if (s.above < 0)
            high = t;
        else
            break;
        double next = s.falls > 0 ? t + s.above / s.falls : low;
        if (s.falls > 0 && next == t) break; /* as near as rounding lets Newton's method come */
        if (!(next > low && next < high)) next = low + (high - low) / 2;
        if (!(next > low && next < high)) break;
        t = next;
    }
    return t;
}

/* The largest value. */
static double largest_of(const double *u, size_t classes) {
    double most = u[0];
    for (size_t c = 1; c < classes; c++) most = u[c] > most ? u[c] : most;
    return most;
}

static void svm_row(int largest, double soft, size_t classes, size_t label, double *u, double *a) {
    const clipping how = {largest || soft > 0 ? (double)INFINITY : 1, 1 / (1 + soft)};
    const double own = u[label];
    double sum = 0, low = 0, high = (double)(classes - 1);
    for (size_t c = 0; c < classes; c++) u[c] -= own; /* only differences count */
    u[label] = largest ? 1 : -(double)INFINITY;
    for (size_t c = classes; c % 4; c++) u[c] = -(double)INFINITY;
    if (largest || soft > 0) high = largest_of(u, classes); /* there all a_c are 0 */
    if (largest) low = high - 1; /* from below, Newton's method never leaves the bounds: the sum is convex */
    high = high > low ? high : low;
    const double guess = largest ? low : clipped(-a[label], high), t = root(u, classes, guess, low, high, how, largest);
    for (size_t c = 0; c < classes; c++) {
        a[c] = c == label ? 0 : how.rate * clipped(u[c] - t, how.most);
        sum += a[c];
    }
    if (largest && sum > 1) { /* by rounding */
        for (size_t c = 0; c < classes; c++) a[c] /= sum;
        sum = 1;
    }
    a[label] = -sum;
}
