"""What window classifiers compute, slowly and in float64: a loop over windows, gradients from differences."""

from __future__ import annotations

import numpy as np

ACTIVATIONS = {"logistic": lambda s: 1 / (1 + np.exp(-s)), "tanh": np.tanh}


def inputs(net, word, centre):
    """The vectors of a window's words, one after the other."""
    return np.concatenate([net.vectors[word[centre + i]] for i in range(-net.window, net.window + 1)]).astype(float)


def score(net, word, centre):
    """Scores of one window."""
    values = inputs(net, word, centre)
    for layer in net.layers[:-1]:
        values = ACTIVATIONS[net.activation](layer.W.astype(float) @ values + layer.b)
    return net.layers[-1].W.astype(float) @ values + net.layers[-1].b


def cross_entropy(net, word, centre, label):
    z = score(net, word, centre)
    return float(np.log(np.exp(z - z.max()).sum()) + z.max() - z[label])


def objective(net, word, centres, labels, l2, corrupt=None, corrupt_labels=None, margin=1.0, weight=1.0):
    """Mean loss, of weights times losses, and penalties of a batch."""
    windows = list(centres)
    if corrupt is None:
        losses = [cross_entropy(net, word, c, y) for c, y in zip(centres, labels, strict=True)]
    else:
        windows += list(corrupt)
        both = zip(centres, labels, corrupt, corrupt_labels, strict=True)
        pairs = [(score(net, word, c)[y], score(net, word, other)[z]) for c, y, other, z in both]
        losses = [max(0.0, margin - s + s_c) for s, s_c in pairs]
    trained = [
        net.vectors[i].astype(float)
        for c in windows
        for i in word[c - net.window : c + net.window + 1]
        if i < net.trained
    ]
    of_weights = sum(float((layer.W.astype(float) ** 2).sum()) for layer in net.layers)
    of_vectors = sum(float((v**2).sum()) for v in trained) / len(windows)
    return float(np.mean(weight * np.array(losses))) + l2 * (of_weights + of_vectors)


def parameters(net):
    """Everything that moves: vectors, then each layer's weights and intercepts."""
    return [net.vectors, *(part for layer in net.layers for part in (layer.W, layer.b))]


def squares(net):
    """Adagrad's sums, in the order of `parameters`."""
    return [net.squares, *(part for layer in net.layers for part in (layer.W_squares, layer.b_squares))]


def gradients(net, *batch, **options):
    """Derivatives of the objective by every parameter, from differences."""
    found, step = [], 1e-6
    for i, values in enumerate(parameters(net)):
        slope = np.zeros(values.shape)
        for at in np.ndindex(values.shape):
            if i == 0 and at[0] >= net.trained:
                continue
            kept, ends = values[at], []
            for side in (step, -step):
                values[at] = kept + side
                ends.append(objective(net, *batch, **options))
            values[at] = kept
            slope[at] = (ends[0] - ends[1]) / (2 * step)
        found.append(slope)
    return found


def adagrad(net, rate, *batch, **options):
    """Make a step; return the objective before it."""
    before = objective(net, *batch, **options)
    moves = gradients(net, *batch, **options)
    for values, total, slope in zip(parameters(net), squares(net), moves, strict=True):
        total += slope**2
        values -= rate * slope / (np.sqrt(total) + 1e-10)
    return before
