"""Values near the ends of float64: no warning that is not meant, and no answer that is none."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from names import DISTANCES, each_metric

from fastclf import KNN, KNNCV, LinearClassifier
from fastclf.linear.inputs import _HUGE, _SHRINK, _mean
from fastclf.linear.rows import OverflowedError

FAR = 1.7e308
ROWS = np.array([[FAR, -FAR], [-FAR, FAR], [FAR, FAR], [-FAR, -FAR]])
CASES = {
    "both signs": ROWS,
    "one sign": np.abs(ROWS) * [1, 0.5],
    "beside small ones": np.column_stack([ROWS[:, 0], [1.0, 2.0, 3.0, -5.0]]),
    "float32": (np.sign(ROWS) * 3.4e38).astype(np.float32),
}
Y = [0, 1, 0, 1]
each_case = pytest.mark.parametrize("case", CASES)
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@each_case
@each_metric
def test_neighbours_without_a_warning(case, metric):
    rows, labels = CASES[case], [0, 0, 0, 0] if case == "one sign" else Y
    weights = "distance" if metric in DISTANCES else "uniform"
    model = KNN(1, metric=metric, weights=weights).fit(rows, labels)
    assert model.predict(rows).tolist() == labels
    assert model.score(rows, labels) == 1.0


@each_case
def test_folds_without_a_warning(case):
    assert KNNCV([1], cv=2).fit(CASES[case], Y).cv_scores_.shape == (2, 1, 2)


@each_case
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton", "sgd"])
@pytest.mark.parametrize("hold", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fits_end_without_a_warning(case, solver, hold):
    X = hold(CASES[case])
    for fit in (LinearClassifier.fit, LinearClassifier.partial_fit):
        model = LinearClassifier(solver=solver, max_iter=50, random_state=0)
        with contextlib.suppress(OverflowedError):
            assert np.isfinite(fit(model, X, Y).coef_).all()


@each_case
def test_probabilities_of_scores_beyond_the_range(case):
    model = LinearClassifier(l2=1e-3).fit([[-1.0, -1.0], [1.0, 2.0]], [0, 1])
    found = model.predict_proba(CASES[case])
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == model.predict(CASES[case])).all()


def test_the_middle_of_far_values():
    for rows in (ROWS, ROWS[:3], np.repeat(ROWS[:1], 2000, axis=0)):
        assert np.abs(rows).max() > _HUGE
        exact = [float(sum(map(Fraction, column)) / len(rows)) for column in rows.T.tolist()]
        np.testing.assert_allclose(_mean(rows, _SHRINK), exact, rtol=1e-15, atol=FAR * 1e-15)


def test_weights_whose_sum_is_beyond_the_range():
    model = KNN(1).fit([[0.0], [1.0], [2.0]], [0, 1, 0])
    found = model.score([[0.0], [1.0], [2.0]], [0, 1, 1], sample_weight=[FAR, FAR / 2, FAR / 2])
    np.testing.assert_allclose(found, 0.75, rtol=1e-15)
    for weight in (None, "balanced"):
        with pytest.raises(ValueError, match=r"sum to inf|must be finite"):
            LinearClassifier(class_weight=weight).fit([[0.0], [1.0], [2.0]], [0, 1, 1], sample_weight=[FAR] * 3)
