"""Losses of scores, each with its gradient in the same pass over memory.

Losses of scores have one form: ``loss = f(scores, target)``, a mean over rows, or with ``return_grad=True``
``loss, gradient = f(scores, target, return_grad=True)``. Options that all losses have: ``sample_weight``, ``reduction``
("mean", "sum", "none"), ``grad_out`` (where to write the gradient), ``n_threads``.

A softmax comes into `cross_entropy`, `kl_div` and `softmax_mse`; `hinge` is the multiclass SVM's; `mse`,
`binary_cross_entropy_with_logits` and `max_margin` are sums over scores. `linear_cross_entropy` and `linear_hinge` are
of scores X W' + b, which are never held together. `softmax` and `log_softmax` are the functions themselves.
"""

from fastclf.losses import _hinge, _linear, _scores, _softmax
from fastclf.losses._hinge import *  # noqa: F403
from fastclf.losses._linear import *  # noqa: F403
from fastclf.losses._scores import *  # noqa: F403
from fastclf.losses._softmax import *  # noqa: F403

__all__ = sorted([*_hinge.__all__, *_linear.__all__, *_scores.__all__, *_softmax.__all__])
