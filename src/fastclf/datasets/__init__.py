"""Pictures to classify: scikit-learn's digits, CIFAR-10 and MNIST, and files in the layouts of these two."""

from __future__ import annotations

from fastclf.datasets._fetching import fetch, load_or_fetch
from fastclf.datasets._pictures import Dataset, digits
from fastclf.datasets._reading import load

__all__ = ["Dataset", "digits", "fetch", "load", "load_or_fetch"]
