"""SearchRegressor: a regressor whose network is searched for, with scikit-learn's interface."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score

from distsearch.api.estimators.base import InvalidValueError, SearchEstimator, Training, features_dataset
from distsearch.api.estimators.parameters import OF_NUMBERS
from distsearch.config import RunConfig
from distsearch.data.datasets import Dataset
from distsearch.data.schema import Schema
from distsearch.errors import SettingError
from distsearch.objectives import losses
from distsearch.objectives.model import Model

Array = NDArray[Any]


class SearchRegressor(MultiOutputMixin, RegressorMixin, SearchEstimator):  # type: ignore[misc]  # scikit-learn's
    """A regressor, of one number or several: a network whose weights are searched for without gradients.

    Parameters are those of `distsearch.search`, with scikit-learn's names where they mean the same.

    Args:
        layers: hidden layers: numbers of neurons, or words such as conv16x5.
        model: a torch module in the place of layers: a class, a function that returns one, either by name as
            package.module:name, or a module, which is copied.
        activation: of the hidden layers: relu, tanh, step, sign, …; nothing needs a gradient.
        loss: what is minimised: mean-squared-error, or any other loss of numbers, such as pinball, or a function of
            outputs and targets with `numbers = True`.
        quantile: for loss="pinball": the quantile to predict, such as 0.9.
        metrics: what is measured beside it: names, or functions of true and predicted numbers; see `result_.summary`.
        subject_to: what the network has to hold to, such as "share-below>=0.9"; see `result_.summary.constraints`.
        strategy: node-perturbation, any other that `distsearch strategies` lists, or a class of your own.
        rounds: how many; None: as suits the data, unless `seconds` is given.
        seconds: the time of a fit; None: no limit. With a limit, fits are not reproducible.
        batch: examples per round; None: 256, or all where there are fewer than 512.
        rate: the strategy's learning rate; None: for node-perturbation at most 0.03, or 0.01 without batches.
        decay: weight decay, as a share of the rate; None: for node-perturbation 400 / examples, 0.5 at most.
        start: initial weights: he, glorot or course; None: what suits the activation.
        scale: standardise features and targets by their mean and deviation; predictions come in the units of y.
        early_stopping: set examples aside, stop when R² on them gets no better, and keep the best weights.
        validation_fraction: the share of the examples that is set aside.
        n_iter_no_change: how many times in a row R² is measured in vain before it stops, once a pass.
        tol: by how much R² has to rise to be better.
        warm_start: let `fit` continue from the weights of the last fit.
        workers: 0: in this process, without Ray; N: that many Ray workers; None: as many as pay.
        random_state: an int, a RandomState, or None for a different fit each time.
        callbacks: as of `distsearch.search`.
        settings: further settings of `distsearch run`, by their names: {"precision": "int8"}.

    Attributes of a fitted regressor:
        n_features_in_, feature_names_in_: of X; names only if X was a data frame.
        n_iter_: rounds. loss_curve_: the loss of the round's examples, round by round, (n_iter_,).
        best_loss_: the loss of the weights on all examples.
        validation_scores_, best_validation_score_: with early_stopping; else None.
        result_: the `SearchResult`: weights, history, save, evaluate, …

    Losses are in the units of y, except those of several targets and those that depend on the unit (huber, log-cosh,
    functions), which are of standardised targets. They are weighted by sample_weight; rows that are the same count as
    one, of their weights' sum.
    What cannot be used raises a ValueError that says what to change.
    """

    _suited = OF_NUMBERS

    def __init__(
        self,
        layers: Sequence[int | str] | int | str = (100,),
        *,
        model: Any = None,
        activation: Sequence[str] | str = "relu",
        loss: Any = "mean-squared-error",
        quantile: float | None = None,
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
        self.quantile = quantile
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
        """Fit to X, (examples, features), and numbers y, (examples,) or (examples, outputs), weights (examples,)."""
        training = self._checked(X, y, sample_weight, reset=not (self.warm_start and hasattr(self, "result_")))
        self._fit(training, None)
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Continue the search by one pass over X, (examples, features), and y, (examples,) or (examples, outputs).

        Features and targets are standardised as suits the examples of the first call.
        """
        self._partial_fit(self._checked(X, y, sample_weight, reset=not hasattr(self, "result_")))
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Numbers of the shape of y, (examples,) or (examples, outputs), for X, (examples, features)."""
        outputs = self._outputs_for(X)
        return self._decoded(self.result_.model, outputs)

    def _checked(self, X: ArrayLike, y: ArrayLike, sample_weight: Any, reset: bool) -> Training:
        features, targets = self._validated(
            X, y, reset=reset, multi_output=True, y_numeric=True, ensure_min_samples=1 + reset
        )
        try:
            numbers = np.asarray(targets, np.float64)
        except ValueError:
            raise InvalidValueError("y: expected numbers, got text; SearchClassifier fits labels") from None
        return Training(features, numbers, self._checked_weights(sample_weight))

    def _dataset(self, training: Training, config: RunConfig) -> Dataset:
        loss = losses.create(config.network.loss)
        if not loss.numbers:
            instead = "set numbers = True on your function" if callable(self.loss) else "SearchClassifier fits classes"
            raise SettingError(
                f"loss: expected a loss of numbers, such as mean-squared-error, got {config.network.loss}; {instead}"
            )
        self._outputs = training.targets.shape[1:]  # (), or (outputs,)
        # Losses that depend on the unit see standardised targets as well; logarithms are of numbers as they are.
        degree = None if loss.logarithms else loss.degree or losses.MeanSquaredError.degree
        return features_dataset(training, training.targets, config, degree)

    def _words(self, targets: Array) -> Array:
        if targets.shape[1:] != self._outputs:
            kept = f"a row of {self._outputs[0]}" if self._outputs else "one number"
            raise InvalidValueError(
                f"y: expected {kept} for each example, as in the last fit, got the shape {targets.shape}"
            )
        return targets

    def _decoded(self, model: Model, outputs: Array) -> Array:
        numbers = model.numbers(outputs).astype(np.float64)
        return numbers if self._outputs else numbers[:, 0]

    def _score(self, targets: Array, predicted: Array, weights: Array | None) -> float:
        return float(r2_score(targets, predicted, sample_weight=weights))

    def _shown(self, schema: Schema) -> Schema:
        return self._with_columns(schema)
