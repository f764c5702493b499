"""The window classifier."""

from __future__ import annotations

import operator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastclf import losses
from fastclf._shared import threads
from fastclf._shared.estimators import Estimator
from fastclf.window.inputs import Options
from fastclf.window.model import Model
from fastclf.window.sentences import Sentences, Words
from fastclf.window.tags import Tags, checked_data, tags_of, window_weights


def _has_probabilities(self: WindowClassifier) -> bool:
    """Whether the loss defines probabilities: raises AttributeError else, as scikit-learn expects."""
    if self.loss == "max_margin":
        raise AttributeError("loss='max_margin' defines no probabilities")
    return True


class WindowClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    r"""Classifier of words in context, by the vectors of the words around them: names, parts of speech.

    The input x is the vectors of the `window` words before a word, of the word itself and of the `window` words after
    it, one after the other. The scores are :math:`W x + b`, or with hidden units :math:`b' + W' \sigma(b + W x)`. The
    tag with the largest score is predicted. The vectors are learned with the weights, unless they are given and kept.

    Parameters
    ----------
    window : int, default=2
        Number of words on either side of the centre that count.
    dim : int, default=50
        Length of the vectors, where `vectors` does not say.
    loss : {"softmax", "max_margin"}, default="softmax"
        "softmax": the cross-entropy of the softmax. "max_margin": ``max(0, margin - s + s_c)``, where s is a window's
        score of its tag, and s_c a corrupt score [1]_. Half of the time s_c is the score of that tag in a window about
        a word of another tag; half of the time it is that of another tag in the window itself.
    hidden : int, optional
        Number of hidden units; by default there are none.
    activation : {"tanh", "logistic"}, default="tanh"
        Activation of the hidden units.
    vectors : mapping or tuple (words, matrix), optional
        Word vectors to begin with, such as `read_vectors` reads: a vector for each word, all of one length. Floats are
        rounded to float32; integers that float32 does not hold are refused.
    train_vectors : bool, default=True
        If True, vectors are trained, and words of the training sentences that have none get one. If False, only the
        vectors of unknown words and of the ends of sentences are trained.
    min_count : int, default=1
        How often a word has to occur in training to get a vector.
    word_dropout : "auto" or float, default="auto"
        A rate a, at least 0: each pass reads a word seen c times as unknown with probability ``a / (a + c)``. So rare
        words teach what to think of unknown ones. Words that come with a vector are never read as unknown. "auto": 1
        if at least a quarter of the other words that occur once have another tag than the commonest, else 0; the
        first call of `partial_fit` decides for later ones.
    lowercase : bool, default=False
        Whether words are taken in lower case, as vectors such as GloVe's have them. If given words differ in case
        alone, the first counts.
    class_weight : dict, "balanced" or None, default=None
        What windows about words of each tag weigh in the mean of the losses; "balanced" makes all tags count the same.
        So rare tags are found more often, at the price of false ones.
    l2 : float, default=0.0
        Weight of the penalty; see Notes.
    margin : float, default=1.0
        Margin of ``loss="max_margin"``.
    learning_rate : float, default=0.1
        Learning rate of Adagrad [2]_: the first step moves each value by this much.
    batch_size : int, default=256
        Number of windows in a step.
    max_iter : int, default=5
        Passes over the windows that `fit` makes.
    random_state : int, RandomState instance or None, default=None
        Draws the first weights and vectors, the order of the windows, unknown words and corrupt windows.
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
        Word vectors. Row 0 stands for the places beyond the ends of sentences, row 1 for unknown words.
    coefs_ : list of ndarray of shape (n_outputs, n_inputs), float32
        W; with hidden units W and W'. The inputs are the window's vectors, from the first word to the last.
    intercepts_ : list of ndarray of shape (n_outputs,), float32
        b; with hidden units b and b'.
    n_iter_ : int
        Passes made, by `fit` and `partial_fit`.
    word_dropout_ : float
        The rate `word_dropout` of the last call, chosen or given.
    loss_curve_ : ndarray of shape (`n_iter_`,)
        The objective in each pass: the mean of its values at the steps.

    See Also
    --------
    read_tagged, read_vectors : Readers of tagged sentences and of word vectors.
    fastclf.losses.cross_entropy, fastclf.losses.max_margin : The losses.

    Notes
    -----
    The objective is the mean of the losses, weighted if there are weights, plus l2 times a penalty. The penalty is the
    sum of the squares of the weights W and W', plus the mean over the windows of the sum of the squares of their
    trained vectors. So a vector is penalised as often as it is used. A step uses the vectors of its own windows only:
    its cost does not grow with the vocabulary.

    The result depends on the seed, but not on the number of threads or the processor. Beside the sentences, the vectors
    and the sums of squares of Adagrad, training holds some 80 bytes for each word of the sentences, 4 for each place of
    padding (`window` beside each sentence) and the inputs of one mini-batch. A call of `partial_fit` looks only at its
    own words, but copies the vectors if some of these words are new. If training is interrupted, `fit` leaves the model
    as it was; `partial_fit` may have made some of its steps.

    Sentences are lists of words, not arrays of numbers: there is no `n_features_in_`. `clone`, pipelines and searches
    for parameters work as usual (``cv`` has to be a splitter that does not look at the tags, such as `KFold`).

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
        word_dropout: str | float = "auto",
        lowercase: bool = False,
        class_weight: Any = None,
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
        self.class_weight = class_weight
        self.l2 = l2
        self.margin = margin
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, sentences: Words, tags: Tags, sample_weight: ArrayLike | None = None) -> Self:
        """Learn weights and vectors from tagged sentences.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence; there may be sentences with none.
        tags : sequence of sequences of str, int or bool
            The tag of each word: all of one kind.
        sample_weight : array-like of shape (n_sentences,), optional
            What each sentence's windows weigh in the mean of the losses: finite, not negative, not all 0.

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
        weight = window_weights(words, classes, codes, self.class_weight, sample_weight)
        model = Model.begun(classes, self.vectors, self.random_state, options)
        model.learn(words, codes, weight, options, options.max_iter)
        self._keep(model)
        return self

    def partial_fit(
        self, sentences: Words, tags: Tags, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Go once through some tagged sentences; words that are new get vectors as in `fit`.

        Parameters
        ----------
        sentences : sequence of sequences of str
            The words of each sentence.
        tags : sequence of sequences of str, int or bool
            The tag of each word: all of one kind.
        classes : array-like of shape (n_classes,), optional
            All tags there will be: needed in the first call if its sentences do not have them all.
        sample_weight : array-like of shape (n_sentences,), optional
            Weights of the sentences relative to the others of this call; "balanced" refers to this call, too.

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
        weight = window_weights(words, found, codes, self.class_weight, sample_weight)
        model = begun or Model.begun(found, self.vectors, self.random_state, options)
        model.refuse_changes(options.kind)
        try:
            model.learn(words, codes, weight, options, 1)
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
        >>> from fastclf import WindowClassifier
        >>> sentences, tags = [["in", "Rome"], ["in", "a", "hurry"]], [["O", "LOC"], ["O", "O", "O"]]
        >>> model = WindowClassifier(max_iter=50, random_state=0).fit(sentences, tags)
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
        self.word_dropout_ = model.word_dropout
        self.loss_curve_, self.n_iter_ = np.array(model.curve), len(model.curve)

    def _scores(self, sentences: Words) -> tuple[Sentences, NDArray[np.float64]]:
        check_is_fitted(self, "coefs_")
        words = Sentences.of(sentences, self._model.kind.lowercase)
        return words, self._model.scores(words, threads.resolve(self.n_threads))
