"""The window classifier."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastclf import _threads, losses
from fastclf._estimators import Estimator
from fastclf.window.inputs import Options
from fastclf.window.model import Model
from fastclf.window.sentences import Sentences
from fastclf.window.tags import checked_data, tags_of

Words = Sequence[Sequence[str]]
Tags = Sequence[Sequence[Any]]


def _has_probabilities(self: WindowClassifier) -> bool:
    """Whether the loss defines probabilities: raises AttributeError else, as scikit-learn expects."""
    if self.loss == "max_margin":
        raise AttributeError("loss='max_margin' defines no probabilities")
    return True


class WindowClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    r"""Classifier of words in context, by the vectors of the words around them: names, parts of speech.

    The vectors of a word, of the `window` words before and of those after it, one after the other, are the input x of
    scores :math:`W x + b`, or with hidden units :math:`b' + W' \sigma(b + W x)`; the tag with the largest score is
    predicted. The vectors are learned with the weights, unless they are given and kept.

    Parameters
    ----------
    window : int, default=2
        Words on either side of the centre that are looked at.
    dim : int, default=50
        Length of the vectors, where `vectors` does not say.
    loss : {"softmax", "max_margin"}, default="softmax"
        Cross-entropy of the softmax; or ``max(0, margin - s + s_c)``, where s is how a window scores its tag, and s_c a
        corrupt score [1]_: that of the tag in a window about a word of another tag, or that of another tag in the
        window itself, each half of the time.
    hidden : int, optional
        Number of hidden units; by default there are none.
    activation : {"tanh", "logistic"}, default="tanh"
        Of the hidden units.
    vectors : mapping or tuple (words, matrix), optional
        Word vectors to begin with, such as `read_vectors` reads: of each word a vector, all of one length. Floats are
        rounded to float32; integers that float32 does not hold are refused.
    train_vectors : bool, default=True
        Whether vectors are trained, and words of the training sentences which have none get one. If not, only the
        vectors of unknown words and of the ends of sentences are trained.
    min_count : int, default=1
        How often a word has to occur in training to get a vector.
    word_dropout : float, default=1.0
        A word seen c times is read as unknown with probability ``word_dropout / (word_dropout + c)`` in training, anew
        in each pass: so rare words teach what to think of unknown ones. Not words that are given a vector.
    lowercase : bool, default=False
        Whether words are taken in lower case, as vectors such as GloVe's have them; of given words that differ in case
        alone, the first counts.
    l2 : float, default=0.0
        Weight of the penalty; see Notes.
    margin : float, default=1.0
        Of ``loss="max_margin"``.
    learning_rate : float, default=0.1
        Of Adagrad [2]_: the first step moves each value by so much.
    batch_size : int, default=256
        Windows a step.
    max_iter : int, default=5
        Passes over the windows that `fit` makes.
    random_state : int, RandomState instance or None, default=None
        Draws what weights and vectors begin with, the order of the windows, unknown words and corrupt windows.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says. What is learned does not depend on it.
    verbose : int, default=0
        Whether to tell on stderr how far `fit` is, with a progress bar where tqdm is installed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The tags, sorted.
    vocabulary_ : dict
        From words to rows of `vectors_`.
    vectors_ : ndarray of shape (n_words + 2, dim), float32
        Word vectors; row 0 is that of the places beyond the ends of sentences, row 1 that of unknown words.
    coefs_ : list of ndarray of shape (n_outputs, n_inputs), float32
        W; with hidden units W and W'. The inputs are the window's vectors, from the first word to the last.
    intercepts_ : list of ndarray of shape (n_outputs,), float32
        b; with hidden units b and b'.
    n_iter_ : int
        Passes made, by `fit` and `partial_fit`.
    loss_curve_ : ndarray of shape (n_iter_,)
        The objective in each pass: the mean of what it was at each step.

    See Also
    --------
    read_tagged, read_vectors : Readers of tagged sentences and of word vectors.
    fastclf.losses.cross_entropy, fastclf.losses.max_margin : The losses.

    Notes
    -----
    What is minimised is the mean of the losses, plus l2 times the sum of the squares of the weights W and W' and the
    mean, over the windows, of the sum of the squares of their vectors (those that are trained). A vector is so
    penalised as often as it is used, and a step touches the vectors of its own windows only: its cost does not grow
    with the vocabulary.

    The result is the same for a seed, whatever the number of threads and the processor. Beyond the sentences, the
    vectors and the sums of squares of Adagrad, training holds some 80 bytes for each word of the sentences, 4 for each
    place of padding (`window` beside each sentence) and the inputs of one mini-batch. A call of `partial_fit` looks
    only at its own words, but copies the vectors if some of these words are new.

    If training is interrupted, `fit` leaves the model as it was; `partial_fit` may have made some of its steps.

    Sentences are lists of words, which are no arrays of numbers: scikit-learn's `check_estimator`, whose checks pass
    matrices of floats, does not apply, nor is there an `n_features_in_`. Parameters, `clone`, pipelines, errors of
    models that are not fitted and searches for parameters work as usual (``cv`` has to be a splitter that does not look
    at the tags, such as `KFold`).

    References
    ----------
    .. [1] R. Collobert, J. Weston, L. Bottou, M. Karlen, K. Kavukcuoglu and P. Kuksa, "Natural language processing
       (almost) from scratch", Journal of Machine Learning Research 12, 2011.
    .. [2] J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and stochastic
       optimization", Journal of Machine Learning Research 12, 2011.

    Examples
    --------
    >>> from fastclf import WindowClassifier
    >>> sentences = [["She", "lives", "in", "Paris"], ["Paris", "Hilton", "sings"], ["He", "lives", "in", "Rome"]]
    >>> tags = [["O", "O", "O", "LOC"], ["PER", "PER", "O"], ["O", "O", "O", "LOC"]]
    >>> model = WindowClassifier(window=1, max_iter=20, random_state=0).fit(sentences, tags)
    >>> model.predict([["Paris", "Hilton", "lives", "in", "Rome"], []])
    [['PER', 'PER', 'O', 'O', 'LOC'], []]
    """

    def __init__(
        self,
        window: int = 2,
        dim: int = 50,
        *,
        loss: str = "softmax",
        hidden: int | None = None,
        activation: str = "tanh",
        vectors: Any = None,
        train_vectors: bool = True,
        min_count: int = 1,
        word_dropout: float = 1.0,
        lowercase: bool = False,
        l2: float = 0.0,
        margin: float = 1.0,
        learning_rate: float = 0.1,
        batch_size: int = 256,
        max_iter: int = 5,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.window = window
        self.dim = dim
        self.loss = loss
        self.hidden = hidden
        self.activation = activation
        self.vectors = vectors
        self.train_vectors = train_vectors
        self.min_count = min_count
        self.word_dropout = word_dropout
        self.lowercase = lowercase
        self.l2 = l2
        self.margin = margin
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, sentences: Words, tags: Tags) -> Self:
        """Learn weights and vectors from tagged sentences.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence; there may be sentences with none.
        tags : sequence of sequences of str, int or bool
            The tag of each word: all of one kind.

        Returns
        -------
        WindowClassifier
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; if there are fewer than two different tags; if values
            overflow float32 in training. The model is left as it was.
        """
        options = Options.of(self)
        words, classes, codes = checked_data(sentences, tags, options.kind.lowercase)
        model = Model.begun(classes, self.vectors, self.random_state, options)
        model.learn_words(words, options.min_count)
        model.train(words, codes, options, options.max_iter)
        self._keep(model)
        return self

    def partial_fit(self, sentences: Words, tags: Tags, classes: ArrayLike | None = None) -> Self:
        """Go once through some tagged sentences; words that are new get vectors as in `fit`.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence.
        tags : sequence of sequences of str, int or bool
            The tag of each word: all of one kind.
        classes : array-like of shape (n_classes,), optional
            All tags there will be: needed in the first call if its sentences do not have them all.

        Returns
        -------
        WindowClassifier
            The model.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is not as described; if `window`, `loss`, `hidden`, `activation`, `train_vectors`
            or `lowercase` is not what it was in the first call (`dim`, `vectors` and `random_state` count there alone).
            The model is left as it was. If values overflow float32 in training, steps may have been made.

        Examples
        --------
        >>> from fastclf import WindowClassifier
        >>> model = WindowClassifier(window=1, random_state=0)
        >>> for _ in range(10):
        ...     model = model.partial_fit([["in", "Rome"]], [["O", "LOC"]], classes=["LOC", "O", "PER"])
        >>> model.predict([["in", "Rome"]])
        [['O', 'LOC']]
        """
        options = Options.of(self)
        begun: Model | None = getattr(self, "_model", None)
        known = None if begun is None else begun.classes
        words, found, codes = checked_data(sentences, tags, options.kind.lowercase, classes, known)
        model = begun or Model.begun(found, self.vectors, self.random_state, options)
        model.refuse_changes(options.kind)
        try:
            model.learn_words(words, options.min_count)
            model.train(words, codes, options, 1)
        except BaseException:
            if begun:
                self._keep(model)  # the words learned and the steps made are this model's
            raise
        self._keep(model)
        return self

    def decision_function(self, sentences: Words) -> list[NDArray[np.float64]]:
        """Compute scores of the tags, before any softmax.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence.

        Returns
        -------
        list of ndarray of shape (n_words, n_classes)
            Scores of each sentence's words, in the order of `classes_`. They do not depend on other sentences, on the
            threads or on the processor.

        Raises
        ------
        TypeError
            If sentences are not as described.
        """
        words, scores = self._scores(sentences)
        return words.split(scores)

    def predict(self, sentences: Words) -> list[list[Any]]:
        """Predict the tag of each word.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence.

        Returns
        -------
        list of list
            The tag with the largest score, the first of equals, for each word of each sentence.

        Raises
        ------
        TypeError
            If sentences are not as described.
        """
        words, scores = self._scores(sentences)
        return words.split(self.classes_[scores.argmax(axis=1)].tolist())

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, sentences: Words) -> list[NDArray[np.float64]]:
        """Compute probabilities of the tags: the softmax of the scores, of ``loss="softmax"``.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence.

        Returns
        -------
        list of ndarray of shape (n_words, n_classes)
            Probabilities for each sentence's words, in the order of `classes_`.

        Raises
        ------
        AttributeError
            With ``loss="max_margin"``, which defines no probabilities.
        TypeError, ValueError
            If sentences are not as described; or if `loss` was set after the fit.
        """
        check_is_fitted(self, "coefs_")
        if self._model.kind.loss != self.loss:
            raise ValueError(f"loss={self.loss!r} was set after the fit with {self._model.kind.loss!r}: fit again")
        words, scores = self._scores(sentences)
        return words.split(losses.softmax(scores, n_threads=self.n_threads))

    def score(self, sentences: Words, tags: Tags) -> float:
        """Compute the share of words whose tag is predicted.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence.
        tags : sequence of sequences of str, int or bool
            Their tags.

        Returns
        -------
        float
            Of all words, in any sentence.

        Raises
        ------
        TypeError, ValueError
            If sentences and tags are not as described, or have no words.

        Examples
        --------
        The mean over the tags of F1, which counts rare tags as much as frequent ones, is in scikit-learn:

        >>> from itertools import chain
        >>> from sklearn.metrics import f1_score
        >>> from fastclf import WindowClassifier
        >>> sentences, tags = [["in", "Rome"], ["in", "a", "hurry"]], [["O", "LOC"], ["O", "O", "O"]]
        >>> model = WindowClassifier(max_iter=50, random_state=0).fit(sentences, tags)
        >>> f1_score(list(chain(*tags)), list(chain(*model.predict(sentences))), average="macro")
        1.0
        >>> model.score(sentences, tags)
        1.0
        """
        words, scores = self._scores(sentences)
        true = tags_of(tags, words)
        if not true:
            raise ValueError("sentences have no words, so there is no share of them")
        predicted = self.classes_[scores.argmax(axis=1)].tolist()
        return float(sum(map(operator.eq, predicted, true)) / len(true))

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags

    def _keep(self, model: Model) -> None:
        self._model = model
        self.classes_, self.vocabulary_, self.vectors_ = model.classes, model.vocabulary.numbers, model.net.vectors
        self.coefs_ = [layer.W for layer in model.net.layers]
        self.intercepts_ = [layer.b for layer in model.net.layers]
        self.loss_curve_, self.n_iter_ = np.array(model.curve), len(model.curve)

    def _scores(self, sentences: Words) -> tuple[Sentences, NDArray[np.float64]]:
        check_is_fitted(self, "coefs_")
        model = self._model
        words = Sentences.of(sentences, model.kind.lowercase)
        text = model.vocabulary.text(words, model.kind.window)
        scores = model.net.scores(text.word, text.centre, _threads.resolve(self.n_threads))
        return words, scores.astype(np.float64)
