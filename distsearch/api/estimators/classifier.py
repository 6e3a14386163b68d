"""SearchClassifier: a classifier whose network is searched for, with scikit-learn's interface."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Self

import numpy as np
from msgspec import structs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from distsearch.api.estimators.base import Fitted, InvalidValueError, SearchEstimator, Training, features_dataset
from distsearch.api.estimators.parameters import OF_CLASSES
from distsearch.config import RunConfig
from distsearch.config.sections import NetworkConfig
from distsearch.data.datasets import Dataset
from distsearch.data.labels import TEXT, text_of, type_of
from distsearch.data.schema import Schema
from distsearch.data.weights import BALANCED, class_weight_words, class_weights
from distsearch.errors import SettingError, brief
from distsearch.objectives import losses
from distsearch.objectives.losses.terms import matrix
from distsearch.objectives.model import Model

Array = NDArray[Any]

CROSS_ENTROPY = "cross-entropy"


def _has_probabilities(estimator: Any) -> bool:
    if losses.is_probable(estimator.loss):
        return True
    raise AttributeError(f'expected loss="{CROSS_ENTROPY}" for probabilities, got {brief(estimator.loss)}')


class SearchClassifier(ClassifierMixin, SearchEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier: a network whose weights are searched for without gradients.

    Parameters are those of `distsearch.search`, with scikit-learn's names where they mean the same.

    Args:
        layers: hidden layers: numbers of neurons, or words such as conv16x5.
        model: a torch module in the place of layers: a class, a function that returns one, either by name as
            package.module:name, or a module, which is copied.
        activation: of the hidden layers: relu, tanh, step, sign, …; nothing needs a gradient.
        loss: what is minimised: cross-entropy, or any other loss of classes, such as f1, or a function of outputs,
            (examples, classes), and class numbers, (examples,).
        costs: for loss="expected-cost": {true: {predicted: cost}}, or rows of them in the order of the labels.
        metrics: what is measured beside it: names, or functions of true and predicted labels; see `result_.summary`.
        subject_to: what the network has to hold to, such as "recall>=0.9"; see `result_.summary.constraints`.
        strategy: node-perturbation, any other that `distsearch strategies` lists, or a class of your own.
        rounds: how many; None: as suits the data, unless `seconds` is given.
        seconds: the time of a fit; None: no limit. With a limit, fits are not reproducible.
        batch: examples per round; None: 256, or all where there are fewer than 512.
        rate: the strategy's learning rate; None: for node-perturbation at most 0.02, or 0.01 without batches; 0.005
            for expected-cost.
        decay: weight decay, as a share of the rate; None: for node-perturbation 400 / examples, 0.5 at most; five
            times that for expected-cost.
        start: initial weights: he, glorot or course; None: what suits the activation.
        scale: standardise the features by the mean and deviation of those that are fitted.
        class_weight: {label: weight}, "balanced", or None for weights of 1.
        early_stopping: set examples aside, stop when accuracy on them gets no better, and keep the best weights.
        validation_fraction: the share of the examples that is set aside.
        n_iter_no_change: how many times in a row accuracy is measured in vain before it stops, once a pass.
        tol: by how much accuracy has to rise to be better.
        warm_start: let `fit` continue from the weights of the last fit.
        workers: 0: in this process, without Ray; N: that many Ray workers; None: as many as pay.
        random_state: an int, a RandomState, or None for a different fit each time.
        callbacks: as of `distsearch.search`.
        settings: further settings of `distsearch run`, by their names: {"precision": "int8"}.

    Attributes of a fitted classifier:
        classes_: the labels, (classes,), in their order.
        n_features_in_, feature_names_in_: of X; names only if X was a data frame.
        n_iter_: rounds. loss_curve_: the loss of the round's examples, round by round, (n_iter_,).
        best_loss_: the loss of the weights on all examples.
        validation_scores_, best_validation_score_: with early_stopping; else None.
        result_: the `SearchResult`: weights, history, save, evaluate, …

    Losses are weighted by sample_weight and class_weight; rows that are the same count as one, of their weights' sum.
    What cannot be used raises a ValueError that says what to change.
    """

    _suited = OF_CLASSES
    classes_: Array

    def __init__(
        self,
        layers: Sequence[int | str] | int | str = (100,),
        *,
        model: Any = None,
        activation: Sequence[str] | str = "relu",
        loss: Any = CROSS_ENTROPY,
        costs: Any = None,
        metrics: Any = None,
        subject_to: Sequence[str] | str | None = None,
        strategy: str | type[Any] = "node-perturbation",
        rounds: int | None = None,
        seconds: float | None = None,
        batch: int | None = None,
        rate: float | None = None,
        decay: float | None = None,
        start: str | None = "he",
        scale: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        workers: int | None = 0,
        random_state: Any = None,
        callbacks: Any = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.layers = layers
        self.model = model
        self.activation = activation
        self.loss = loss
        self.costs = costs
        self.metrics = metrics
        self.subject_to = subject_to
        self.strategy = strategy
        self.rounds = rounds
        self.seconds = seconds
        self.batch = batch
        self.rate = rate
        self.decay = decay
        self.start = start
        self.scale = scale
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.workers = workers
        self.random_state = random_state
        self.callbacks = callbacks
        self.settings = settings

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to X, (examples, features), and labels y, (examples,), with weights, (examples,)."""
        warm = self.warm_start and hasattr(self, "result_")
        X, y = self._checked(X, y, reset=not warm)
        classes = np.unique(y)
        if warm and not np.array_equal(classes, self.classes_):
            raise InvalidValueError(
                f"y: expected the labels of the last fit to continue from it, {brief(self.classes_.tolist())}, got "
                f"{brief(classes.tolist())}; fit with warm_start=False to begin anew"
            )
        if len(classes) < 2:
            raise InvalidValueError(f"y: expected at least 2 classes, got one class, {brief(classes.tolist()[0])}")
        self.classes_ = classes
        codes = np.searchsorted(classes, y)
        self._fit(Training(X, codes, self._checked_weights(sample_weight)), codes)
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Continue the search by one pass over X, (examples, features), and y, (examples,).

        The first call needs all classes, (classes,), unless y has them; features are scaled as suits its examples.
        """
        first = not hasattr(self, "result_")
        X, y = self._checked(X, y, reset=first)
        if first:
            self.classes_ = np.unique(y if classes is None else np.asarray(classes))
        elif classes is not None and not np.array_equal(np.unique(np.asarray(classes)), self.classes_):
            raise InvalidValueError("classes: expected those of the first call of partial_fit")
        if len(self.classes_) < 2:
            raise InvalidValueError("classes: expected all labels that will occur, at least 2 of them")
        if unknown := sorted(set(y.tolist()) - set(self.classes_.tolist())):
            raise InvalidValueError(f"y: expected labels among classes, got {brief(unknown[0])}")
        if self.class_weight == BALANCED:
            raise InvalidValueError(
                'class_weight: expected {label: weight} with partial_fit, got "balanced", which needs to see all of y'
            )
        codes = np.searchsorted(self.classes_, y)
        self._partial_fit(Training(X, codes, self._checked_weights(sample_weight)))
        return self

    def predict(self, X: ArrayLike) -> Array:
        """The labels, (examples,), for X, (examples, features)."""
        outputs = self._outputs_for(X)
        return self.classes_[self._decoded(self.result_.model, outputs)]

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """The network's outputs, (examples, classes), whatever its loss, in the order of `classes_`.

        Of two classes: how far the second is above the first, (examples,).
        """
        outputs = self._outputs_for(X).astype(np.float64)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The probability of each class, (examples, classes), in the order of `classes_`."""
        outputs = self._outputs_for(X).astype(np.float64)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The logarithm of each class's probability, (examples, classes), in the order of `classes_`."""
        outputs = self._outputs_for(X).astype(np.float64)
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def _checked(self, X: ArrayLike, y: ArrayLike, reset: bool) -> tuple[Array, Array]:
        y = _of_numpy(y)
        features, labels = self._validated(X, y, reset=reset, ensure_min_samples=1 + reset)
        check_classification_targets(labels)
        return features, column_or_1d(labels, warn=True)

    def _dataset(self, training: Training, config: RunConfig) -> Dataset:
        """Features scaled by those given; outputs for all classes, also those that partial_fit has not met yet."""
        if losses.create(config.network.loss).numbers:
            raise SettingError(
                f"loss: expected a loss of classes, such as {CROSS_ENTROPY}, got {config.network.loss}; "
                "SearchRegressor fits numbers"
            )
        names = _names(len(self.classes_))
        by_class = class_weights(self._coded_weights(names), names, training.targets, training.weights)
        features = features_dataset(training, np.zeros(len(training.features)), config, degree=None)
        schema = replace(
            features.schema, classes=names, outputs=len(names), label_type=TEXT, flat=True, class_weights=by_class
        )
        return self._further(training, schema)

    def _coded_weights(self, names: Sequence[str]) -> list[str]:
        """The words of the setting class_weight, with the labels' names in the data set."""
        given = self.class_weight
        if not isinstance(given, Mapping):
            return class_weight_words(given)
        name_of = dict(zip(self.classes_.tolist(), names, strict=True))
        for label, weight in given.items():
            if label not in name_of:
                raise SettingError(
                    f"class_weight: expected labels of y, {brief(self.classes_.tolist())}, got {brief(label)}"
                )
            if not isinstance(weight, Real) or not 0 < weight < np.inf:
                raise SettingError(
                    f"class_weight: expected a weight above 0 for the label {brief(label)}, got {brief(weight)}; to "
                    "leave a class out, remove its rows"
                )
        return class_weight_words({name_of[label]: weight for label, weight in given.items()})

    def _words(self, targets: Array) -> Array:
        return np.array(_names(len(self.classes_)))[targets]

    def _decoded(self, model: Model, outputs: Array) -> Array:
        return outputs.argmax(axis=1)

    def _score(self, targets: Array, predicted: Array, weights: Array | None) -> float:
        return float(accuracy_score(targets, predicted, sample_weight=weights))

    def _with_labels(self, config: RunConfig, training: Training, before: Fitted | None) -> RunConfig:
        """The configuration with the positive class and costs by the names that classes have in the data set."""
        network, texts, names = config.network, self._texts, _names(len(self.classes_))
        if network.costs is not None:
            rows = matrix(losses.with_costs(network).costs or "", texts)
            network = structs.replace(network, costs=json.dumps(rows.tolist()))
        counts = np.bincount(training.targets, training.weights, len(texts))
        chosen = losses.chosen(network, texts, counts)
        positive_before = None if before is None else before.network.positive
        if chosen.positive != network.positive and positive_before is not None:
            chosen = structs.replace(chosen, positive=positive_before)
        elif chosen.positive in texts:
            chosen = structs.replace(chosen, positive=names[texts.index(chosen.positive)])
        return structs.replace(config, network=chosen)

    def _shown_network(self, network: NetworkConfig) -> NetworkConfig:
        """With the positive class by its label, where `_shown` has labels."""
        if network.positive is None or not self._told:
            return network
        place = _names(len(self.classes_)).index(network.positive)
        return structs.replace(network, positive=self._texts[place])

    def _shown(self, schema: Schema) -> Schema:
        """The schema with the labels and the columns as they came, where a file can hold them."""
        if self._told:
            kind = type_of(self.classes_, self.classes_.tolist())
            schema = replace(schema, classes=self._texts, label_type=kind or TEXT)
        return self._with_columns(schema)

    @property
    def _texts(self) -> tuple[str, ...]:
        """The labels as text, as they are told apart elsewhere; only different ones if `_told`."""
        kind = type_of(self.classes_, self.classes_.tolist())
        return tuple(text_of(label, kind) if kind else str(label) for label in self.classes_)

    @property
    def _told(self) -> bool:
        """Whether the labels are of one type, and are told apart by their texts."""
        kind = type_of(self.classes_, self.classes_.tolist())
        return kind is not None and len(set(self._texts)) == len(self.classes_)


def _names(count: int) -> tuple[str, ...]:
    """Names of classes, whatever their labels are: no numbers, as these could be taken for what they are not."""
    return tuple(f"class {number}" for number in range(count))


def _of_numpy(labels: Any) -> Any:
    """Labels of pandas' own integers or booleans as NumPy's; scikit-learn would make floats of them."""
    kind = getattr(getattr(labels, "dtype", None), "numpy_dtype", None)
    if isinstance(kind, np.dtype) and kind.kind in "biu" and not labels.isna().any():
        return labels.to_numpy(kind)
    return labels
