"""How long programs of other packages take with fastclf's neighbours, and with scikit-learn's.

    python bench/compare_programs.py [--rows N]

Programs and what they come to are those of `programs.py`; rows are made, in four clusters. A program whose package is
not installed is left out.
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import script
import sklearn.neighbors
from programs import PROGRAMS

import fastclf.sklearn
from fastclf.bench import timing


def main() -> None:
    parser = script.turns(__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--features", type=int, default=20)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    y = rng.choice(4, arguments.rows, p=[0.4, 0.3, 0.25, 0.05])
    X = rng.normal(size=(arguments.rows, arguments.features)) + 4 * np.eye(4, arguments.features)[y]
    warnings.simplefilter("ignore")
    print("| program | fastclf, s | scikit-learn, s |\n|---|---|---|")
    with fastclf.threads(arguments.threads):
        for name, program in PROGRAMS.items():
            script.say(name)
            try:
                calls = [partial(program, module, X, y) for module in (fastclf.sklearn, sklearn.neighbors)]
                seconds = [[timing.timed(call)[1] for call in calls] for _ in range(arguments.rounds)]
            except ModuleNotFoundError as error:
                script.say(f"{name} is left out: {error}")
                continue
            print(f"| {name} | " + " | ".join(f"{s:.2f}" for s in np.median(seconds, axis=0)) + " |")


if __name__ == "__main__":
    main()
