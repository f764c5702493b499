"""What runs while models and data are read: nothing that a file could have brought along, nor what it names."""

from __future__ import annotations

import struct
import sys

import numpy as np
import pytest

from fastclf import KNN, LinearClassifier, WindowClassifier, datasets
from fastclf.window import read_tagged, read_vectors

# Events of Python's audit hooks that a file must not be able to cause. NumPy parses its headers, which runs nothing.
FORBIDDEN = (
    *("exec", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.", "ctypes.dlopen"),
    "pickle.find_class",
)


def events_of(read, *args):
    """The forbidden events while something is read, again: what is imported at the first time is no part of it."""
    read(*args)
    found, listening = [], True

    def listen(event, _):
        if listening and event.startswith(FORBIDDEN):
            found.append(event)

    sys.addaudithook(listen)  # for good
    read(*args)
    listening = False
    return found


def events_of_code():
    return events_of(exec, "1 + 1")


def test_code_that_is_run_is_seen(forks):
    assert forks.result(events_of_code) == ["exec"]


def events_of_text(folder):
    text, pictures = f"{folder}/text", f"{folder}/pictures"
    return [events_of(read_vectors, text), events_of(read_tagged, text), events_of(datasets.load, pictures)]


def test_readers_run_nothing(forks, tmp_path):
    (tmp_path / "text").write_text("__import__ 1\nos.system 2\n")
    (tmp_path / "pictures").mkdir()
    for name, ndim in (("images", 3), ("labels", 1)):
        header = bytes([0, 0, 8, ndim]) + struct.pack(f">{ndim}I", 50, *[2] * (ndim - 1))
        content = bytes(200) if ndim == 3 else bytes([0, 1] * 25)
        (tmp_path / "pictures" / f"train-{name}-idx{ndim}-ubyte").write_bytes(header + content)
    assert forks.result(events_of_text, str(tmp_path)) == [[], [], []]


def load_by_skops(path):
    import skops.io

    unknown = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith(("fastclf.", "numpy.", "collections.Counter")) for name in unknown), unknown
    return skops.io.load(path, trusted=unknown)


def events_of_models(folder):
    import skops.io

    X, y = np.random.default_rng(0).random((60, 3)), np.arange(60) % 3
    words, tags = [["a", "b", "c"], ["d", "e"]] * 5, [["X", "Y", "X"], ["Y", "X"]] * 5
    models = [KNN(3).fit(X, y), LinearClassifier().fit(X, y)]
    models.append(WindowClassifier(window=1, dim=4, max_iter=2, random_state=0).fit(words, tags))
    found = []
    for model in models:
        skops.io.dump(model, f"{folder}/model")
        found.append(events_of(load_by_skops, f"{folder}/model"))
    return found


def test_models_kept_by_skops_run_nothing(forks, tmp_path):
    pytest.importorskip("skops")
    assert forks.result(events_of_models, str(tmp_path)) == [[], [], []]
