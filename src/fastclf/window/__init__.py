"""Classification of words in context: the estimator, and readers of tagged sentences and of word vectors."""

from fastclf.window.classifier import WindowClassifier
from fastclf.window.files import read_tagged, read_vectors

__all__ = ["WindowClassifier", "read_tagged", "read_vectors"]
