"""Searches for neighbours."""

from __future__ import annotations

import numpy as np

import fastclf
from fastclf.bench import cases


class Search:
    """Of many queries and of one, and what fitting takes."""

    params = (("l1", "l2"), tuple(cases.VALUES))
    param_names = ("metric", "values")

    def setup(self, metric, values):
        self.X, self.Q = cases.made(10_000, 256).as_values(values)
        self.y = np.arange(len(self.X)) % 10
        self.model = fastclf.KNN(k=7, metric=metric).fit(self.X, self.y)

    def time_fit(self, metric, values):
        fastclf.KNN(k=7, metric=metric).fit(self.X, self.y)

    def time_many_queries(self, metric, values):
        self.model.kneighbors(self.Q)

    def time_one_query(self, metric, values):
        self.model.kneighbors(self.Q[:1])

    def peakmem_many_queries(self, metric, values):
        self.model.kneighbors(self.Q)


class CrossValidation:
    """Of several k at once."""

    def setup(self):
        data = cases.made(3000, 64)
        self.X, self.y = data.X, data.y

    def time_five_folds(self):
        fastclf.KNNCV(ks=(1, 3, 5, 7), metrics=("l2",), cv=5).fit(self.X, self.y)
