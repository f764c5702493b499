"""Memory: what a call takes beside its inputs, more elements than 32 bits count, and what happens without any."""

from __future__ import annotations

import contextlib
import resource

import calls
import children
import large
import numpy as np
import pytest
import reference

import fastclf
from fastclf import KNN, LinearClassifier, WindowClassifier

MIB = 1 << 20


def status(field):
    """A memory figure of this process, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field + ":"))


def peak_of(call):
    """Bytes that `call` needed at its peak beyond what was in use before."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    kept = call()
    peak = status("VmHWM") - before
    del kept
    return peak


# --- the peak

# With these the C library hands back at once what is freed, so that all that is in use is seen.
NO_FREE_HEAP = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


@pytest.fixture(scope="module")
def measuring():
    """A process whose forks measure memory."""
    with children.Worker(NO_FREE_HEAP, in_forks=True) as one:
        yield one


# nq, n, d, k, dtype of the rows, dtype of the queries, threads, order of the queries
PEAKS = [
    (2000, 10000, 32, 7, "float32", "float32", 1, "C"),
    (2000, 10000, 32, 7, "float32", "float32", 2, "C"),
    (2000, 10000, 32, 7, "float32", "float32", 4, "C"),
    (20000, 2000, 32, 1, "uint8", "uint8", 2, "C"),
    (300, 20000, 64, 1000, "uint8", "uint8", 4, "C"),
    (300, 20000, 64, 1000, "float64", "float64", 1, "C"),
    (4, 30000, 64, 1000, "float32", "float32", 4, "C"),
    (1, 30000, 64, 7, "float64", "float64", 2, "C"),
    (3000, 3000, 200, 7, "float64", "float64", 2, "C"),
    (60, 100, 50000, 7, "float32", "float32", 2, "C"),
    (3000, 3000, 100, 7, "float64", "float32", 2, "C"),
    (3000, 3000, 100, 7, "float32", "uint8", 2, "C"),
    (3000, 3000, 100, 7, "float32", "int16", 2, "C"),
    (3000, 3000, 100, 7, "float32", "float32", 2, "F"),
]


def fractions(rows, cols, dtype):
    values = np.random.default_rng(rows).integers(-1000 if dtype != "uint8" else 0, 256, (rows, cols))
    return (values / 4).astype(dtype) if np.dtype(dtype).kind == "f" else values.astype(dtype)


def call_for(what, nq, n, d, k, row_dtype, query_dtype, n_threads, order):
    """A call of those sizes, after a small one that has started the threads."""
    Q, X = np.asarray(fractions(nq, d, query_dtype), order=order), fractions(n, d, row_dtype)
    y = np.arange(n) % 10
    assert fastclf.knn(X[:500], X[:500], 1, n_threads=n_threads)
    KNN(k=1, n_threads=n_threads).fit(X[:500], y[:500]).predict(X[:500])
    if what == "knn":
        return lambda: fastclf.knn(Q, X, k, metric="l1", n_threads=n_threads)
    model = KNN(k=k, metric="l1", n_threads=n_threads).fit(X, y)
    return lambda: model.predict(Q)


def peaks():
    """Peaks of all cases, for `knn` and for `predict`."""
    return [[peak_of(call_for(what, *case)) for what in ("knn", "predict")] for case in PEAKS]


@pytest.fixture(scope="module")
def measured_peaks(measuring):
    return dict(zip(PEAKS, measuring.result(peaks), strict=True))


def conversion(nq, d, query_dtype, order):
    """Bytes of the queries where the kernels do not take them as they are."""
    return nq * d * 4 if order == "F" or query_dtype == "int16" else 0


@pytest.mark.parametrize("case", PEAKS, ids=lambda case: "-".join(map(str, case)))
def test_peak(case, measured_peaks):
    nq, _, d, k, _, query_dtype, n_threads, order = case
    allowed = nq * k * 16 + n_threads * 4 * MIB + MIB + conversion(nq, d, query_dtype, order)
    assert max(measured_peaks[case]) <= allowed


def planted_peak(n_bytes):
    np.ones(30 * MIB, np.uint8)  # freed memory that the process keeps would hide what is allocated next
    return peak_of(lambda: np.ones(n_bytes, np.uint8))


