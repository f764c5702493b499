"""What is chosen by cross-validation: of the k and metrics that are tried, those with the best mean score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set, Sized
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastclf._shared import validation as check
from fastclf._shared.types import Metric
from fastclf.neighbors.voting import Weights, check_weights, check_weights_by

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Means of scores that differ by no more are taken as equal.
_ROUNDING = 1e-12

_MASKED = "masked columns of cv_results_"  # in what is pickled; no attribute has such a name


class Selection:
    """What estimators have in common that choose k and the metric by scores on folds."""

    ks: Sequence[int]
    metrics: Sequence[Metric]
    weights: Weights
    verbose: int

    def __getstate__(self) -> Any:
        """Return what is pickled: lists for masked arrays, as NumPy may crash when it reads damaged ones."""
        state: Any = super().__getstate__()
        results: Any = state.get("cv_results_") if isinstance(state, dict) else None
        columns = results.items() if isinstance(results, dict) else ()
        masked = {name: a for name, a in columns if isinstance(a, np.ma.MaskedArray)}
        if not masked:
            return state
        lists = {name: np.ma.getdata(a).tolist() for name, a in masked.items()}
        kept = {name: (a.dtype.str, np.ma.getmaskarray(a).tolist()) for name, a in masked.items()}
        return {**state, "cv_results_": results | lists, _MASKED: kept}

    def __setstate__(self, state: Any) -> None:
        """Take up what was pickled, with its masked arrays."""
        if isinstance(state, dict) and _MASKED in state:
            state = {**state}
            masked = state.pop(_MASKED)
            results = state.get("cv_results_")
            if isinstance(results, dict) and masked.keys() <= results.keys():
                arrays = {name: np.ma.array(results[name], dtype, mask=mask) for name, (dtype, mask) in masked.items()}
                state["cv_results_"] = results | arrays
        super().__setstate__(state)  # type: ignore[misc]  # of the estimator that this is a part of

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each fold's score by k, with the mean and the standard deviation, by metric.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default axes of a new figure that pyplot does not know of.

        Returns
        -------
        matplotlib.axes.Axes
            The axes; ``ax.figure.savefig(...)`` saves the picture.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from fastclf.plotting import plot_cross_validation

        check_is_fitted(self, "best_estimator_")
        ax = plot_cross_validation(*self._tried, self.cv_scores_, best=(self.best_metric_, self.best_k_), ax=ax)
        if self._score_name:
            ax.set_ylabel(self._score_name)
        return ax

    @property
    def best_params_(self) -> dict[str, Any]:
        """The best "k" and "metric"."""
        check_is_fitted(self, "best_estimator_")
        return {"k": self.best_k_, "metric": self.best_metric_}

    @property
    def _score_name(self) -> str | None:
        """What the scores are, where they are no accuracies."""
        return None

    def _checked_choices(self) -> tuple[list[int], list[Metric]]:
        """Return what to try, if it is sequences of such."""
        ks = [check.neighbor_count(k, name=f"ks[{i}]") for i, k in enumerate(_listed(self.ks, "ks"))]
        metrics = _listed(self.metrics, "metrics")
        check_weights(self.weights)
        for i, metric in enumerate(metrics):
            check_weights_by(check.metric_name(metric, f"metrics[{i}]"), self.weights)
        check.at_least(self.verbose, 0, "verbose")
        return ks, metrics

    def _begin(self, ks: list[int], metrics: list[Metric], n_folds: int) -> None:
        """Make room for scores."""
        self._tried, self.n_splits_ = (ks, metrics), n_folds
        self.cv_scores_ = np.empty((len(metrics), len(ks), n_folds))
        self.best_score_ = -np.inf

    def _is_best(self, place: int) -> bool:
        """Keep what is best of the metric in that place, if nothing of those before is as good."""
        ks, metrics = self._tried
        means = self.cv_scores_[place].mean(axis=1)
        best = int(np.argmax(means > means.max() - _ROUNDING))
        if not means[best] > self.best_score_ + _ROUNDING:
            return False
        self.best_score_, self.best_k_, self.best_metric_ = float(means[best]), ks[best], metrics[place]
        self.best_index_ = best * len(metrics) + place
        return True

    def _tell_results(self) -> None:
        """Say what has come of all."""
        self.cv_results_ = _results(*self._tried, self.cv_scores_)


def _results(ks: list[int], metrics: Sequence[str], scores: NDArray[np.float64]) -> dict[str, Any]:
    """Return scores as GridSearchCV tells them: one candidate after the other, by k, then by metric."""
    params = [{"k": k, "metric": metric} for k in ks for metric in metrics]
    of_candidates = scores.swapaxes(0, 1).reshape(len(params), -1)
    means = of_candidates.mean(axis=1)
    of_each: dict[str, Any] = {
        "param_k": np.ma.masked_array([p["k"] for p in params], mask=False),
        "param_metric": np.ma.masked_array([p["metric"] for p in params], mask=False, dtype=object),
        "params": params,
    }
    of_each |= {f"split{i}_test_score": of_fold for i, of_fold in enumerate(of_candidates.T.copy())}
    ranks = 1 + (means > means[:, np.newaxis] + _ROUNDING).sum(axis=1)
    stds = of_candidates.std(axis=1)
    return of_each | {"mean_test_score": means, "std_test_score": stds, "rank_test_score": ranks.astype(np.int32)}


def _listed(values: Any, name: str) -> list[Any]:
    """`values` as a list, if they have an order, a length, and are any."""
    ordered = isinstance(values, Iterable) and isinstance(values, Sized) and not isinstance(values, Set | Mapping)
    is_text = isinstance(values, str | bytes | bytearray | memoryview)
    if not ordered or is_text or np.ndim(values) != 1 or not len(values):
        raise ValueError(f"{name} must be a sequence of at least one value, got {values!r}")
    return list(values)
