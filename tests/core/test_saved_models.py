"""Models that this release and earlier ones have saved: they load, and answer as they did."""

from __future__ import annotations

import isas
import numpy as np
import pytest
import saved_models

SAVED = [(folder.name, name) for folder in saved_models.FOLDER.iterdir() for name in saved_models.recorded(folder)]


@pytest.mark.parametrize("isa", isas.each_isa())
@pytest.mark.parametrize(("version", "name"), SAVED)
def test_saved_models_answer_as_they_did(version, name, isa):
    folder = saved_models.FOLDER / version
    record = saved_models.recorded(folder)[name]
    with isas.on_isa(isa):
        model = saved_models.loaded(folder, name)
        assert saved_models.public_name(model) == record["estimator"]
        found = saved_models.answers(model, record["answers"], record["questions"])
    expected = dict(record["answers"])
    if record["estimator"] == "LinearClassifier" and "predict_proba" in expected:
        # By NumPy's exponential, whose last bits are not the same on all processors; the scores before it are.
        values, others = (answers.pop("predict_proba")["values"] for answers in (found, expected))
        np.testing.assert_allclose(values, others, rtol=1e-14, atol=0)
    assert found == expected


def test_every_estimator_was_saved():
    """Else run tools/save_models.py, once saved_models.py has a row for it."""
    saved = {saved_models.recorded(saved_models.FOLDER / version)[name]["estimator"] for version, name in SAVED}
    assert saved_models.public_estimators() - saved == set()


def test_a_changed_answer_is_noticed():
    version, name = SAVED[0]
    record = saved_models.recorded(saved_models.FOLDER / version)[name]
    model = saved_models.loaded(saved_models.FOLDER / version, name)
    method = next(iter(record["answers"]))
    others = record["questions"][1:] + record["questions"][:1]
    assert saved_models.answers(model, [method], others) != {method: record["answers"][method]}


def test_models_are_small():
    assert sum(path.stat().st_size for path in saved_models.FOLDER.rglob("*")) < 1_000_000
