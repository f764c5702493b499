"""scikit-learn's own checks of every estimator that the package exports, none waived."""

from __future__ import annotations

import inspect
import warnings

import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastclf
import fastclf.sklearn

ESTIMATORS = [
    member
    for module in (fastclf, fastclf.sklearn)
    for member in (getattr(module, name) for name in module.__all__)
    if inspect.isclass(member) and issubclass(member, BaseEstimator)
]


def test_there_are_estimators():
    assert {fastclf.KNN, fastclf.sklearn.NearestNeighbors} < set(ESTIMATORS)


with warnings.catch_warnings():
    # WindowClassifier takes sentences: scikit-learn skips the checks that pass matrices, and says so.
    warnings.simplefilter("ignore", SkipTestWarning)
    every_check = parametrize_with_checks([estimator() for estimator in ESTIMATORS])


def test_only_sentences_are_no_arrays():
    takes_arrays = {estimator: get_tags(estimator()).input_tags.two_d_array for estimator in ESTIMATORS}
    assert [estimator for estimator, takes in takes_arrays.items() if not takes] == [fastclf.WindowClassifier]


@every_check
@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings; those that matter they look for themselves
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters_are_keywords_and_kept_as_they_are(estimator):
    parameters = inspect.signature(estimator).parameters
    for name, parameter in parameters.items():
        given = object()
        assert getattr(estimator(**{name: given}), name) is given
        assert parameter.default is not inspect.Parameter.empty
