"""Rows in a hierarchy of boxes: near rows lie together, so that most are proved too far without being looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf import _native
from fastclf.backends import plain


@dataclass(frozen=True)
class Tree:
    metric: str
    centre: NDArray[np.float32] | None
    scale: float
    row: NDArray[np.uint32]
    boxes: NDArray[np.float32]
    leaves: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)

    def search(self, Q, X, k, n_threads, *, own=None, as_bytes=False, patience=np.inf):
        distances, indices = plain.room(len(Q), k)
        given_up = np.zeros(len(Q), dtype=np.uint8)
        did = _native.tree_knn(
            self.metric, self, Q, X, k, own, as_bytes, patience, n_threads, given_up, distances, indices)
        return distances, indices, given_up, did


def grown(metric, X, n_threads):
    of_boxes, of_leaves = _native.tree_sizes(*X.shape)
    centre = plain.centre(X)
    row, boxes, leaves = np.empty(len(X), np.uint32), np.empty(of_boxes, np.float32), np.empty(of_leaves, np.float32)
    scale = _native.tree_make(metric, X, centre, n_threads, row, boxes, leaves)
    return Tree(metric, centre, scale, row, boxes, leaves) if scale > 0 else None
