// Nearest rows and the softmax loss from C++, by pybind11.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include "fastclf_api.h" // after Python.h

namespace py = pybind11;
using Matrix = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Labels = py::array_t<int64_t, py::array::c_style | py::array::forcecast>;

static const fastclf_api *fastclf;

static void check(int status) {
    if (status != FASTCLF_OK) throw py::value_error(fastclf->error_string(status));
}

static py::tuple nearest(Matrix Q, Matrix X, int64_t k) {
    if (Q.ndim() != 2 || X.ndim() != 2 || Q.shape(1) != X.shape(1) || k < 1)
        throw py::value_error("Q and X must be matrices with the same number of features, and k at least 1");
    Matrix distances({Q.shape(0), (py::ssize_t)k});
    Labels indices({Q.shape(0), (py::ssize_t)k});
    const double *q = Q.data(), *x = X.data();
    double *d = distances.mutable_data();
    int64_t *i = indices.mutable_data(), nq = Q.shape(0), n = X.shape(0), features = X.shape(1);
    int status;
    {
        py::gil_scoped_release release;
        status = fastclf->knn(FASTCLF_l2, FASTCLF_f64, q, nq, x, n, features, k, 0, d, i);
    }
    check(status);
    return py::make_tuple(distances, indices);
}

static py::tuple softmax_loss(Matrix scores, Labels y) {
    if (scores.ndim() != 2 || y.ndim() != 1 || y.shape(0) != scores.shape(0))
        throw py::value_error("scores must be a matrix with a label for each row");
    py::array_t<double> losses(scores.shape(0));
    Matrix gradient({scores.shape(0), scores.shape(1)});
    check(fastclf->loss(FASTCLF_cross_entropy, FASTCLF_f64, scores.data(), scores.shape(0), scores.shape(1), y.data(),
                        nullptr, nullptr, nullptr, nullptr, 0, 0, 1, 0, losses.mutable_data(), gradient.mutable_data(),
                        nullptr));
    return py::make_tuple(losses, gradient);
}

PYBIND11_MODULE(nearest, module) {
    fastclf = fastclf_import();
    if (!fastclf) throw py::error_already_set();
    module.def("nearest", nearest);
    module.def("softmax_loss", softmax_loss);
}
