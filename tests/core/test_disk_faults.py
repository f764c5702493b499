"""Files of models that were cut off are refused; replaced as docs/persistence.md says, they are never mixed."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import re
import signal
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from children import result

from fastclf import KNN, LinearClassifier

PAGE = Path(__file__).parents[2] / "docs" / "persistence.md"
LIMITS, KILLS, SAVES = 20, 40, 100
X = np.random.default_rng(0).normal(size=(300, 4))
LABELS = ("old", "new")


def fitted(label):
    """A model that answers with this label: its file takes some writes."""
    return KNN(1).fit(X, np.full(len(X), label))


def saver():
    """The program of the documentation."""
    (program,) = re.findall(r"^```python\n(import os\n.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = {}
    exec(program, names)
    return names["save"]


def answer(path):
    with open(path, "rb") as file:
        return pickle.load(file).predict(X[:1])[0]


def save_by_pickle(model, path):
    path.write_bytes(pickle.dumps(model))
    return lambda: pickle.loads(path.read_bytes())


def save_by_joblib(model, path):
    joblib.dump(model, path)
    return lambda: joblib.load(path)


def save_to_be_mapped(model, path):
    joblib.dump(model, path)
    return lambda: joblib.load(path, mmap_mode="r")


def save_by_skops(model, path):
    io = pytest.importorskip("skops.io")
    io.dump(model, path)
    return lambda: io.load(path, trusted=io.get_untrusted_types(file=path))


@pytest.mark.parametrize("save", [save_by_pickle, save_by_joblib, save_to_be_mapped, save_by_skops])
@pytest.mark.parametrize("model", [KNN(1), LinearClassifier(max_iter=5, tol=1.0)], ids=lambda m: type(m).__name__)
def test_a_file_that_was_cut_off_is_refused(tmp_path, model, save):
    load = save(model.fit(X[:20], np.arange(20) % 2), tmp_path / "model")
    expected, whole = load().predict(X), (tmp_path / "model").read_bytes()
    accepted = []
    for length in range(0, len(whole), 7 if save is save_by_skops else 1):  # archives take long to open
        (tmp_path / "model").write_bytes(whole[:length])
        with contextlib.suppress(Exception):  # of pickle, joblib, NumPy, zipfile or fastclf
            load()
            accepted.append(length)
    assert accepted == []
    (tmp_path / "model").write_bytes(whole)
    np.testing.assert_array_equal(load().predict(X), expected)


def on_full_disks(folder):
    """What files hold after attempts to replace them, where files may have so many bytes; and what else is there."""
    import resource

    save, path = saver(), Path(folder) / "model"
    save(fitted("old"), path)
    new, most = fitted("new"), path.stat().st_size
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails, then
    refused, hard = 0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for part in range(LIMITS):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most * part // LIMITS, hard))
        try:
            save(new, path)
        except OSError:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    found, left = answer(path), os.listdir(folder)
    save(new, path)
    return refused, found, left, answer(path)


def while_it_is_killed(folder):
    """What files hold after processes that replace them again and again were killed."""
    save, path, models = saver(), Path(folder) / "model", [fitted(label) for label in LABELS]
    save(models[0], path)
    found, rng = [], random.Random(0)
    for _ in range(KILLS):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                while True:
                    for model in reversed(models):
                        save(model, path)
                        os.write(writer, b"saved")
            os._exit(1)
        os.close(writer)
        for _ in range(rng.randrange(1, 3)):  # so that it is in the middle of another one
            os.read(reader, 5)
        time.sleep(rng.uniform(0, 0.01))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)
        found.append(str(answer(path)))
    return found


def replaced_by_threads(folder):
    """What is wrong with a file that two threads replace while it is read."""
    save, path, wrong = saver(), Path(folder) / "model", []
    save(fitted("old"), path)

    def replace(model):
        try:
            for _ in range(SAVES):
                save(model, path)
        except OSError as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=replace, args=[fitted(label)]) for label in LABELS]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        try:
            if answer(path) not in LABELS:
                wrong.append("another answer")
        except (EOFError, ValueError, pickle.UnpicklingError) as error:
            wrong.append(repr(error))
    return wrong


@pytest.mark.skipif(os.name != "posix", reason="needs limits of files")
def test_a_full_disk_leaves_the_old_file(tmp_path):
    assert result(on_full_disks, str(tmp_path)) == [LIMITS, "old", ["model"], "new"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_process_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path):
    assert set(result(while_it_is_killed, str(tmp_path))) == set(LABELS)


def test_threads_may_replace_the_same_file(tmp_path):
    assert replaced_by_threads(tmp_path) == []
