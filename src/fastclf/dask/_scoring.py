"""Accuracy of a classifier on rows in chunks: only sums travel."""

from __future__ import annotations

import math
from typing import Any

from sklearn.base import clone

from fastclf._shared import estimators
from fastclf.dask._collections import blocks, blocks_beside, is_lazy
from fastclf.dask._engine import Engine, task
from fastclf.dask._votes import right


class LazyScore(estimators.Classifier):
    """A classifier whose `predict` gives a Dask array for Dask collections."""

    client: Any
    verbose: int

    def __sklearn_clone__(self) -> Any:
        """Return an unfitted copy, with the same client: clients cannot be copied."""
        parameters = {name: clone(value, safe=False) for name, value in self.get_params().items() if name != "client"}
        return type(self)(**parameters, client=self.client)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the accuracy: the share of the rows whose class is predicted.

        Parameters
        ----------
        X : Dask array or data frame, or array-like, of shape (n_queries, n_features)
            Rows.
        y : of shape (n_queries,)
            Their true classes: lazy if X is, or in memory.
        sample_weight : of shape (n_queries,), optional
            Weights of the rows.

        Returns
        -------
        float
            The accuracy, from 0 to 1.

        Raises
        ------
        TypeError, ValueError
            As `predict` does; if `y` or `sample_weight` do not go with X.
        RuntimeError
            If no worker is left.
        """
        if not is_lazy(X):
            return super().score(X, y, sample_weight)
        of_X = blocks(self.predict(X))
        of_y = blocks_beside(X, y, "y")
        weights = [None] * len(of_X) if sample_weight is None else blocks_beside(X, sample_weight, "sample_weight")
        tasks = [task("score", right, *both) for both in zip(of_X, of_y, weights, strict=True)]
        sums = Engine(self.client).compute(tasks, "scoring", self.verbose)
        hit, total = (math.fsum(part) for part in zip(*sums, strict=True))
        if not total > 0:
            raise ValueError("X has no rows, or all weights are zero: there is no accuracy")
        return hit / total
