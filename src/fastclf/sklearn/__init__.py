"""Neighbours under scikit-learn's names: change the import, keep the program.

The classes take scikit-learn's parameters and have its attributes. They find neighbours as `fastclf.KNN` does. A
request that only scikit-learn's classes can serve raises an error that says what to use
([docs/sklearn.md](docs/sklearn.md)).
"""

from fastclf.sklearn._classification import KNeighborsClassifier
from fastclf.sklearn._radius_classification import RadiusNeighborsClassifier
from fastclf.sklearn._regression import KNeighborsRegressor
from fastclf.sklearn._unsupervised import KNeighborsTransformer, NearestNeighbors

__all__ = [
    "KNeighborsClassifier",
    "KNeighborsRegressor",
    "KNeighborsTransformer",
    "NearestNeighbors",
    "RadiusNeighborsClassifier",
]
