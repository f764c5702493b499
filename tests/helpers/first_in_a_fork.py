"""What a forked child finds whose parent has used threads of OpenMP, before any of this has imported fastclf."""

from __future__ import annotations

import ctypes
import sys

import numpy as np
from children import status_of_fork


def use_openmp():
    """Open a pool of threads in the library that fastclf is built with, as another package would."""
    body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
    ctypes.CDLL("libgomp.so.1").GOMP_parallel(body, None, 2, 0)


def use_sklearn():
    from sklearn.ensemble import HistGradientBoostingClassifier

    X = np.random.default_rng(0).random((4000, 20))
    HistGradientBoostingClassifier(max_iter=2).fit(X, X[:, 0] > 0.5)


def use_faiss():
    import faiss

    X = np.random.default_rng(0).random((20000, 32), dtype=np.float32)
    index = faiss.IndexFlatL2(32)
    index.add(X)
    index.search(X[:2000], 5)


def use_faiss_beside_fastclf():
    import fastclf  # noqa: F401

    use_faiss()


def use_the_faiss_backend():
    assert index_is_right()


def search_is_right():
    import fastclf

    Q, X = np.arange(300 * 64).reshape(300, 64) % 251, np.arange(4000 * 64).reshape(4000, 64) % 251
    distances, _ = fastclf.knn(Q, X, 1, metric="l1", n_threads=2)
    return not distances.any()  # each query is one of the rows


def index_is_right():
    import fastclf

    X = np.random.default_rng(0).random((10000, 16), dtype=np.float32)
    model = fastclf.KNN(k=1, backend="faiss", recall=0.9, n_threads=2).fit(X, np.arange(10000))
    return float(np.mean(model.predict(X[:500]) == np.arange(500))) > 0.8


USES = {f.__name__: f for f in (use_openmp, use_sklearn, use_faiss, use_faiss_beside_fastclf, use_the_faiss_backend)}
ANSWERS = {f.__name__: f for f in (search_is_right, index_is_right)}


def status_of_a_child(use, answer):
    """The exit status of a child that is forked after `use`: 0 if `answer` is right, or "hangs"."""
    assert "fastclf" not in sys.modules
    USES[use]()
    return status_of_fork(ANSWERS[answer], 60)
