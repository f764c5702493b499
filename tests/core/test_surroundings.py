"""What lies around a call changes no answer: hashes, folders and time zones, little stack, impatient threads."""

from __future__ import annotations

import hashlib
import locale
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import children
import numpy as np
import pytest

import fastclf
from fastclf import KNN, LinearClassifier, WindowClassifier
from fastclf.window import read_vectors


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 8)), rng.integers(0, 3, 200)


def digest(folder="."):
    """A sum over answers of all kinds, and over a saved model."""
    os.chdir(folder)
    X, y = data()
    names = np.array(["a", "b", "c"])[y]
    words = [[f"w{i * j % 7}" for i in range(9)] for j in range(9)]
    model = WindowClassifier(window=1, dim=4, max_iter=2, random_state=0).fit(words, [["x", "y", "z"] * 3] * 9)
    found = [*fastclf.knn(X, X, 5), model.decision_function(words), LinearClassifier().fit(X, names).coef_]
    found += [KNN(3).fit(X, names).predict(X).astype("S1"), np.frombuffer(pickle.dumps(KNN(3).fit(X, y)), np.uint8)]
    found += fastclf.losses.cross_entropy(X, y, return_grad=True)
    return hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in found)).hexdigest()


@pytest.mark.slow
def test_hash_seeds_folders_and_time_zones_change_nothing():
    settings = [{"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu"}, {"LC_ALL": "C", "TZ": ""}]
    found = {children.result(digest, folder, env=env) for env, folder in zip(settings, (".", "/", "/tmp"), strict=True)}
    assert len(found) == 1


def digest_under_the_locale(name=""):
    """With numbers written as the environment says, as programs with windows and menus set it."""
    locale.setlocale(locale.LC_ALL, name)
    return [locale.localeconv()["decimal_point"], digest(), *numbers_of_files()]


def numbers_of_files():
    """What is read of text, and written to it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "vectors")
        file.write_text("a 1.5 1e-3\nb 2.25 1\n")
        return [read_vectors(file)[1].tolist(), repr(KNN(3)), repr(LinearClassifier(l2=0.5))]


def test_a_locale_that_writes_commas_changes_nothing(forks, tmp_path):
    compiler = shutil.which("localedef")
    if compiler is None or not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("the sources of locales are not installed")
    subprocess.run([compiler, "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")], check=True)
    german = {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8", "LANG": None}
    comma, *found = children.result(digest_under_the_locale, env=german)
    point, *expected = forks.result(digest_under_the_locale, "C")
    assert (comma, point) == (",", ".")
    assert found == expected


def in_threads(work, n_threads):
    """What threads that do the same work return; what they raise is raised."""
    found, raised = [], []

    def one():
        try:
            found.append(work())
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=one) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return found


def answers():
    X, y = data()
    model = KNN(3, n_threads=2).fit(X, y)
    loss, gradient = fastclf.losses.hinge(X, y, return_grad=True, n_threads=2)
    return b"".join([model.predict_proba(X).tobytes(), model.kneighbors(X)[0].tobytes(), gradient.tobytes()]), loss


def test_threads_that_take_turns_at_every_chance():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        found = in_threads(answers, 4)
    finally:
        sys.setswitchinterval(before)
    assert found == [answers()] * 4


def test_threads_with_little_stack():
    answers()  # imports take more
    before = threading.stack_size(256 << 10)
    try:
        found = in_threads(answers, 2)
    finally:
        threading.stack_size(before)
    assert found == [answers()] * 2


def test_a_weights_function_may_search_in_turn():
    X, y = data()
    inner = KNN(3, weights="distance").fit(X, y)

    def weights(distances):
        inner.predict(X[:5])
        return np.exp(-distances)

    expected = KNN(5, weights=lambda d: np.exp(-d)).fit(X, y).predict(X)
    np.testing.assert_array_equal(KNN(5, weights=weights).fit(X, y).predict(X), expected)


def test_a_weights_function_without_end_is_an_error():
    X, y = data()

    def weights(distances):
        return model.predict_proba(X[:1]) * distances

    model = KNN(5, weights=weights).fit(X, y)
    with pytest.raises(RecursionError):
        model.predict(X[:1])
    assert KNN(5).fit(X, y).predict(X[:1]).shape == (1,)


def answers_of_daemons_at_the_end():
    """End the process while daemon threads are in the kernels, which nobody waits for."""
    X, y = data()
    X, y = np.tile(X, (15, 8)), np.tile(y, 15)
    model, neighbours = KNN(3, n_threads=2).fit(X, y), np.tile(y[:, np.newaxis], 300)
    calls = [
        lambda: fastclf.knn(X, X, 3, n_threads=2),
        lambda: model.predict(X),
        lambda: fastclf.losses.cross_entropy(X, y, return_grad=True, n_threads=2),
        lambda: fastclf.majority_vote(neighbours, 3),
    ]
    begun = threading.Barrier(len(calls) + 1)

    def work(call):
        call()
        begun.wait()
        while True:
            call()

    for call in calls:
        threading.Thread(target=work, args=(call,), daemon=True).start()
    begun.wait()
    return "the end"


def test_a_process_ends_well_in_the_middle_of_daemons_calls():
    """Of the kernels: the C++ of other libraries, which fits call, may end a process then."""
    for _ in range(3):
        assert children.result(answers_of_daemons_at_the_end) == "the end"


_IN_ANOTHER_INTERPRETER = """
import warnings

warnings.simplefilter("ignore")  # NumPy says that it does not quite support this
import fastclf

assert fastclf.knn([[2.0]], [[0.0], [2.0]], 1)[1] == 1
assert fastclf.losses.mse([[1.0]], [[3.0]]) == 4
print("right", flush=True)
"""


_PROGRAM = """
import sys

if sys.argv[1] == "used before":
    import fastclf
import _xxsubinterpreters as interpreters  # of CPython 3.11 and 3.12

other = interpreters.create(isolated=False)
try:
    interpreters.run_string(other, sys.argv[2])
except interpreters.RunFailedError as error:
    print(error)
interpreters.destroy(other)
"""


@pytest.mark.parametrize(
    ("before", "told"), [("not used before", "right"), ("used before", "this module can only be loaded into one")]
)
def test_only_one_interpreter_of_a_process_has_fastclf(before, told):
    pytest.importorskip("_xxsubinterpreters", reason="interpreters beside the main one have another name")
    command = [sys.executable, "-c", _PROGRAM, before, _IN_ANOTHER_INTERPRETER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
