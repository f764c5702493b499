"""Programs of other packages that need neighbours: what they make of those that a module's classes find.

Each is a function of a module with scikit-learn's names, of rows and of their classes, and returns arrays. The first
ones are consumers of a search: imbalanced-learn, UMAP, scikit-learn's manifolds and clusterings. The others retell
programs of scikit-learn's gallery.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Program = Callable[[Any, np.ndarray, np.ndarray], Any]

# --- consumers --------------------------------------------------------------------------------------------------------


def smote(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    from imblearn.over_sampling import SMOTE

    return SMOTE(random_state=0, k_neighbors=neighbors.NearestNeighbors(n_neighbors=6)).fit_resample(X, y)


def edited_nearest_neighbours(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    from imblearn.under_sampling import EditedNearestNeighbours

    return EditedNearestNeighbours(n_neighbors=neighbors.NearestNeighbors(n_neighbors=4)).fit_resample(X, y)


def near_miss(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    from imblearn.under_sampling import NearMiss

    return NearMiss(n_neighbors=neighbors.NearestNeighbors(n_neighbors=3)).fit_resample(X, y)


def umap(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    from umap import UMAP

    distances, indices = neighbors.NearestNeighbors(n_neighbors=15).fit(X).kneighbors(X)
    search = UMAP(random_state=0, n_jobs=1, n_epochs=20, init="random", precomputed_knn=(indices, distances, None))
    return [search.fit_transform(X)]


def tsne(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    from sklearn.manifold import TSNE

    graph = neighbors.KNeighborsTransformer(n_neighbors=31).fit_transform(X)
    return [TSNE(metric="precomputed", perplexity=10, init="random", random_state=0, max_iter=250).fit_transform(graph)]


def isomap(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    from sklearn.manifold import Isomap
    from sklearn.pipeline import make_pipeline

    search = neighbors.KNeighborsTransformer(n_neighbors=20)
    return [make_pipeline(search, Isomap(n_neighbors=20, metric="precomputed")).fit_transform(X)]


def spectral_clustering(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    from sklearn.cluster import SpectralClustering

    graph = neighbors.KNeighborsTransformer(mode="connectivity", n_neighbors=20).fit_transform(X)
    cluster = SpectralClustering(4, affinity="precomputed_nearest_neighbors", n_neighbors=20, random_state=0)
    return [cluster.fit_predict(graph)]


def dbscan(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    from sklearn.cluster import DBSCAN

    radius = float(np.median(np.linalg.norm(X - X.mean(axis=0), axis=1))) / 2
    search = neighbors.NearestNeighbors(radius=radius).fit(X)
    graph = search.radius_neighbors_graph(X, mode="distance", sort_results=True)
    return [DBSCAN(eps=radius, metric="precomputed", min_samples=10).fit_predict(graph)]


def hdbscan(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    from sklearn.cluster import HDBSCAN

    graph = neighbors.NearestNeighbors(n_neighbors=len(X) // 4).fit(X).kneighbors_graph(X, mode="distance")
    cluster = HDBSCAN(metric="precomputed", min_samples=5, copy=True).fit(graph.maximum(graph.T))
    return cluster.labels_, cluster.probabilities_


def local_outlier_factor(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    from sklearn.neighbors import LocalOutlierFactor

    graph = neighbors.KNeighborsTransformer(n_neighbors=20).fit_transform(X)
    outliers = LocalOutlierFactor(n_neighbors=20, metric="precomputed").fit(graph)
    return [outliers.negative_outlier_factor_]


def label_spreading(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    from sklearn.semi_supervised import LabelSpreading

    def graph(rows: np.ndarray, others: np.ndarray) -> Any:
        return neighbors.NearestNeighbors(n_neighbors=7).fit(rows).kneighbors_graph(others)

    few = np.where(np.arange(len(y)) % 10 == 0, y, -1)
    return [LabelSpreading(kernel=graph).fit(X, few).label_distributions_]


CONSUMERS: dict[str, Program] = {
    "SMOTE": smote,
    "EditedNearestNeighbours": edited_nearest_neighbours,
    "NearMiss": near_miss,
    "UMAP": umap,
    "TSNE": tsne,
    "Isomap": isomap,
    "SpectralClustering": spectral_clustering,
    "DBSCAN": dbscan,
    "HDBSCAN": hdbscan,
    "LocalOutlierFactor": local_outlier_factor,
    "LabelSpreading": label_spreading,
}

# --- scikit-learn's gallery, retold -----------------------------------------------------------------------------------


def classification(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Decision regions by both kinds of weights: plot_classification."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model = Pipeline([("scaler", StandardScaler()), ("knn", neighbors.KNeighborsClassifier(n_neighbors=11))])
    return [model.set_params(knn__weights=w).fit(X[:, :2], y).predict(X[::2, :2]) for w in ("uniform", "distance")]


def regression(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    """A curve through noise: plot_regression."""
    x, grid = X[:, :1], np.linspace(X[:, 0].min(), X[:, 0].max(), 500)[:, np.newaxis]
    models = [neighbors.KNeighborsRegressor(5, weights=weights) for weights in ("uniform", "distance")]
    return [model.fit(x, np.sin(x).ravel()).predict(grid) for model in models]


def face_completion(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    """One half of each row from the other: plot_multioutput_face_completion."""
    half = X.shape[1] // 2
    return [neighbors.KNeighborsRegressor().fit(X[::2, :half], X[::2, half:]).predict(X[1::2, :half])]


def caching(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """A graph that is computed once for several k: plot_caching_nearest_neighbors.

    The classifier after the graph is scikit-learn's: it is given distances, not rows.
    """
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline

    graph = neighbors.KNeighborsTransformer(n_neighbors=9, mode="distance")
    model = Pipeline([("graph", graph), ("classifier", KNeighborsClassifier(metric="precomputed"))])
    search = GridSearchCV(model, {"classifier__n_neighbors": [1, 3, 5, 9]}, cv=3).fit(X, y)
    return [search.cv_results_["mean_test_score"]]


def grid_search(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Parameters by their names in a pipeline, in two jobs: plot_digits_pipe and others."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model = Pipeline([("scaler", StandardScaler()), ("knn", neighbors.KNeighborsClassifier())])
    grid = {"knn__n_neighbors": [3, 7], "knn__p": [1, 2], "knn__weights": ["uniform", "distance"]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
    return search.cv_results_["mean_test_score"], search.predict(X)


def components_analysis(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Neighbours after a learned projection: plot_nca_classification."""
    from sklearn.neighbors import NeighborhoodComponentsAnalysis
    from sklearn.pipeline import make_pipeline

    projection = NeighborhoodComponentsAnalysis(n_components=2, random_state=0, max_iter=20)
    model = make_pipeline(projection, neighbors.KNeighborsClassifier(n_neighbors=3)).fit(X[::2], y[::2])
    return [model.predict(X[1::2])]


