# The C interface within the package, csrc/fastclf.h and models.h.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


cdef extern from "models.h" nogil:
    ctypedef enum fc_metric:
        FC_METRIC_COUNT
    ctypedef enum fc_dtype:
        FC_bf16
        FC_DTYPE_COUNT
    ctypedef enum fc_arithmetic:
        FC_ARITHMETIC_COUNT
    ctypedef enum fc_loss:
        FC_LOSS_COUNT
    ctypedef enum fc_activation:
        FC_ACTIVATION_COUNT
    ctypedef enum fc_status:
        FC_OK
        FC_NO_MEMORY
        FC_INTERRUPTED
        FC_BAD_ARGUMENT
        FC_BAD_ROW
    ctypedef struct fc_matrix:
        const void *data
        size_t rows
        size_t cols
        fc_dtype dtype
    ctypedef struct fc_run:
        int n_threads
        int (*poll)() noexcept nogil

    const char *fc_metric_name(fc_metric metric)
    ctypedef struct fc_metric_traits:
        const char *norm
        int degree
        int at_unit_length
        int has_sketches
        int has_tree
        int is_product
    fc_status fc_metric_traits_of(fc_metric metric, fc_metric_traits *traits)
    double fc_metric_length(fc_metric metric, double distance)
    char fc_dtype_format(fc_dtype dtype)
    fc_arithmetic fc_arithmetic_of(fc_dtype dtype)
    fc_dtype fc_dtype_of(fc_arithmetic in_)
    const char *fc_loss_name(fc_loss loss)
    int fc_loss_has_softmax(fc_loss loss)
    const char *fc_activation_name(fc_activation activation)
    ctypedef struct fc_sketch_terms:
        float residual
        float error
        float step
    ctypedef struct fc_sketch:
        fc_matrix codes
        const fc_sketch_terms *terms
    ctypedef struct fc_sketcher:
        size_t levels
        size_t cols[8]
        const float *directions
        double gram_excess
        const int64_t *feature
        const int64_t *start
        const float *weight
        const double *offset
        float step
        int residual
    ctypedef enum fc_adds:
        FC_ADDS_NOTHING
        FC_ADDS_NUMBERS
        FC_ADDS_FINER
    ctypedef struct fc_stage:
        fc_sketch Q
        fc_sketch X
        fc_adds adds
        double gram_excess
        double unit
        double young_weight
        double cost
    enum:
        FC_MAX_STAGES
    ctypedef struct fc_tally:
        double pairs[1]  # FC_MAX_STAGES + 1
        double seconds[1]
    ctypedef struct fc_search:
        fc_metric metric
        fc_matrix Q
        fc_matrix X
        size_t k
        const float *centre
        const int64_t *own
        const double *limit
        int bytes
        const fc_stage *stages
        size_t n_stages
        double refine_cost
        uint8_t *given_up
        fc_tally *tally
    fc_status fc_sketch_rows(fc_metric metric, const fc_sketcher *how, fc_matrix M, const float *centre, fc_run run,
                             uint8_t **codes, fc_sketch_terms **terms)
    fc_status fc_knn(const fc_search *search, fc_run run, double *distance, int64_t *index)
    enum:
        FC_LEAF_ROWS
        FC_TREE_BOXES
    ctypedef struct fc_tree:
        size_t rows
        const uint32_t *row
        const float *boxes
        const float *leaves
        const float *centre
        double scale
    ctypedef struct fc_tree_tally:
        double leaves
        double refined
    ctypedef struct fc_tree_search:
        fc_metric metric
        const fc_tree *tree
        fc_matrix Q
        fc_matrix X
        size_t k
        const int64_t *own
        const double *limit
        int bytes
        double patience
        double expected
        uint8_t *given_up
        fc_tree_tally *tally
    size_t fc_tree_blocks(size_t rows)
    size_t fc_tree_leaves(size_t rows)
    fc_status fc_tree_make(fc_metric metric, fc_matrix X, const float *centre, fc_run run, double *scale, uint32_t *row,
                           float *boxes, float *leaves)
    fc_status fc_tree_knn(const fc_tree_search *search, fc_run run, double *distance, int64_t *index)
    ctypedef struct fc_across_groups:
        fc_metric metric
        fc_matrix X
        size_t k
        const int64_t *group
        const float *centre
        int bytes
    fc_status fc_knn_across_groups(const fc_across_groups *search, fc_run run, double *distance, int64_t *index)
    ctypedef struct fc_candidates:
        fc_metric metric
        fc_matrix Q
        fc_matrix X
        const int64_t *row
        size_t per_query
        const int64_t *own
    fc_status fc_rerank(const fc_candidates *candidates, size_t k, fc_run run, double *distance, int64_t *index)
    fc_status fc_centre(fc_matrix X, size_t most, float *centre)
    fc_status fc_first_not_finite(fc_matrix matrix, fc_run run, size_t *row)
    fc_status fc_fits_u8(fc_matrix matrix, int (*poll)() noexcept nogil, int *fits)
    fc_status fc_pairwise(fc_metric metric, fc_matrix Q, fc_matrix X, fc_run run, double *distance)
    fc_status fc_vote(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k,
                      size_t n_classes, const double *weights, int (*poll)() noexcept nogil, double *votes,
                      int64_t *winner)
    fc_status fc_vote_prefixes(const int64_t *label, size_t n_labels, const int64_t *index, size_t rows, size_t k,
                               size_t n_classes, const int64_t *prefix, size_t prefixes,
                               int (*poll)() noexcept nogil, int64_t *winner)
    ctypedef enum fc_targets:
        FC_ANY_FINITE
        FC_PARTS
        FC_PROBABILITIES
    ctypedef struct fc_batch:
        fc_loss loss
        fc_matrix scores
        fc_matrix target
        fc_targets targets
        const int64_t *label
        const double *weight
        const double *column
        const double *margins
        double scale
        double label_smoothing
        double margin
        double hinge_width
        double parameter
        int squared
        int own_term
    fc_status fc_losses(const fc_batch *batch, fc_run run, double *loss, double *each, void *gradient, size_t *bad_row)
    ctypedef struct fc_linear:
        fc_matrix X
        fc_arithmetic in_ "in"
        const void *centre
        const void *W
        const void *b
        size_t classes
    fc_status fc_linear_scores(const fc_linear *model, fc_run run, void *scores)
    fc_status fc_linear_loss(const fc_linear *model, const fc_batch *batch, fc_run run, double *loss, double *of_W,
                             double *of_b)
    ctypedef struct fc_strided:
        const void *values
        size_t rows
        size_t cols
        size_t row_step
        size_t col_step
    fc_status fc_matmul(fc_arithmetic in_, const fc_strided *A, const fc_strided *B, const void *bias, int add,
                        fc_run run, void *C, double *row_sums)
    ctypedef struct fc_sparse:
        size_t rows
        size_t values
        const int64_t *start
        const int32_t *index
        const void *value
        fc_dtype dtype
        fc_matrix M
    fc_status fc_sparse_product(const fc_sparse *product, fc_run run, void *out)
    enum:
        FC_SVM_FOURS
    ctypedef struct fc_svm:
        fc_matrix X
        const double *centre
        fc_sparse sparse
        const int64_t *label
        const double *weight
        const double *squares
        const double *margins
        size_t classes
        double l2
        double unit
        int largest
        int squared
    fc_status fc_svm_ascend(const fc_svm *svm, fc_run run, size_t sweeps, unsigned long long seed, double *a, double *W,
                            double *b, size_t *visits)
    ctypedef struct fc_svm_terms:
        const int64_t *label
        const double *weight
        const double *margins
        const double *multipliers
        double width
        int largest
        double *a
        void *scores
        int known
    fc_status fc_svm_lagrangian(const fc_linear *model, const fc_svm_terms *terms, fc_run run, double *value,
                                double *hinges, double *of_W, double *of_b)
    fc_status fc_svm_lagrangian_of_scores(fc_matrix scores, const fc_svm_terms *terms, fc_run run, double *value,
                                          double *hinges)
    enum:
        FC_WINDOW_LAYERS
    ctypedef struct fc_layer:
        size_t outputs
        void *W
        void *b
        void *W_squares
        void *b_squares
    ctypedef struct fc_window_model:
        fc_arithmetic in_ "in"
        size_t words
        size_t dim
        size_t window
        size_t trained
        size_t layers
        void *vectors
        void *squares
        fc_activation activation
        fc_layer layer[2]  # FC_WINDOW_LAYERS
    ctypedef struct fc_windows:
        const int32_t *word
        size_t length
        const int64_t *centre
        size_t n
    fc_status fc_window_scores(const fc_window_model *model, fc_windows windows, fc_run run, void *scores)
    ctypedef struct fc_window_steps:
        fc_windows windows
        const int64_t *label
        const int64_t *corrupt
        const int64_t *corrupt_label
        size_t batch
        double rate
        double l2
        double margin
        const double *weight
    fc_status fc_window_train(const fc_window_model *model, const fc_window_steps *steps, fc_run run, double *objective)
    double fc_total(const double *values, size_t n)
    size_t fc_isa_count()
    const char *fc_isa_name(size_t i)
    int fc_isa_available(size_t i)
    size_t fc_isa_active()
    int fc_isa_use(size_t i)
    int fc_max_threads()
    int fc_has_openmp()
    int fc_was_forked()


# The public one, as a table: src/fastclf/include/fastclf_api.h.
cdef extern from "api/api.h" nogil:
    ctypedef struct fastclf_api:
        pass
    const fastclf_api fc_api_table
    const char *fc_api_name(size_t i)
    const void *fc_api_address(size_t i)
