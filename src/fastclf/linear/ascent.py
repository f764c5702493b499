"""Multiclass SVMs by their dual problem: coordinate ascent, steps on faces, and a proof of where it ends.

Sweeps solve one row's part of the dual problem after the other [1]_, each exactly [2]_.  Between them a step on the
face that the sweeps have come to ends the search soon, once this is the optimum's [3]_; but not of squared terms.

.. [1] S. S. Keerthi, S. Sundararajan, K.-W. Chang, C.-J. Hsieh and C.-J. Lin, "A sequential dual method for large scale
   multi-class linear SVMs", KDD 2008.
.. [2] Y. Wang and C. Scott, "An exact solver for the Weston-Watkins SVM subproblem", ICML 2021.
.. [3] J. J. More and G. Toraldo, "On the solution of large quadratic programming problems with bound constraints", SIAM
   Journal on Optimization 1, 1991.
"""

from __future__ import annotations

import numpy as np

from fastclf.linear import face
from fastclf.linear.solving import Progress
from fastclf.linear.svm import Array, Dual, Svm

_FEWEST_SWEEPS, _MOST_SWEEPS = 4, 32  # of a round: of the first, or after a long step on a face; then twice as many
_SHORT = 0.2  # part of a step on a face: if no more is feasible, the face is not yet that of the optimum
_MOST_WAITING = 16  # rounds until the next such step
_PATIENCE = 60  # rounds in which the gap has to become half as large


def ascend(svm: Svm, start: Dual, progress: Progress, seed: int) -> Dual:
    """Solve the dual problem until the gap is small enough, no longer falls, or iterations run out: each is a round."""
    return _Ascent(svm, start, seed).run(progress)


class _Ascent:
    def __init__(self, svm: Svm, start: Dual, seed: int) -> None:
        self._svm, self._found, self._seed = svm, start, seed
        self._a, self._b = start.a.copy(), start.b.copy()
        self._scores = self._flows = self._W = np.empty((0, 0))
        self._wait, self._waited = int(not start.a.any()), 0
        self._uses_faces = not svm.squared  # whose equations have no squared terms

    def run(self, progress: Progress) -> Dual:
        """Go on until the end."""
        halved, rounds, sweeps = np.inf, 0, _FEWEST_SWEEPS
        while True:
            self._seed += 1
            self._note(self._svm.ascend(sweeps, self._seed, self._a, self._b))
            if self._uses_faces and not self._is_near(progress):
                self._step_on_face()
            progress.made(self._found.value, self._found.gap)
            grows = self._wait > 0 or not self._uses_faces
            sweeps, rounds = min(2 * sweeps, _MOST_SWEEPS) if grows else _FEWEST_SWEEPS, rounds + 1
            if self._found.gap <= halved / 2:
                halved, rounds = self._found.gap, 0
            if self._is_near(progress) or progress.left <= 0 or rounds >= _PATIENCE:
                return self._found

    def _is_near(self, progress: Progress) -> bool:
        return self._found.gap <= progress.until(self._found.value)

    def _note(self, W: Array) -> None:
        """Keep what the current point shows."""
        exact = self._svm.objective
        self._W, self._flows = W, self._svm.flows(self._a)
        self._scores = exact.rows.scores(W, self._b)
        loss, _ = exact.losses(self._scores, with_gradients=False)
        value = loss * exact.scale + exact.penalty.value(W)
        bound = self._svm.lower_bound(self._a, W, self._flows)
        self._found = self._found.better(W, self._b.copy(), value, self._a.copy(), bound)

    def _step_on_face(self) -> None:
        """Make a step on the face, but seldom where those before were short."""
        if self._waited < self._wait:
            self._waited += 1
            return
        pairs = face.free_pairs(self._svm, self._a)
        moved = None
        if 0 < len(pairs.row) <= face.MOST_PAIRS:
            step = face.newton(self._svm, pairs, self._scores, self._flows)
            moved = None if step is None else face.moved(self._svm, step, self._a, self._W, self._b)
        far = moved is not None and moved[2] >= _SHORT
        self._waited, self._wait = 0, 0 if far else min(2 * self._wait + 1, _MOST_WAITING)
        if moved is not None:
            self._a, self._b, _ = moved
            self._note(self._svm.weights(self._a))
