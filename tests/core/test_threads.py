"""How many threads a call uses, and that it leaves threads, OpenMP and the floating-point mode of others alone."""

from __future__ import annotations

import contextvars
import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading

import calls
import children
import numpy as np
import pytest
import reference
import watching
from names import FLOAT_DTYPES, METRICS, each_float

CPUS = len(os.sched_getaffinity(0))
NO_QUOTA = sys.maxsize
UNSET = {"OMP_NUM_THREADS": None, "OMP_THREAD_LIMIT": None}


def default_threads():
    import fastclf

    return fastclf.show_config("dicts")["n_threads"]


def right_and_most_threads(n_threads):
    """Whether an answer is right, and how many threads were added to find it."""
    import fastclf

    rng = np.random.default_rng(3)
    Q, X = rng.integers(0, 256, (400, 64), dtype=np.uint8), rng.integers(0, 256, (2000, 64), dtype=np.uint8)
    before, most = watching.thread_count(), 0
    for _ in range(10):
        table, count = watching.most_threads(lambda: fastclf.pairwise_distances(Q, X, metric="l1", n_threads=n_threads))
        most = max(most, count)
    return bool(np.array_equal(table[:3], reference.l1(Q[:3], X))), most - before


# --- the default


def default_after_the_affinity_changes():
    before = default_threads()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return [before, default_threads()]


@pytest.mark.skipif(CPUS < 2, reason="needs two CPUs")
def test_default_follows_affinity(unlimited):
    """That of the moment, not the one at import."""
    assert children.result(default_after_the_affinity_changes, env=UNSET) == [unlimited, 1]


@pytest.fixture(scope="module")
def unlimited():
    return children.result(default_threads, env=UNSET)


def test_default_is_within_the_cpus(unlimited):
    assert 1 <= unlimited <= CPUS


def test_default_follows_omp_num_threads():
    assert children.result(default_threads, env=UNSET | {"OMP_NUM_THREADS": "1"}) == 1


@pytest.mark.parametrize("value", ["1000", "0", "abc"])
def test_default_passes_over_an_omp_num_threads_that_is_too_large_or_no_number(value, unlimited):
    assert children.result(default_threads, env=UNSET | {"OMP_NUM_THREADS": value}) == unlimited


def test_a_thread_limit_of_one_is_kept():
    assert children.result(right_and_most_threads, 2, env=UNSET | {"OMP_THREAD_LIMIT": "1"}) == [True, 0]


def test_a_call_may_ask_for_more_than_omp_num_threads():
    right, added = children.result(right_and_most_threads, 2, env=UNSET | {"OMP_NUM_THREADS": "1"})
    assert right
    assert added == 1


def default_under_threadpoolctl():
    from threadpoolctl import threadpool_limits

    import fastclf  # noqa: F401 -- its OpenMP has to be there when the limit is set

    before = default_threads()
    with threadpool_limits(1):
        inside = default_threads()
    return [before, inside, default_threads()]


def test_threadpoolctl_is_respected():
    from fastclf import _native

    if not _native.has_openmp():
        pytest.skip("threadpoolctl knows no threads but OpenMP's")
    before, inside, after = children.result(default_under_threadpoolctl, env=UNSET)
    assert (inside, after) == (1, before)


# --- control groups


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


