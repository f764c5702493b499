"""What mypy makes of calls: losses are numbers or arrays, with or without gradients, and metrics have their names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastclf import losses

CALLS = """
from typing import Any, assert_type
import numpy as np
from numpy.typing import NDArray
import fastclf
from fastclf import losses
from fastclf.sklearn import NearestNeighbors

each = NDArray[np.float64]
array = NDArray[Any]
pair = tuple[array, array]
linear = tuple[array, array, array | None]
z = np.zeros((2, 2))
"""

# Name -> how it is called, and the gradient's type.
GRADIENTS = dict.fromkeys(set(losses.__all__) - {"softmax", "log_softmax"}, ("z, z", "array"))
GRADIENTS |= {"max_margin": ("z, z", "pair"), "linear_cross_entropy": ("z, z, z", "linear")}
GRADIENTS["linear_hinge"] = GRADIENTS["linear_cross_entropy"]


def checked(code, tmp_path):
    file = tmp_path / "calls.py"
    file.write_text(CALLS + code)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)


@pytest.mark.slow
def test_types_of_losses(tmp_path):
    pytest.importorskip("mypy")
    lines = []
    for name, (arguments, gradient) in GRADIENTS.items():
        call = f"losses.{name}({arguments}"
        lines += [
            f"assert_type({call}), float)",
            f"assert_type({call}, reduction='sum', n_threads=1), float)",
            f"assert_type({call}, reduction='none', sample_weight=[1, 1]), each)",
            f"assert_type({call}, return_grad=True), tuple[float, {gradient}])",
            f"assert_type({call}, reduction='none', return_grad=True, grad_out=None), tuple[each, {gradient}])",
        ]
    run = checked("\n".join(lines), tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
def test_wrong_calls_are_found(tmp_path):
    pytest.importorskip("mypy")
    wrong = [
        "fastclf.knn(z, z, 1, metric='l3')",
        "fastclf.KNN(metric='euclid')",
        "fastclf.KNNCV(metrics=('l3',))",
        "losses.mse(z, z, reduction='max')",
        "losses.cross_entropy(z, z, pos_weight=2)",
        "losses.linear_hinge(z, z, z, z)",
        "NearestNeighbors(2)",
    ]
    run = checked("\n".join(wrong), tmp_path)
    first = CALLS.count("\n") + 1
    told = {int(line.split(":")[1]) for line in run.stdout.splitlines() if ": error: " in line}
    assert told == set(range(first, first + len(wrong))), run.stdout + run.stderr
