"""scikit-learn's own tests of its neighbours, as they are installed, with fastclf's classes in the place of its own."""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn import neighbors

import fastclf.sklearn
from fastclf._shared import validation
from fastclf.sklearn._base import KNeighborsMixin

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

SOME_METRICS = (
    "braycurtis|canberra|correlation|dice|hamming|haversine|jaccard|mahalanobis|minkowski|nan_euclidean|precomputed|"
    "rogerstanimoto|russellrao|seuclidean|sokalsneath|sqeuclidean|yule|DM_euclidean"
)
OTHER_METRICS = "|".join(name for name in SOME_METRICS.split("|") if name not in validation.METRIC_NAMES)
FASTCLF = "(KNeighborsClassifier|KNeighborsRegressor|KNeighborsTransformer|NearestNeighbors|RadiusNeighborsClassifier)"

# Reason -> the tests that fail for it: regular expressions of their whole names.
EXPECTED = {
    "metrics that the kernels do not have": [
        rf"test_(kneighbors|radius_neighbors)_brute_backend\[.*-({OTHER_METRICS})\]",
        rf"test_neighbors_metrics\[.*-({OTHER_METRICS})\]",
        rf"test_nan_euclidean_support\[{FASTCLF}-.*\]",
        r"test_(unsupervised_kneighbors|neigh_predictions_algorithm_agnosticity)\[.*DM_euclidean.*(KNeighborsR.*)?\]",
        r"test_pairwise_boolean_distance",
    ],
    "functions as metrics": [r"test_callable_metric", r"test_sparse_metric_callable\[.*\]"],
    "distances that are given instead of rows": [
        r"test_precomputed_(dense|cross_validation|sparse_.*)",
        r"test_radius_neighbors_sort_results\[brute-precomputed\]",
        r"test_pipeline_with_nearest_neighbors_transformer",
    ],
    "sparse rows": [
        r"test_kneighbors_(classifier|regressor)_sparse",
        r"test_neighbors_validate_parameters\[csr_\w+-(KNeighbors|RadiusNeighborsClassifier).*\]",
        r"test_predict_sparse_ball_kd_tree\[.*\]",
        r"test_radius_neighbors_returns_array_of_objects\[.*\]",
        r"test_valid_brute_metric_for_auto_algorithm\[(?!.*-(chebyshev|sqeuclidean)).*\]",
    ],
    "powers of the Minkowski metric other than 1, 2 and infinity": [
        r"test_metric_params_interface",
        rf"test_neighbors_minkowski_semimetric_algo_(warn|error)\[.*-{FASTCLF}\]",
        r"test_nearest_neighbours_works_with_p_less_than_1",
        r"test_unsupervised_radius_neighbors\[.*\]",
    ],
    "a fitted tree or estimator in the place of rows": [r"test_unsupervised_inputs\[.*\]"],
    "the private attribute that says what searches": [r"test_auto_algorithm\[.*\]"],
    "other words of an error": [r"test_nearest_neighbors_validate_params"],
    "of equal rows the lower ones are neighbours, also where all are more than asked for": [
        r"test_k_and_radius_neighbors_duplicates\[.*\]"
    ],
}


def with_classes_swapped():
    """Return scikit-learn's module of tests, for which `sklearn.neighbors` has fastclf's classes."""
    path = Path(neighbors.__file__).parent / "tests" / "test_neighbors.py"
    if not path.exists():
        pytest.skip("this scikit-learn comes without its tests", allow_module_level=True)
    swapped = types.ModuleType("sklearn.neighbors")
    vars(swapped).update(vars(neighbors))
    vars(swapped).update({name: getattr(fastclf.sklearn, name) for name in fastclf.sklearn.__all__})
    spec = importlib.util.spec_from_file_location("sklearn_neighbors_swapped", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "sklearn.neighbors", swapped)
        patch.setattr(sklearn, "neighbors", swapped)
        spec.loader.exec_module(module)
    module.KNeighborsMixin = (module.KNeighborsMixin, KNeighborsMixin)  # what it tells the classes apart by
    return module


TESTS = {name: test for name, test in vars(with_classes_swapped()).items() if name.startswith("test_")}
globals().update(TESTS)


@pytest.fixture(autouse=True)
def expected_to_fail(request):
    for reason, names in EXPECTED.items():
        if any(re.fullmatch(name, request.node.name) for name in names):
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(params=[np.float32, np.float64])
def global_dtype(request):
    return request.param


@pytest.fixture
def global_random_seed():
    return 42


def test_the_tests_are_of_fastclf():
    assert len(TESTS) > 50
    assert vars(sys.modules[fastclf.sklearn.__name__])["NearestNeighbors"] is fastclf.sklearn.NearestNeighbors