def voting(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """One of several classifiers: plot_voting_decision_regions."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression

    members = [("knn", neighbors.KNeighborsClassifier(n_neighbors=7)), ("linear", LogisticRegression(max_iter=1000))]
    return [VotingClassifier(members, voting="soft").fit(X[::2], y[::2]).predict_proba(X[1::2])]


def bagging(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Many fits on parts of rows and features: the user guide's bagging of neighbours."""
    from sklearn.ensemble import BaggingClassifier

    members = BaggingClassifier(neighbors.KNeighborsClassifier(), max_samples=0.5, max_features=0.5, random_state=0)
    return [members.fit(X[::2], y[::2]).predict_proba(X[1::2])]


def calibration(neighbors: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """Probabilities made right by cross-validation: plot_calibration_multiclass and others."""
    from sklearn.calibration import CalibratedClassifierCV

    model = CalibratedClassifierCV(neighbors.KNeighborsClassifier(n_neighbors=11), cv=3)
    return [model.fit(X[::2], y[::2]).predict_proba(X[1::2])]


def imputation(neighbors: Any, X: np.ndarray, _y: np.ndarray) -> Any:
    """Missing values from those of near rows: plot_iterative_imputer_variants_comparison."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.05, np.nan, X)
    imputer = IterativeImputer(neighbors.KNeighborsRegressor(n_neighbors=15), max_iter=2, tol=1e6, random_state=0)
    return [imputer.fit_transform(holes)]


GALLERY: dict[str, Program] = {
    "classification": classification,
    "regression": regression,
    "face completion": face_completion,
    "caching": caching,
    "grid search": grid_search,
    "components analysis": components_analysis,
    "voting": voting,
    "bagging": bagging,
    "calibration": calibration,
    "imputation": imputation,
}

PROGRAMS = CONSUMERS | GALLERY