@pytest.mark.parametrize("mib", [2, 20])
def test_the_measure_sees_what_is_allocated(measuring, mib):
    assert mib * MIB <= measuring.result(planted_peak, mib * MIB) <= (mib + 1) * MIB


def linear_peak(dtype, solver):
    """Memory of a fit, and of X."""
    X = fractions(200_000, 100, dtype)
    y = np.arange(len(X), dtype=np.int32) % 2
    model = LinearClassifier(solver=solver, max_iter=3, tol=1, random_state=0, n_threads=2)
    model.fit(X[:3000], y[:3000]).predict(X[:3000])
    return peak_of(lambda: model.fit(X, y)), peak_of(lambda: model.predict(X)), X.nbytes


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_a_linear_fit_copies_no_rows(measuring, solver):
    """Bytes are never widened as a whole, which would take 76 MiB; labels and a sample of the rows take some."""
    of_fit, of_predict, _ = measuring.result(linear_peak, "uint8", solver)
    assert of_fit < 24 * MIB
    assert of_predict < 16 * MIB
    of_fit, _, of_X = measuring.result(linear_peak, "float64", solver)
    assert of_fit < 32 * MIB < of_X / 4


def window_peak(loss, n_words, max_iter):
    """Memory of training on so many words."""
    words, tags = [str(i % 997) for i in range(20)], ["a", "b"] * 10
    model = WindowClassifier(3, 50, loss=loss, max_iter=1, n_threads=2).fit([words], [tags])
    sentences, tags = [words] * (n_words // 20), [tags] * (n_words // 20)
    return peak_of(lambda: model.set_params(max_iter=max_iter).fit(sentences, tags))


@pytest.mark.parametrize("loss", ["softmax", "max_margin"])
def test_training_never_holds_the_inputs_of_a_pass(measuring, loss):
    """These would take 7 * 50 * 4 bytes a word; numbers of words, tags and their order take some 50."""
    n_words = 50_000
    once = measuring.result(window_peak, loss, n_words, 1)
    often = measuring.result(window_peak, loss, n_words, 4)
    assert once < 150 * n_words
    assert often < once + MIB


# --- sizes that 32 bits do not hold

MANY = 1 << 31
# rows, cols, dtype: elements just below, at and above 2^31, and offsets of rows beyond 2^32 bytes
LARGE = [
    (65536, 32767, "uint8"),
    (65536, 32768, "uint8"),
    (65537, 32768, "uint8"),
    (131200, 32768, "uint8"),
    (32800, 65536, "float32"),
    (16400, 65536, "float64"),
]


def search_large(rows, cols, dtype, nq, metric):
    """Distances and rows found for ones among zeros, and the memory this took."""
    X = large.zeros(rows, cols, dtype)
    for row, ones in ((rows - 1, 40), (rows - 2, 30), (3, 20)):
        X[row, :ones] = 1
    Q = np.zeros((nq, cols), dtype)
    Q[:, :40] = 1
    found = []
    used = peak_of(lambda: found.extend(calls.knn(metric, Q, X, 5, n_threads=2)))
    distances, rows_found = found
    assert (distances == distances[0]).all()
    assert (rows_found == rows_found[0]).all()
    return [distances[0].tolist(), rows_found[0].tolist(), used]


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "cols", "dtype"), LARGE)
@pytest.mark.parametrize("nq", [2, 5], ids=["pair by pair", "in tiles"])
def test_more_elements_than_32_bits_count(forks, nq, rows, cols, dtype):
    distances, found, used = forks.result(search_large, rows, cols, dtype, nq, "l1", timeout=250)
    ones = np.array([[1] * count + [0] * (40 - count) for count in (40, 30, 20, 0, 0)], np.uint8)
    assert distances == reference.l1(ones[:1], ones)[0].tolist()
    assert found == [rows - 1, rows - 2, 3, 0, 1]
    assert used <= 16 * MIB


def search_many_rows(nq):
    """Search 2^31 + 8 rows of one feature."""
    X = large.zeros(MANY + 8, 1, "uint8")
    X[MANY + 5] = 9
    distances, rows = calls.knn("l1", np.full((nq, 1), 9, np.uint8), X, 2, n_threads=2)
    return [distances.tolist(), rows.tolist()]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_more_rows_than_31_bits_count(forks):
    assert forks.result(search_many_rows, 1, timeout=800) == [[[0.0, 9.0]], [[MANY + 5, 0]]]


