"""The one extension module: check the buffers, call the C interface, check its status, return."""

from collections.abc import Sequence
from typing import Any, Protocol, Self, type_check_only

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

_Sketch = tuple[NDArray[np.uint8], NDArray[np.uint8]]

def metrics() -> list[str]: ...

@disjoint_base
class Traits:
    """What is to be known of a metric outside the kernels."""

    @property
    def norm(self) -> str: ...
    @property
    def degree(self) -> int: ...
    @property
    def at_unit_length(self) -> bool: ...
    @property
    def has_sketches(self) -> bool: ...
    @property
    def has_tree(self) -> bool: ...
    @property
    def is_product(self) -> bool: ...
    def __new__(cls, metric: str) -> Self: ...
    def length(self, distance: float) -> float: ...

ADDS: dict[str, int]

def knn(
    metric: str,
    Q: NDArray[Any],
    X: NDArray[Any],
    k: int,
    centre: NDArray[np.float32] | None,
    own: NDArray[np.int64] | None,
    as_bytes: bool,
    n_threads: int,
    distance: NDArray[np.float64],
    index: NDArray[np.int64],
    stages: Sequence[tuple[_Sketch, _Sketch, bool, float, float, float, float]] = ...,
    refine_cost: float = ...,
    given_up: NDArray[np.uint8] | None = ...,
    tell: bool = ...,
    limit: NDArray[np.float64] | None = ...,
) -> list[tuple[float, float]] | None: ...
def tree_sizes(rows: int, cols: int) -> tuple[tuple[int, int], tuple[int, int]]: ...
def tree_make(
    metric: str,
    X: NDArray[Any],
    centre: NDArray[np.float32] | None,
    n_threads: int,
    row: NDArray[np.uint32],
    boxes: NDArray[np.float32],
    leaves: NDArray[np.float32],
) -> float: ...

@type_check_only
class Tree(Protocol):
    """Rows in a hierarchy of boxes."""

    @property
    def row(self) -> NDArray[np.uint32]: ...
    @property
    def boxes(self) -> NDArray[np.float32]: ...
    @property
    def leaves(self) -> NDArray[np.float32]: ...
    @property
    def centre(self) -> NDArray[np.float32] | None: ...
    @property
    def scale(self) -> float: ...

def tree_knn(
    metric: str,
    tree: Tree,
    Q: NDArray[Any],
    X: NDArray[Any],
    k: int,
    own: NDArray[np.int64] | None,
    as_bytes: bool,
    patience: float,
    n_threads: int,
    given_up: NDArray[np.uint8],
    distance: NDArray[np.float64],
    index: NDArray[np.int64],
    limit: NDArray[np.float64] | None = ...,
) -> tuple[float, float]: ...
def knn_across_groups(
    metric: str,
    X: NDArray[Any],
    group: NDArray[np.int64],
    centre: NDArray[np.float32] | None,
    as_bytes: bool,
    n_threads: int,
    distance: NDArray[np.float64],
    index: NDArray[np.int64],
) -> None: ...
def rerank(
    metric: str,
    Q: NDArray[Any],
    X: NDArray[Any],
    row: NDArray[np.int64],
    own: NDArray[np.int64] | None,
    n_threads: int,
    distance: NDArray[np.float64],
    index: NDArray[np.int64],
) -> None: ...
def sketch(
    metric: str,
    M: NDArray[Any],
    centre: NDArray[np.float32] | None,
    directions: NDArray[np.float32] | None,
    gram_excess: float,
    groups: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]] | None,
    offset: NDArray[np.float64],
    step: float,
    residual: bool,
    n_threads: int,
    levels: Sequence[_Sketch],
) -> None: ...
def centre(X: NDArray[Any], most: int, middle: NDArray[np.float32]) -> None: ...
def first_not_finite(X: NDArray[Any]) -> int | None: ...
def fits_u8(X: NDArray[Any]) -> bool: ...
def pairwise(metric: str, Q: NDArray[Any], X: NDArray[Any], n_threads: int, distance: NDArray[np.float64]) -> None: ...
def vote(
    label: NDArray[np.int64],
    index: NDArray[np.int64] | None,
    n_classes: int,
    weights: NDArray[np.float64] | None,
    votes: NDArray[np.float64] | None,
    winner: NDArray[np.int64] | None,
) -> None: ...
def vote_prefixes(
    label: NDArray[np.int64],
    index: NDArray[np.int64],
    n_classes: int,
    prefix: NDArray[np.int64],
    winner: NDArray[np.int64],
) -> None: ...

TARGETS: dict[str, int]

def loss_names() -> list[str]: ...
def softmax_losses() -> list[str]: ...

@type_check_only
class Loss(Protocol):
    """A loss and what it is compared with, for scores that come beside."""

    @property
    def loss(self) -> str: ...
    @property
    def label(self) -> NDArray[np.int64] | None: ...
    @property
    def target(self) -> NDArray[Any] | None: ...
    @property
    def targets(self) -> str: ...
    @property
    def weight(self) -> NDArray[np.float64] | None: ...
    @property
    def column(self) -> NDArray[np.float64] | None: ...
    @property
    def margins(self) -> NDArray[np.float64] | None: ...
    @property
    def label_smoothing(self) -> float: ...
    @property
    def margin(self) -> float: ...
    @property
    def hinge_width(self) -> float: ...
    @property
    def parameter(self) -> float: ...
    @property
    def squared(self) -> bool: ...
    @property
    def own_term(self) -> bool: ...

