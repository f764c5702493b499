"""A network with one hidden layer, trained on scikit-learn's digits with NumPy and `fastclf.losses.cross_entropy`.

The probabilities of the classes are p = softmax(b' + W' sigma(b + W x)), where sigma is the logistic function or tanh.
Scores are s = b' + W' h with h = sigma(b + W x). The loss hands back its gradient with respect to them, ds, from which
backpropagation goes on, with a = b + W x, T for transposes and rows for the samples of a batch: dW' = ds^T h,
dh = ds W', da = dh * sigma'(a), dW = da^T x.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastclf import datasets, losses

Array = NDArray[Any]


class Network(NamedTuple):
    """Parameters, or their gradients, of which W_out and b_out are W' and b'."""

    W: Array
    b: Array
    W_out: Array
    b_out: Array


class Activation(NamedTuple):
    """A function sigma, and its slope told from its value."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


ACTIVATIONS = {
    "logistic": Activation(lambda a: 0.5 + 0.5 * np.tanh(0.5 * a), lambda h: h * (1 - h)),
    "tanh": Activation(np.tanh, lambda h: 1 - h * h),
}


def initial(features: int, hidden: int, classes: int, rng: np.random.Generator) -> Network:
    """Return random weights of variance 1 / inputs, and biases of 0."""

    def weights(outputs: int, inputs: int) -> Array:
        return rng.standard_normal((outputs, inputs)) / np.sqrt(inputs)

    return Network(weights(hidden, features), np.zeros(hidden), weights(classes, hidden), np.zeros(classes))


def forward(network: Network, X: Array, activation: Activation) -> tuple[Array, Array]:
    """Return the values of the hidden layer and the scores of the classes."""
    h = activation.value(X @ network.W.T + network.b)
    return h, h @ network.W_out.T + network.b_out


def gradients(network: Network, X: Array, y: Array, activation: Activation) -> tuple[float, Network]:
    """Return the mean loss of the rows and its gradients."""
    h, scores = forward(network, X, activation)
    loss, ds = losses.cross_entropy(scores, y, return_grad=True)
    da = ds @ network.W_out * activation.slope(h)
    return loss, Network(da.T @ X, da.sum(axis=0), ds.T @ h, ds.sum(axis=0))


def train(
    network: Network, X: Array, y: Array, activation: Activation, options: argparse.Namespace, rng: np.random.Generator
) -> list[float]:
    """Train the network in place by stochastic gradient descent with momentum; return each epoch's mean loss."""
    velocity = Network(*(np.zeros_like(parameter) for parameter in network))
    history = []
    for _ in progress(range(options.epochs)):
        total = 0.0
        order = rng.permutation(len(X))
        for start in range(0, len(X), options.batch):
            rows = order[start : start + options.batch]
            loss, score_gradients = gradients(network, X[rows], y[rows], activation)
            step(network, velocity, score_gradients, options.rate, options.momentum)
            total += loss * len(rows)
        history.append(total / len(X))
    return history


def step(network: Network, velocity: Network, score_gradients: Network, rate: float, momentum: float) -> None:
    """Move the parameters by v = momentum * v - rate * slope."""
    for parameter, v, slope in zip(network, velocity, score_gradients, strict=True):
        v *= momentum
        v -= rate * slope
        parameter += v


def progress(epochs: range) -> Iterable[int]:
    """Go through the epochs, with a bar where tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return epochs
    return tqdm(epochs, desc="training", leave=False)


def accuracy(network: Network, X: Array, y: Array, activation: Activation) -> float:
    """Return the part of the rows whose class has the highest score."""
    return float(np.mean(forward(network, X, activation)[1].argmax(axis=1) == y))


def largest_error(network: Network, X: Array, y: Array, activation: Activation, width: float = 1e-5) -> float:
    """Compare every gradient with a central difference: the largest error over the largest gradient."""
    _, score_gradients = gradients(network, X, y, activation)

    def loss() -> float:
        return losses.cross_entropy(forward(network, X, activation)[1], y)

    error = 0.0
    for parameter, slope in zip(network, score_gradients, strict=True):
        for at, value in np.ndenumerate(parameter):
            parameter[at] = value + width
            above = loss()
            parameter[at] = value - width
            below = loss()
            parameter[at] = value
            error = max(error, abs((above - below) / (2 * width) - slope[at]))
    return error / max(np.abs(slope).max() for slope in score_gradients)


def plot(history: list[float], path: Path) -> None:
    """Save the curve of the loss."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="epoch", ylabel="mean cross-entropy of the epoch", yscale="log")
    axes.plot(np.arange(1, len(history) + 1), history)
    axes.grid(alpha=0.3)
    figure.savefig(path)
    print(f"wrote {path}")


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--activation", choices=ACTIVATIONS, default="tanh", help="sigma (default: tanh)")
    parser.add_argument("--hidden", type=int, default=64, help="size of the hidden layer (default: 64)")
    parser.add_argument("--epochs", type=int, default=40, help="(default: 40)")
    parser.add_argument("--batch", type=int, default=32, help="rows of a step (default: 32)")
    parser.add_argument("--rate", type=float, default=0.1, help="learning rate (default: 0.1)")
    parser.add_argument("--momentum", type=float, default=0.9, help="(default: 0.9)")
    parser.add_argument("--seed", type=int, default=0, help="of first weights and order of rows (default: 0)")
    parser.add_argument("--check", action="store_true", help="compare gradients with finite differences first")
    parser.add_argument("--plot", type=Path, metavar="OUT", help="save the curve of the loss (needs matplotlib)")
    return parser.parse_args()


def main() -> None:
    """Train and test."""
    options = parsed()
    data = datasets.digits()
    X, X_test = data.X_train / 16, data.X_test / 16
    activation = ACTIVATIONS[options.activation]
    rng = np.random.default_rng(options.seed)
    network = initial(X.shape[1], options.hidden, len(data.class_names), rng)
    if options.check:
        error = largest_error(network, X[:20], data.y_train[:20], activation)
        print(f"gradients differ from finite differences by {error:.1e} of the largest")
    history = train(network, X, data.y_train, activation, options, rng)
    print(f"loss: {history[0]:.4f} in the first epoch, {history[-1]:.4f} in the last")
    print(f"train accuracy: {accuracy(network, X, data.y_train, activation):.4f}")
    print(f"test accuracy: {accuracy(network, X_test, data.y_test, activation):.4f}")
    if options.plot is not None:
        plot(history, options.plot)


if __name__ == "__main__":
    main()
