"""The examples run, and what they show is so."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(monkeypatch, capsys):
    """Run an example's main with arguments; return what it prints."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        load(name).main()
        return capsys.readouterr().out

    return run


def number(label, text):
    return float(re.search(rf"{label}\D*? ([-+.e\d]+)", text)[1])


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_hidden_layer(run, tmp_path, activation):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "loss.png"
    text = run("hidden_layer", "--activation", activation, "--epochs", 30, "--plot", picture)
    assert number("test accuracy:", text) >= 0.95
    assert number("train accuracy:", text) >= 0.98
    assert picture.read_bytes().startswith(PNG)


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_hidden_layer_gradients(run, activation):
    text = run("hidden_layer", "--activation", activation, "--hidden", 8, "--epochs", 1, "--check")
    assert number("gradients differ from finite differences by", text) < 1e-7


def test_hidden_layer_is_deterministic(run):
    assert run("hidden_layer", "--epochs", 2) == run("hidden_layer", "--epochs", 2)
    assert run("hidden_layer", "--epochs", 2) != run("hidden_layer", "--epochs", 2, "--seed", 1)


def test_hidden_layer_without_tqdm(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert "test accuracy" in run("hidden_layer", "--epochs", 1)


def test_loss_surfaces(run, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "surfaces.png"
    text = run("loss_surfaces", "--out", picture)
    assert text.splitlines()[: len(table_of_page())] == table_of_page()
    assert picture.read_bytes().startswith(PNG)


def table_of_page():
    page = (ROOT / "docs" / "loss_surfaces.md").read_text()
    return re.search(r"^\| s \|.*?\n\n", page, re.MULTILINE | re.DOTALL)[0].splitlines()[:-1]


def test_table_of_the_page_follows_its_formulas():
    example = load("loss_surfaces")
    rows = [[float(cell) for cell in line.strip("| ").split("|")] for line in table_of_page()[2:]]
    assert [row[0] for row in rows] == list(example.TABLE)
    s = np.array(example.TABLE)
    p1, p2 = 1 / (1 + np.exp(-2 * s)), 1 / (1 + np.exp(2 * s))
    formulas = [2 * p1**2, 8 * p1**2 * p2, s**2 + (s + 1) ** 2, 4 * s + 2, np.logaddexp(0, 2 * s), 2 * p1]
    np.testing.assert_allclose(np.array(rows)[:, 1:], np.transpose(formulas), rtol=5e-3)


@pytest.mark.parametrize(("name", "steps"), [("squared error of softmax", 2800), ("cross-entropy", 6)])
def test_steps_down_from_a_confident_error(name, steps):
    loss = load("loss_surfaces").LOSSES[name]
    classes = 2 if name == "squared error of softmax" else 1
    scores = np.array([[5.0, -5.0]])
    taken = 0
    while scores[0, 0] > scores[0, 1]:
        scores -= classes * loss(scores, [1], return_grad=True)[1]
        taken += 1
    assert taken == pytest.approx(steps, rel=0.02)


def test_torch_cross_entropy(run):
    pytest.importorskip("torch")
    text = run("torch_cross_entropy", "--steps", 20, "--batch", 200, 50, "--rounds", 1)
    assert number("largest difference on the way:", text) < 1e-5
    assert text.count("passed") == 4
    assert "failed" not in text
    assert number("takes", text) > 0


@pytest.fixture
def tagged_files(tmp_path):
    """Two files in CoNLL's layout: names come after "mr" or "in", and there are many of them."""
    rng = np.random.default_rng(0)
    paths = []
    for name, n in (("train", 400), ("dev", 60)):
        lines = []
        for _ in range(n):
            lines += ["the O", f"mr O\nperson{rng.integers(60)} B-PER", f"in O\nplace{rng.integers(60)} B-LOC", ""]
        paths.append(tmp_path / f"{name}.txt")
        paths[-1].write_text("\n".join(lines))
    return paths


@pytest.mark.parametrize("loss", ["softmax", "max_margin"])
def test_named_entities(run, tagged_files, loss):
    text = run("named_entities", *tagged_files, "--loss", loss)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert all(float(value) > 0.98 for tag in ("LOC", "O", "PER") for value in rows[tag][1:4])
    assert "of 300 words are tagged wrongly" in text
    assert all(0.9 < float(f1) <= 1 for n in ("200", "400") for f1 in rows[n][-2:])


def test_named_entities_with_given_vectors(run, tagged_files, tmp_path):
    words = {line.split()[0] for path in tagged_files for line in path.read_text().splitlines() if line}
    vectors = tmp_path / "vectors.txt"
    rng = np.random.default_rng(1)
    vectors.write_text("".join(f"{w} {' '.join(map(str, rng.normal(size=20).round(3)))}\n" for w in sorted(words)))
    text = run("named_entities", *tagged_files, "--vectors", vectors, "--epochs", 20)
    assert float(text.splitlines()[-1].split()[-2]) > 0.95


@pytest.mark.slow
def test_named_entities_train_vectors_of_many_sentences_only(run, data_file):
    paths = data_file("ner/wikiann-en-train.tsv"), data_file("ner/wikiann-en-dev.tsv")
    few, many = [list(map(float, line.split()[-2:])) for line in run("named_entities", *paths).splitlines()[-2:]]
    assert few[0] > few[1] + 0.02
    assert many[1] > many[0] + 0.05
