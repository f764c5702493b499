"""Fits of linear classifiers."""

from __future__ import annotations

import numpy as np

import fastclf
from fastclf.bench import cases


class Fit:
    """With the defaults."""

    params = ("softmax", "hinge")
    param_names = ("loss",)

    def setup(self, loss):
        data = cases.made(3000, 64)
        self.X, self.y = (data.X / np.float32(255)).astype(np.float32), data.y

    def time_fit(self, loss):
        fastclf.LinearClassifier(loss, l2=1e-2).fit(self.X, self.y)
