"""No kernel reads or writes outside its arrays: they lie against pages that end the process when touched."""

from __future__ import annotations

import signal

import guarded
import guarded_linear
import guarded_losses
import guarded_window
import pytest
from isas import each_isa
from names import METRICS, SKETCHED_METRICS, TRAITS

each_part = pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.slow)], ids=["share", "rest"])


def check_run(worker, function, tmp_path, *how):
    progress = tmp_path / "progress"
    try:
        return worker.result(function, *how, str(progress))
    except AssertionError as error:
        error.add_note(f"in case: {progress.read_text().strip()}")
        raise


@each_part
@pytest.mark.parametrize("name", each_isa())
def test_arrays_right_behind_a_guard_page(worker, name, part, tmp_path):
    cases = len(guarded.share_of_starts()[part]) * len(METRICS)
    assert check_run(worker, guarded.run_at_starts, tmp_path, name, part) == 5 * cases


@each_part
@pytest.mark.parametrize("name", each_isa())
def test_arrays_up_to_a_guard_page(worker, name, part, tmp_path):
    cases = len(guarded.share_of_ends()[part]) * len(METRICS)
    assert check_run(worker, guarded.run_at_ends, tmp_path, name, part) == (len(guarded.QUERY_COUNTS) + 2) * cases


@pytest.mark.parametrize("name", each_isa())
def test_sketches_and_stages_beside_guard_pages(worker, name, tmp_path):
    # Two kinds of groups for each metric, one for products, and directions for L2 lengths.
    kinds = sum(2 - TRAITS[m].is_product + (TRAITS[m].norm == "L2") for m in SKETCHED_METRICS)
    assert check_run(worker, guarded.run_stages, tmp_path, name) == kinds * len(list(guarded.stage_cases()))


@pytest.mark.parametrize("name", each_isa())
def test_losses_beside_guard_pages(worker, name, tmp_path):
    assert check_run(worker, guarded_losses.run_losses, tmp_path, name) == len(list(guarded_losses.loss_cases()))


@pytest.mark.parametrize("name", each_isa())
@pytest.mark.parametrize(
    "what",
    [
        "a read past the end",
        "a read before the start",
        "a write past the end",
        "codes past the end",
        "codes before the start",
    ],
)
def test_the_detector_sees(worker, what, name):
    assert worker.result(guarded.statuses_of_plants, name, what) == [-signal.SIGSEGV, -signal.SIGSEGV]


def test_the_detector_leaves_a_correct_call_alone(worker):
    assert worker.result(guarded.statuses_of_plants, "scalar", "nothing") == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", each_isa())
def test_the_detector_sees_an_element_of_any_array_of_a_loss(worker, name):
    statuses = worker.result(guarded_losses.statuses_of_plants, name, True)
    assert {case: status for case, status in statuses.items() if status != -signal.SIGSEGV} == {}


def test_the_detector_leaves_correct_losses_alone(worker):
    statuses = worker.result(guarded_losses.statuses_of_plants, "scalar", False)
    assert statuses
    assert {case: status for case, status in statuses.items() if status != 0} == {}


@pytest.mark.parametrize("name", each_isa())
def test_linear_kernels_beside_guard_pages(worker, name, tmp_path):
    assert check_run(worker, guarded_linear.run_linear, tmp_path, name) == len(list(guarded_linear.cases()))


@pytest.mark.parametrize("name", each_isa())
def test_the_detector_sees_an_element_of_any_array_of_a_linear_kernel(worker, name):
    statuses = worker.result(guarded_linear.statuses_of_plants, name, True)
    assert {case: status for case, status in statuses.items() if status != -signal.SIGSEGV} == {}
    assert set(worker.result(guarded_linear.statuses_of_plants, name, False).values()) == {0}


@pytest.mark.parametrize("name", each_isa())
def test_window_kernels_beside_guard_pages(worker, name, tmp_path):
    assert check_run(worker, guarded_window.run_window, tmp_path, name) == len(list(guarded_window.cases()))


@pytest.mark.parametrize("name", each_isa())
def test_the_detector_sees_an_element_of_any_array_of_a_window_kernel(worker, name):
    statuses = worker.result(guarded_window.statuses_of_plants, name, True)
    assert {case: status for case, status in statuses.items() if status != -signal.SIGSEGV} == {}
    assert set(worker.result(guarded_window.statuses_of_plants, name, False).values()) == {0}