def losses(
    how: Loss,
    scores: NDArray[Any],
    scale: float,
    n_threads: int,
    of_rows: NDArray[np.float64] | None,
    of_scores: NDArray[np.float64] | None,
    gradient: NDArray[Any] | None,
) -> int | None: ...
def mean_loss(
    loss: str,
    scores: NDArray[Any],
    target: NDArray[np.int64],
    gradient: NDArray[Any] | None,
    margin: float,
    ignored: int,
    n_threads: int,
) -> tuple[float, int | None] | None: ...
def linear_scores(
    X: NDArray[Any],
    centre: NDArray[Any] | None,
    W: NDArray[Any],
    b: NDArray[Any] | None,
    n_threads: int,
    scores: NDArray[Any],
) -> None: ...
def linear_loss(
    how: Loss,
    X: NDArray[Any],
    centre: NDArray[Any] | None,
    W: NDArray[Any],
    b: NDArray[Any] | None,
    n_threads: int,
    of_W: NDArray[np.float64],
    of_b: NDArray[np.float64],
) -> float | None: ...
def matmul(
    A: NDArray[Any],
    B: NDArray[Any],
    bias: NDArray[Any] | None,
    add: bool,
    n_threads: int,
    out: NDArray[Any],
    row_sums: NDArray[np.float64] | None = None,
) -> None: ...
def sparse_product(
    start: NDArray[np.int64],
    index: NDArray[np.int32],
    value: NDArray[Any],
    M: NDArray[Any],
    n_threads: int,
    out: NDArray[Any],
) -> None: ...

@type_check_only
class Compressed(Protocol):
    """A sparse matrix in compressed rows."""

    @property
    def start(self) -> NDArray[np.int64]: ...
    @property
    def index(self) -> NDArray[np.int32]: ...
    @property
    def value(self) -> NDArray[Any]: ...

@type_check_only
class Svm(Protocol):
    """The dual problem of a multiclass SVM, as models.h has it; of dense rows, or compressed ones."""

    @property
    def X(self) -> NDArray[Any] | None: ...  # noqa: N802
    @property
    def centre(self) -> NDArray[np.float64] | None: ...
    @property
    def compressed(self) -> Compressed | None: ...
    @property
    def label(self) -> NDArray[np.int64]: ...
    @property
    def weight(self) -> NDArray[np.float64]: ...
    @property
    def squares(self) -> NDArray[np.float64]: ...
    @property
    def margins(self) -> NDArray[np.float64]: ...
    @property
    def l2(self) -> float: ...
    @property
    def unit(self) -> float: ...
    @property
    def largest(self) -> bool: ...

SVM_FOURS: int

def svm_ascend(
    how: Svm,
    sweeps: int,
    seed: int,
    a: NDArray[np.float64],
    W: NDArray[np.float64],
    b: NDArray[np.float64],
) -> int: ...
def svm_lagrangian(
    how: Svm,
    X: NDArray[Any],
    centre: NDArray[Any] | None,
    W: NDArray[Any],
    b: NDArray[Any] | None,
    n_threads: int,
    multipliers: NDArray[np.float64],
    width: float,
    a: NDArray[np.float64],
    scores: NDArray[Any],
    known: bool,
    of_W: NDArray[np.float64],
    of_b: NDArray[np.float64],
) -> tuple[float, float] | None: ...
def svm_lagrangian_of_scores(
    how: Svm,
    scores: NDArray[Any],
    n_threads: int,
    multipliers: NDArray[np.float64],
    width: float,
    a: NDArray[np.float64],
    known: bool,
) -> tuple[float, float] | None: ...
def activations() -> list[str]: ...

@type_check_only
class Layer(Protocol):
    """W x + b, and the sums of the squares of their gradients so far."""

    W: NDArray[Any]
    b: NDArray[Any]
    W_squares: NDArray[Any]
    b_squares: NDArray[Any]

@type_check_only
class Net(Protocol):
    """A classifier of windows; the first `trained` vectors move in training."""

    @property
    def vectors(self) -> NDArray[Any]: ...
    @property
    def squares(self) -> NDArray[Any]: ...
    @property
    def window(self) -> int: ...
    @property
    def trained(self) -> int: ...
    @property
    def activation(self) -> str: ...
    @property
    def layers(self) -> Sequence[Layer]: ...

@type_check_only
class Steps(Protocol):
    """Windows a step, and what Adagrad and the objective need."""

    @property
    def batch(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def l2(self) -> float: ...
    @property
    def margin(self) -> float: ...

def window_scores(
    net: Net, word: NDArray[np.int32], centre: NDArray[np.int64], n_threads: int, scores: NDArray[Any]
) -> None: ...
def window_train(
    net: Net,
    how: Steps,
    word: NDArray[np.int32],
    centre: NDArray[np.int64],
    label: NDArray[np.int64],
    corrupt: NDArray[np.int64] | None,
    corrupt_label: NDArray[np.int64] | None,
    n_threads: int,
    objective: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
) -> bool: ...
def total(values: NDArray[np.float64]) -> float: ...

C_API: object

def c_addresses() -> dict[str, int]: ...
def built_isas() -> list[str]: ...
def isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> None: ...
def has_openmp() -> bool: ...
def was_forked() -> bool: ...
def max_threads() -> int: ...
