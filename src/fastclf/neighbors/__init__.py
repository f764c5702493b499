"""Nearest neighbours: the classifier, its cross-validation, searches without a model, and the backends."""
