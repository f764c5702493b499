"""Save this version's models, which later versions must load: tests/helpers/saved_models.py says which.

Usage: save_models.py

Models that are there stay as they are, so that what a release has saved is never saved again.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import saved_models

import fastclf


def main() -> None:
    """Add the models that the folder of this version lacks."""
    folder = saved_models.FOLDER / fastclf.__version__
    folder.mkdir(parents=True, exist_ok=True)
    recorded = saved_models.recorded(folder)
    for name, (make, methods) in saved_models.MODELS.items():
        if name in recorded:
            continue
        model = make()
        questions = saved_models.questions_for(model)
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model, protocol=4))
        recorded[name] = {
            "estimator": saved_models.public_name(model),
            "questions": questions,
            "answers": saved_models.answers(model, methods, questions),
        }
        print(f"{folder.name}/{name}")
    lines = (f"{json.dumps(name)}: {json.dumps(recorded[name])}" for name in recorded)
    (folder / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