# --- no memory


def outcome_under_limit(spare, n_threads, nq):
    """Answer, or MemoryError, with `spare` bytes of address space left; then whether the process still works."""
    Q, X = fractions(2000, 64, "float32"), fractions(5000, 64, "float32")
    out = calls.outputs(nq, 50)
    expected = [a.copy() for a in calls.knn("l1", Q[:nq], X, 50, n_threads=n_threads, out=out)]
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + spare, hard))
    try:
        calls.knn("l1", Q[:nq], X, 50, n_threads=n_threads, out=out)
        found = "answer"
    except MemoryError:
        found = "MemoryError"
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    if found == "answer":
        assert all(np.array_equal(a, b) for a, b in zip(out, expected, strict=True))
    again = calls.knn("l1", Q[:nq], X, 50, n_threads=n_threads)
    assert all(np.array_equal(a, b) for a, b in zip(again, expected, strict=True))
    return found


@pytest.mark.parametrize("nq", [3, 2000])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_memory_running_out_is_an_error_or_does_not_matter(n_threads, nq):
    # In processes of their own: a fork may take what its parent's threads have left.
    found = {spare: children.result(outcome_under_limit, spare, n_threads, nq) for spare in (0, 16 * MIB)}
    assert set(found.values()) <= {"answer", "MemoryError"}
    assert found[16 * MIB] == "answer"
    if nq > 4:
        assert found[0] == "MemoryError"


def large_request_under_limit():
    X = fractions(30000, 8, "float32")
    model = KNN(k=3).fit(X, np.arange(len(X)) % 3)
    expected = model.predict(X[:50])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + 64 * MIB, hard))
    raised = []
    for request in (lambda: model.kneighbors(X, k=20000), lambda: fastclf.pairwise_distances(X, X)):
        try:
            request()
        except MemoryError as error:
            raised.append(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return [len(raised), bool(np.array_equal(model.predict(X[:50]), expected))]


def test_a_request_beyond_the_memory_is_an_error(forks):
    assert forks.result(large_request_under_limit) == [2, True]


def first_threads_without_memory():
    """Use several threads for the first time when there is no room for their stacks."""
    Q, X = fractions(2000, 64, "float32"), fractions(5000, 64, "float32")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + 4 * MIB, hard))
    with contextlib.suppress(MemoryError):
        fastclf.knn(Q, X, 5, metric="l1", n_threads=4)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return len(fastclf.knn(Q, X, 5, metric="l1", n_threads=4)[0])


def test_threads_that_cannot_be_started_do_not_end_the_process(forks):
    assert forks.result(first_threads_without_memory) == 2000


# --- leaks


def small_calls(model, Q, X):
    """Calls of all kinds, some of which raise."""
    model.predict(Q)
    fastclf.knn(Q, X, 5, metric="cosine", n_threads=2)
    fastclf.pairwise_distances(Q, X, n_threads=2)
    fastclf.majority_vote([[0, 1, 1]], 2)
    for wrong in ({"k": 0}, {"k": 5, "metric": "what"}, {"k": len(X) + 1}):
        with contextlib.suppress(ValueError):
            fastclf.knn(Q, X, **wrong)


def growth():
    """Bytes a call by which the process grows, each time that it is looked at: as it is; with a planted leak."""
    Q, X = fractions(40, 16, "float32"), fractions(600, 16, "float32")
    model = KNN(k=3, n_threads=2).fit(X, np.arange(len(X)) % 3)
    repetitions, sizes = 200, []
    leaked = [None] * repetitions
    for leak in (*[0] * 8, 10_000):  # more than what is free in the heap by then
        for i in range(repetitions):
            small_calls(model, Q, X)
            leaked[i] = b"x" * leak
        sizes.append(status("VmRSS"))
    return (np.diff(sizes[1:]) / repetitions).tolist()


def test_many_calls_leak_nothing(measuring):
    *clean, planted = measuring.result(growth)
    assert min(clean) < 64  # what leaks does so each time
    assert planted > 5000
