"""Losses of scores, each with its gradient in the same pass."""

from fastclf.losses._hinge import hinge as hinge
from fastclf.losses._hinge import max_margin as max_margin
from fastclf.losses._linear import linear_cross_entropy as linear_cross_entropy
from fastclf.losses._linear import linear_hinge as linear_hinge
from fastclf.losses._scores import binary_cross_entropy as binary_cross_entropy
from fastclf.losses._scores import mse as mse
from fastclf.losses._softmax import cross_entropy as cross_entropy
from fastclf.losses._softmax import kl_div as kl_div
from fastclf.losses._softmax import log_softmax as log_softmax
from fastclf.losses._softmax import softmax as softmax
from fastclf.losses._softmax import softmax_mse as softmax_mse

__all__ = [
    "binary_cross_entropy",
    "cross_entropy",
    "hinge",
    "kl_div",
    "linear_cross_entropy",
    "linear_hinge",
    "log_softmax",
    "max_margin",
    "mse",
    "softmax",
    "softmax_mse",
]
