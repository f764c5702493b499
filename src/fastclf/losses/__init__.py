"""Losses of scores, each with its gradient in the same pass over memory.

All losses of scores have one form. ``loss = f(scores, target)`` is a mean over rows;
``loss, gradient = f(scores, target, return_grad=True)`` gives the gradient, too. All losses have the options
``sample_weight``, ``reduction`` ("mean", "sum", "none"), ``grad_out`` (where to write the gradient) and ``n_threads``.

The scores (for linear losses, X) may be a tensor in main memory. Results that are arrays are then tensors of the same
package. They carry no gradient of their own; `fastclf.torch` has losses that do. A reduced loss is always a float.

`cross_entropy`, `kl_div` and `softmax_mse` take a softmax of the scores. `hinge` is the loss of the multiclass SVM.
`mse`, `binary_cross_entropy_with_logits` and `max_margin` are sums over scores. `linear_cross_entropy` and
`linear_hinge` take scores X W' + b, held in blocks. `softmax` and `log_softmax` are the functions themselves.
"""

from fastclf.losses import _hinge, _linear, _scores, _softmax
from fastclf.losses._hinge import *  # noqa: F403
from fastclf.losses._linear import *  # noqa: F403
from fastclf.losses._scores import *  # noqa: F403
from fastclf.losses._softmax import *  # noqa: F403

__all__ = sorted([*_hinge.__all__, *_linear.__all__, *_scores.__all__, *_softmax.__all__])
