# The C interface for Cython: include/fastclf_api.h, which says what the functions do.
#
#     from fastclf.c_api cimport FASTCLF_l2, FASTCLF_u8, fastclf_api, fastclf_import
#     cdef const fastclf_api *fastclf = fastclf_import()
#     with nogil:
#         status = fastclf.knn(FASTCLF_l2, FASTCLF_u8, ...)
from libc.stdint cimport int64_t, uint32_t


cdef extern from "fastclf_api.h" nogil:
    enum:
        FASTCLF_API_VERSION
    enum:
        FASTCLF_OK
        FASTCLF_NO_MEMORY
        FASTCLF_NULL_POINTER
        FASTCLF_MISALIGNED
        FASTCLF_BAD_SIZE
        FASTCLF_BAD_K
        FASTCLF_BAD_METRIC
        FASTCLF_BAD_DTYPE
        FASTCLF_BAD_LOSS
        FASTCLF_BAD_THREADS
        FASTCLF_BAD_LABEL
        FASTCLF_BAD_WEIGHT
        FASTCLF_BAD_OPTION
        FASTCLF_NOT_FINITE
        FASTCLF_BAD_ROW
    enum:
        FASTCLF_l1
        FASTCLF_l2
        FASTCLF_cosine
        FASTCLF_sqeuclidean
        FASTCLF_chebyshev
        FASTCLF_inner_product
    enum:
        FASTCLF_u8
        FASTCLF_f32
        FASTCLF_f64
        FASTCLF_i8
        FASTCLF_f16
        FASTCLF_bf16
    enum:
        FASTCLF_mse
        FASTCLF_binary_cross_entropy_with_logits
        FASTCLF_max_margin
        FASTCLF_softmax
        FASTCLF_log_softmax
        FASTCLF_cross_entropy
        FASTCLF_kl_div
        FASTCLF_softmax_mse
        FASTCLF_hinge
        FASTCLF_crammer_singer
    enum:
        FASTCLF_SQUARED
        FASTCLF_OWN_TERM
    enum:
        FASTCLF_BORROW
    ctypedef struct fastclf_index:
        pass
    ctypedef struct fastclf_api:
        uint32_t api_version
        uint32_t size
        const char *(*error_string)(int status) noexcept nogil
        const char *(*version)() noexcept nogil
        const char *(*isa)() noexcept nogil
        int (*max_threads)() noexcept nogil
        int (*knn)(int metric, int dtype, const void *Q, int64_t n_queries, const void *X, int64_t n_rows,
                   int64_t n_features, int64_t k, int n_threads, double *distances, int64_t *indices) noexcept nogil
        int (*pairwise_distances)(int metric, int dtype, const void *Q, int64_t n_queries, const void *X,
                                  int64_t n_rows, int64_t n_features, int n_threads, double *distances) noexcept nogil
        int (*majority_vote)(const int64_t *labels, int64_t n_labels, const int64_t *indices, int64_t n_rows, int64_t k,
                             int64_t n_classes, const double *weights, double *votes, int64_t *winners) noexcept nogil
        int (*index_create)(int metric, int dtype, const void *X, int64_t n_rows, int64_t n_features, int flags,
                            int n_threads, fastclf_index **index) noexcept nogil
        int (*index_search)(const fastclf_index *index, int dtype, const void *Q, int64_t n_queries, int64_t k,
                            int n_threads, double *distances, int64_t *indices) noexcept nogil
        void (*index_free)(fastclf_index *index) noexcept nogil
        int (*loss)(int loss, int dtype, const void *scores, int64_t n_rows, int64_t n_classes, const int64_t *labels,
                    const void *targets, const double *row_weights, const double *class_weights, const double *margins,
                    double parameter, int flags, double scale, int n_threads, double *losses, void *gradient,
                    int64_t *bad_row) noexcept nogil
        int (*linear_scores)(int x_dtype, const void *X, int64_t n_rows, int64_t n_features, int dtype, const void *W,
                             const void *b, int64_t n_classes, int n_threads, void *scores) noexcept nogil
        int (*linear_loss)(int x_dtype, const void *X, int64_t n_rows, int64_t n_features, int dtype, const void *W,
                           const void *b, int64_t n_classes, int loss, const int64_t *labels, const void *targets,
                           const double *row_weights, const double *class_weights, const double *margins,
                           double parameter, int flags, double scale, int n_threads, double *total, double *of_W,
                           double *of_b) noexcept nogil

cdef extern from "fastclf_api.h":
    const fastclf_api *fastclf_import() except NULL
