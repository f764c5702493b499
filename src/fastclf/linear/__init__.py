"""Linear classifiers: one estimator, its losses, and the solvers that find the optimum."""

from fastclf.linear.classifier import LinearClassifier

__all__ = ["LinearClassifier"]
