"""The main job, run as users run it."""

from __future__ import annotations

import runpy
import subprocess
import sys

import numpy as np
import pytest

OPTIONS = ["--k", "1", "3", "--limit", "200", "--penalties", "0.01", "0.1"]


def run(*arguments, cwd, before=""):
    code = f"{before}\nimport runpy, sys\nsys.argv[0] = 'fastclf'\nrunpy.run_module('fastclf', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def write_cifar(folder, rng):
    for name, n in (("data_batch_1", 60), ("test_batch", 20)):
        records = rng.integers(0, 256, (n, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(n) % 10
        records.tofile(folder / f"{name}.bin")


def test_digits(tmp_path):
    done = run(*OPTIONS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "200 training and 200 test rows of 64 bytes" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("l1 ", "l2 ")) and "+-" in line]
    assert [(row[0], row[1]) for row in rows] == [("l1", "1"), ("l1", "3"), ("l2", "1"), ("l2", "3")]
    accuracies = [float(row[2]) for row in rows]
    chosen = [float(row[2]) for row in rows if row[-1] == "chosen"]
    assert chosen == [max(accuracies)]
    assert max(accuracies) > 0.8
    compared = [line for line in done.stdout.splitlines() if line.startswith(("fastclf ", "scikit-learn b"))]
    assert [line.split()[0] for line in compared] == ["fastclf"] * 3 + ["scikit-learn"]
    assert all(line.endswith("200 of 200") for line in compared[:2])  # the tree is exact
    linear = [line.split() for line in done.stdout.splitlines() if line.startswith(("softmax ", "hinge "))]
    assert [row[0] for row in linear] == ["softmax"] * 2 + ["hinge"] * 2
    assert [row[-1] for row in linear].count("chosen") == 2
    tested = [line for line in done.stdout.splitlines() if line.startswith(("kNN, ", "softmax, ", "hinge, "))]
    assert len(tested) == 3
    assert min(float(line.split()[-1]) for line in tested) > 0.8
    pictures = ("cross_validation", "penalties", "neighbors", "templates_softmax", "templates_hinge", "loss_curves")
    for picture in pictures:
        assert (tmp_path / "out" / f"{picture}.png").stat().st_size > 1000


def test_a_directory_of_pictures(tmp_path, rng):
    write_cifar(tmp_path, rng)
    done = run(
        "--data", str(tmp_path), "--out", "plots", "--metrics", "cosine", "--k", "1", "--penalties", "100", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "60 training and 20 test rows of 3072 bytes" in done.stdout
    assert (tmp_path / "plots" / "neighbors.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "nowhere: no such directory"),
        (["--out", "/dev/null/plots"], "/dev/null"),
        (["--limit", "0"], "--limit must be at least 1, got 0"),
        (["--k", "0"], "ks[0] >= 1, got ks[0] = 0"),
        (["--k", "5000"], "the largest of ks = 5000"),
        (["--folds", "1"], "k-fold cross-validation requires at least one train/test split"),
        (["--metrics", "l3"], "invalid choice: 'l3'"),
    ],
)
def test_bad_arguments_end_with_a_message(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fastclf", *arguments])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("fastclf", run_name="__main__")
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_without_optional_packages(tmp_path):
    names = ("tqdm", "matplotlib", "matplotlib.figure", "faiss")
    absent = "import sys\n" + "\n".join(f"sys.modules[{name!r}] = None" for name in names)
    done = run(*OPTIONS, cwd=tmp_path, before=absent)
    assert done.returncode == 0, done.stderr
    assert "cross-validation: 200 of 400" in done.stderr
    assert "validating: softmax (1 of 2)" in done.stderr
    assert "pip install fastclf[plot]" in done.stdout
    assert "pip install fastclf[faiss]" in done.stdout
    assert "faiss, recall" not in done.stdout
    assert not (tmp_path / "out" / "neighbors.png").exists()
