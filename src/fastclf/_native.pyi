"""The one extension module: check the buffers, call the C interface, check its status, return."""

from collections.abc import Sequence
from typing import Any, Protocol, type_check_only

import numpy as np
from numpy.typing import NDArray

_Sketch = tuple[NDArray[np.uint8], NDArray[np.uint8]]

def metrics() -> list[str]: ...
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
) -> tuple[float, float]: ...
def knn_apart(
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
    skew: float,
    groups: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]] | None,
    offset: NDArray[np.float64],
    step: float,
    beyond: bool,
    n_threads: int,
    levels: Sequence[_Sketch],
) -> None: ...
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
    def smoothing(self) -> float: ...
    @property
    def margin(self) -> float: ...
    @property
    def smooth(self) -> float: ...
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
def sparse_product(
    start: NDArray[np.int64],
    index: NDArray[np.int32],
    value: NDArray[Any],
    M: NDArray[Any],
    n_threads: int,
    out: NDArray[Any],
) -> None: ...
def activations() -> list[str]: ...

@type_check_only
class Layer(Protocol):
    """W x + b, and the sums of the squares of their slopes so far."""

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
) -> bool: ...
def total(values: NDArray[np.float64]) -> float: ...
def built_isas() -> list[str]: ...
def isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> None: ...
def has_openmp() -> bool: ...
def was_forked() -> bool: ...
def max_threads() -> int: ...