V1, V2 = "5:cpu,cpuacct:/job\n0::/\n", "0::/outer/inner\n"
GROUPS = {
    "v2, here": (V2, {"outer/inner/cpu.max": "150000 100000"}, 2),
    "v2, above": (V2, {"outer/cpu.max": "300000 100000", "outer/inner/cpu.max": "max 100000"}, 3),
    "v2, the smaller": (V2, {"outer/cpu.max": "300000 100000", "outer/inner/cpu.max": "400000 100000"}, 3),
    "v2, at the root": (V2, {"cpu.max": "100000 100000"}, 1),
    "v2, under one CPU": (V2, {"outer/inner/cpu.max": "1000 100000"}, 1),
    "v2, max": (V2, {"outer/inner/cpu.max": "max 100000"}, NO_QUOTA),
    "v2, not in this group": (V2, {"other/cpu.max": "100000 100000"}, NO_QUOTA),
    "v2, not a quota": (V2, {"outer/inner/cpu.max": "what"}, NO_QUOTA),
    "v1": (V1, {"cpu/job/cpu.cfs_quota_us": "250000", "cpu/job/cpu.cfs_period_us": "100000"}, 3),
    "v1, above": (V1, {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
    "v1, none": (V1, {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, NO_QUOTA),
    "v1, other controllers": (
        "4:cpuset:/job\n",
        {"cpu/job/cpu.cfs_quota_us": "100000", "cpu/job/cpu.cfs_period_us": "100000"},
        NO_QUOTA,
    ),
    "no files": (V2, {}, NO_QUOTA),
    "no groups": ("", {}, NO_QUOTA),
}


@pytest.mark.parametrize("name", list(GROUPS))
def test_quotas_of_control_groups(name, tmp_path):
    from fastclf._shared.threads import cgroup_cpus

    membership, files, expected = GROUPS[name]
    write(tmp_path / "self", membership)
    for path, text in files.items():
        write(tmp_path / "fs" / path, text + "\n")
    assert cgroup_cpus(tmp_path / "fs", tmp_path / "self") == expected


def test_no_control_groups_at_all(tmp_path):
    from fastclf._shared.threads import cgroup_cpus

    assert cgroup_cpus(tmp_path / "fs", tmp_path / "none") == NO_QUOTA


# --- what the user says


@pytest.fixture
def resolve():
    import fastclf
    from fastclf._shared import threads as _threads

    yield lambda: _threads.resolve(None)
    fastclf.set_num_threads(None)


def test_the_innermost_setting_counts(resolve):
    import fastclf

    default = resolve()
    fastclf.set_num_threads(7)
    assert resolve() == 7
    with fastclf.threads(3):
        with fastclf.threads(5):
            assert resolve() == 5
        assert resolve() == 3
        fastclf.set_num_threads(9)
        assert resolve() == 3
    assert resolve() == 9
    fastclf.set_num_threads(None)
    assert resolve() == default


def test_a_setting_ends_with_its_block_even_by_an_exception(resolve):
    import fastclf

    default = resolve()
    with pytest.raises(KeyError), fastclf.threads(default + 1):
        raise KeyError
    assert resolve() == default


def test_threads_is_for_this_python_thread_and_set_num_threads_for_all(resolve):
    import fastclf

    found = []
    default = resolve()

    def ask():
        thread = threading.Thread(target=lambda: found.append(contextvars.Context().run(resolve)))
        thread.start()
        thread.join()

    with fastclf.threads(default + 3):
        ask()
    fastclf.set_num_threads(default + 5)
    ask()
    assert found == [default, default + 5]


def test_concurrent_blocks_do_not_mix(resolve):
    import fastclf

    together = threading.Barrier(4)
    found = {}

    def ask(n):
        with fastclf.threads(n):
            together.wait()
            found[n] = resolve()
            together.wait()

    threads = [threading.Thread(target=ask, args=(n,)) for n in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1: 1, 2: 2, 3: 3, 4: 4}


REFUSED = [
    (0, ValueError, "n must be at least 1, got 0"),
    (-1, ValueError, "n must be at least 1, got -1"),
    (True, TypeError, "n must be an int, got True"),
    (1.0, TypeError, "n must be an int, got 1.0 of type float"),
    ("2", TypeError, "n must be an int, got '2'"),
]


@pytest.mark.parametrize(("value", "error", "message"), REFUSED)
def test_what_is_no_number_of_threads_is_refused(resolve, value, error, message):
    import fastclf

    default = resolve()
    with pytest.raises(error, match=message):
        fastclf.set_num_threads(value)
    with pytest.raises(error, match=message), fastclf.threads(value):
        pass
    assert resolve() == default


def test_a_million_threads_are_asked_for_and_few_started():
    right, added = children.result(right_and_most_threads, 10**6)
    assert right
    assert added <= 8 * (os.cpu_count() or 1)


# --- others are left alone


def openmp_settings():
    from threadpoolctl import threadpool_info

    return sorted((pool["filepath"], pool["num_threads"]) for pool in threadpool_info() if pool["user_api"] == "openmp")


def settings_before_and_after_use():
    import sklearn.neighbors  # noqa: F401 -- brings an OpenMP of its own

    import fastclf

    before = openmp_settings()
    fastclf.set_num_threads(1)
    for n_threads in (1, 2, 3):
        right_and_most_threads(n_threads)
    with fastclf.threads(2):
        right_and_most_threads(None)
    return [before, openmp_settings()]


def test_openmp_settings_of_all_libraries_stay():
    before, after = children.result(settings_before_and_after_use, env=UNSET)
    assert before
    assert after == before


def state():
    return {
        "threads": watching.thread_count(),
        "handlers": {s.name: str(signal.getsignal(s)) for s in signal.valid_signals() if isinstance(s, signal.Signals)},
        "environment": dict(os.environ),
        "arithmetic": [(a / b).hex() for a, b in ((1, 3), (-1, 3), (sys.float_info.min, 2), (5e-324, 1))],
    }


def state_before_and_after_import():
    before = state()
    import fastclf
    from fastclf import _native

    assert fastclf.__version__
    assert _native.isas()
    return [before, state()]


def test_importing_changes_nothing():
    before, after = children.result(state_before_and_after_import)
    assert after == before


# --- the floating-point mode

MODE = """
#include <immintrin.h>
unsigned get_mode(void) { return _mm_getcsr(); }
void set_mode(unsigned mode) { _mm_setcsr(mode); }
"""
FLUSH, UPWARD = 0x8040, 0x4000
NORMAL = 0x1F80
EXCEPTION_FLAGS = 0x3F


@pytest.fixture(scope="module")
def mode_library(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None or os.uname().machine != "x86_64":
        pytest.skip("needs a C compiler on x86-64")
    folder = tmp_path_factory.mktemp("mode")
    (folder / "mode.c").write_text(MODE)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(folder / "mode.so"), str(folder / "mode.c")]
    subprocess.run(command, check=True)
    return str(folder / "mode.so")


def subnormals(dtype):
    rng = np.random.default_rng(5)
    smallest = np.finfo(dtype).smallest_subnormal
    return [rng.integers(0, 1000, (rows, 10)).astype(dtype) * smallest for rows in (300, 3000)]


def answers_in_mode(library, mode, dtype):
    """Answers on subnormal values with the mode set in this thread, and the modes that the calls leave."""
    from fastclf import _native

    Q, X = subnormals(dtype)
    table = np.empty((4, len(X)))
    helper = ctypes.CDLL(library)
    answers, modes = {}, set()
    cases = [("l1", 1, 300), ("l1", 2, 300), *((metric, 1, 2) for metric in METRICS)]
    for metric, n_threads, queries in cases:
        some = X[: 1000 if n_threads > 1 else 150]  # each pair is refined, slowly if it is subnormal
        out, apart = calls.outputs(queries, 5), calls.outputs(len(some), 5)
        helper.set_mode(mode)
        calls.knn(metric, Q[:queries], X, 5, n_threads=n_threads, out=out)
        _native.pairwise(metric, Q[:4], X, n_threads, table)
        _native.knn_across_groups(metric, some, np.arange(len(some)) % 3, None, False, n_threads, *apart)
        modes.add(helper.get_mode() & ~EXCEPTION_FLAGS)
        helper.set_mode(NORMAL)
        digests = [hashlib.sha256(a.tobytes()).hexdigest() for a in (*out, table, *apart)]
        answers[f"{metric}, {n_threads} threads, {queries} queries"] = digests
    return [answers, sorted(modes)]


@pytest.fixture(scope="module", params=FLOAT_DTYPES)
def dtype_and_answers(request, mode_library):
    return request.param, children.result(answers_in_mode, mode_library, NORMAL, request.param)[0]


@pytest.mark.parametrize("mode", [NORMAL | FLUSH, NORMAL | UPWARD], ids=["flush", "upward"])
def test_answers_do_not_depend_on_the_floating_point_mode(mode_library, mode, dtype_and_answers):
    dtype, expected = dtype_and_answers
    answers, modes = children.result(answers_in_mode, mode_library, mode, dtype)
    assert answers == expected
    assert modes == [mode]


@each_float
def test_subnormal_distances_are_right(dtype):
    import fastclf

    Q, X = (a[:20] for a in subnormals(dtype))
    found = fastclf.pairwise_distances(Q, X, metric="l1")
    assert (found > 0).all()
    np.testing.assert_array_equal(found, reference.l1(Q, X))
