"""What the estimators share: from parameters to a configuration, and from a fit to a result."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from distsearch.api.callbacks import observers_of
from distsearch.api.estimators.distinct import distinct
from distsearch.api.estimators.inputs import validated
from distsearch.api.estimators.parameters import (
    Suited,
    check_stopping,
    configured,
    module_of,
    rounds_per_pass,
    with_rate,
)
from distsearch.api.estimators.validation import Curve, Validation
from distsearch.api.results import SearchResult
from distsearch.api.wording import speaking_python
from distsearch.config import RunConfig
from distsearch.config.sections import NetworkConfig
from distsearch.data import datasets
from distsearch.data.arrays import as_array
from distsearch.data.datasets import Dataset
from distsearch.data.raw import Raw
from distsearch.data.schema import Schema
from distsearch.data.weights import kept_of
from distsearch.errors import SettingError, UserError
from distsearch.machine import one_thread
from distsearch.objectives.model import Model
from distsearch.search import session
from distsearch.search.assembly import Assembly, assemble
from distsearch.search.interrupts import passed_on
from distsearch.search.observers import History
from distsearch.strategies.base import Best, State
from distsearch.workers.place import keep_ray

LARGEST_SEED = 2**31 - 1
ROWS = 256  # of a product when predicting

Array = NDArray[Any]


class InvalidValueError(SettingError, ValueError):
    """A parameter or data that cannot be used; a ValueError, as scikit-learn expects."""


@dataclass(frozen=True)
class Training:
    """Checked examples to fit: features (examples, features), targets and weights (examples,), None for all alike."""

    features: Array
    targets: Array
    weights: Array | None

    @property
    def raw(self) -> Raw:
        """Features and weights for checks."""
        return Raw("the arrays", self.features, None, weights=self.weights)

    def at(self, places: Array) -> "Training":
        """Those at the places."""
        weights = None if self.weights is None else self.weights[places]
        return Training(self.features[places], self.targets[places], weights)


class Fitted(NamedTuple):
    """What a later fit continues from."""

    schema: Schema
    weights: Array  # (n,)
    network: NetworkConfig  # in the words of the data set
    state: State | None  # of the search, after partial_fit


class SearchEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Fits a network by search; a subclass says what targets are and how outputs become predictions."""

    _suited: ClassVar[Suited]  # what is chosen for parameters that are not given

    result_: SearchResult
    n_iter_: int
    loss_curve_: list[float]
    best_loss_: float
    validation_scores_: list[float] | None
    best_validation_score_: float | None

    layers: Any
    model: Any
    activation: Any
    loss: Any
    metrics: Any
    subject_to: Any
    strategy: str | type[Any]
    rounds: int | None
    seconds: float | None
    batch: int | None
    rate: float | None
    decay: float | None
    start: str | None
    scale: bool
    warm_start: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    tol: float
    workers: int | None
    random_state: Any
    callbacks: Any
    settings: Mapping[str, Any] | None

    @abstractmethod
    def _dataset(self, training: Training, config: RunConfig) -> Dataset:
        """The data set of a first fit."""

    def _with_labels(self, config: RunConfig, training: Training, before: Fitted | None) -> RunConfig:
        """The configuration with labels in the words of the data set; what is left open stays as in the fit before."""
        return config

    def _shown_network(self, network: NetworkConfig) -> NetworkConfig:
        """The settings of the network with what they say of labels in the user's words."""
        return network

    @abstractmethod
    def _words(self, targets: Array) -> Array:
        """The targets as a data set has them."""

    @abstractmethod
    def _decoded(self, model: Model, outputs: Array) -> Array:
        """Predictions from a model's outputs, (examples, outputs)."""

    @abstractmethod
    def _score(self, targets: Array, predicted: Array, weights: Array | None) -> float:
        """How good predictions are; more is better."""

    @abstractmethod
    def _shown(self, schema: Schema) -> Schema:
        """The schema in the user's words."""

    def _checked_weights(self, sample_weight: Any) -> Array | None:
        if sample_weight is None:
            return None
        with _as_value_errors():
            weights = as_array("sample_weight", sample_weight)
        return weights.astype(np.float64) if weights.dtype.kind in "biuf" else weights

    def __sklearn_tags__(self) -> Any:
        """Those of scikit-learn's, from 1.6 on, and that X may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _validated(self, X: Any, *targets: Any, **options: Any) -> Any:
        """X, or X and y, checked."""
        with _as_value_errors():
            return validated(self, X, *targets, **options)

    def _fit(self, training: Training, strata: Array | None) -> None:
        """A fit from the beginning, or with warm_start from the weights of the last one."""
        with _as_value_errors():
            seed = self._seed()
            kept_of(training.raw, None)  # refuses weights that cannot be
            held_out = None
            if self.early_stopping:
                check_stopping(self)
                training, held_out = self._split(training, strata, seed)
            training = Training(*distinct(training.features, training.targets, training.weights))
            before = self._fitted if self.warm_start and hasattr(self, "result_") else None
            config = self._with_labels(configured(self, len(training.features), seed), training, before)
            dataset = self._dataset(training, config) if before is None else self._further(training, before.schema)
            assembly = self._assembly(config, dataset)
            if before is not None:
                first = self._first(assembly, before.weights)
                assembly = _starting(assembly, assembly.strategy.init(first, seed))
            self._search(assembly, dataset.schema, held_out, before is not None)

    def _partial_fit(self, training: Training) -> None:
        """One pass over the examples, continuing the search, whose features stay scaled as in its first call."""
        with _as_value_errors():
            kept_of(training.raw, None)  # refuses weights that cannot be
            before: Fitted | None = getattr(self, "_fitted", None)
            count = len(training.features)
            state = None if before is None else before.state
            done = 0 if state is None else state.round
            seed = self._seed() if state is None else state.seed
            rounds = done + rounds_per_pass(self, count)
            config = self._with_labels(configured(self, count, seed, rounds, schedule="constant"), training, before)
            dataset = self._dataset(training, config) if before is None else self._further(training, before.schema)
            assembly = self._assembly(config, dataset)
            if before is not None and state is None:
                assembly = _starting(assembly, assembly.strategy.init(self._first(assembly, before.weights), seed))
            elif before is not None and state is not None:
                self._first(assembly, before.weights)
                weights = assembly.strategy.proposed(state)
                assembly = _starting(assembly, replace(state, best=Best.unknown(weights)))
            self._search(assembly, dataset.schema, None, before is not None, partial=True)

    def _assembly(self, config: RunConfig, dataset: Dataset) -> Assembly:
        config = with_rate(self, config, dataset.schema, len(dataset.train.features))
        return assemble(config, dataset, model=module_of(self))

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(LARGEST_SEED))

    def _split(self, training: Training, strata: Array | None, seed: int) -> tuple[Training, Training]:
        """The examples to fit, and those set aside."""
        places = np.arange(len(training.features))
        share = self.validation_fraction
        try:
            kept, aside = train_test_split(places, test_size=share, stratify=strata, random_state=seed)
        except ValueError:  # in the words of another function's parameters
            least = "" if strata is None else ", with every class in both parts"
            raise InvalidValueError(
                f"validation_fraction: expected a share of the {len(places):,} examples that leaves some on either side"
                f"{least}, got {share}; give more examples, or early_stopping=False"
            ) from None
        return training.at(np.sort(kept)), training.at(np.sort(aside))

    def _further(self, training: Training, schema: Schema) -> Dataset:
        """The data set of a later fit, read as that of the first."""
        words = self._words(training.targets)
        return Dataset(datasets.examples_from(training.features, words, schema, training.weights), None, schema, "")

    def _first(self, assembly: Assembly, weights: Array) -> Array:
        """The weights to continue from, (n,). Raises SettingError if the network is another now."""
        if assembly.task.weights_count != len(weights):
            name = "layers" if self.model is None else "model"
            raise SettingError(
                f"{name}: expected the network of the last fit, which has {len(weights):,} weights, to continue from "
                f"it, got one of {assembly.task.weights_count:,}; fit with warm_start=False to begin anew"
            )
        return weights

    def _search(
        self, assembly: Assembly, schema: Schema, held_out: Training | None, continued: bool, partial: bool = False
    ) -> None:
        """Search, and set what a fitted estimator has; an interrupted search is passed on after that."""
        keep_ray()
        history, curve = History(), Curve(assembly.strategy)
        observers = [history, curve, *observers_of(self.callbacks or ())]
        validation = None
        if held_out is not None:
            validation = self._validation(assembly, schema, held_out)
            observers.append(validation)
        with passed_on() as interrupts:
            with one_thread():
                found = session.run_unrecorded(replace(assembly, notes=()), observers, interrupts)
                loss, weights = _chosen(assembly, found.state, validation, partial)
            network = assembly.config.network
            model = Model(self._shown_network(network), self._shown(schema), weights, assembly.plan.network)
            summary = structs.replace(found.result, loss=loss, rounds=len(history.records))
            self.result_ = interrupts.result = SearchResult(weights, history.records, summary, model)
            self._fitted = Fitted(schema, weights, network, found.state if partial else None)
            self.loss_curve_ = [*(self.loss_curve_ if continued else []), *curve.losses]
            self.n_iter_ = len(self.loss_curve_)
            self.best_loss_ = loss
            self.validation_scores_ = None if validation is None else validation.scores
            self.best_validation_score_ = None if validation is None else validation.best_score

    def _validation(self, assembly: Assembly, schema: Schema, held_out: Training) -> Validation:
        config, strategy = assembly.config, assembly.strategy
        features = datasets.features_from(held_out.features, schema)
        one_pass = max(1, round(1 / assembly.task.share))

        def score(weights: NDArray[np.float32]) -> float:
            model = Model(config.network, schema, weights, assembly.plan.network)
            return self._score(held_out.targets, self._decoded(model, _outputs(model, features)), held_out.weights)

        def proposed(state: State) -> NDArray[np.float32]:
            return strategy.proposed(state) if strategy.chosen_by_measuring else state.best.weights

        return Validation(proposed, score, one_pass, self.n_iter_no_change, self.tol)

    def _with_columns(self, schema: Schema) -> Schema:
        """The schema with the names of the columns of X, if it had any."""
        names = tuple(getattr(self, "feature_names_in_", ()))
        return replace(schema, features=names) if len(set(names)) == len(names) > 0 else schema

    def _outputs_for(self, X: Any) -> Array:
        """The network's outputs for X, (examples, outputs)."""
        check_is_fitted(self, "result_")
        X = self._validated(X, reset=False)
        with _as_value_errors():
            return _outputs(self.result_.model, datasets.features_from(X, self._fitted.schema))


def features_dataset(training: Training, targets: Array, config: RunConfig, degree: int | None) -> Dataset:
    """The data set of features and numbers, (examples,) or (examples, outputs), prepared as the configuration says.

    degree: as of a loss; if None, the numbers stay as they are.
    """
    return datasets.from_arrays(
        training.features,
        targets,
        numbers=True,
        degree=degree,
        weights=training.weights,
        scale=config.data.scale != "no",
        shape=config.data.shape,
        input_bits=config.data.input_bits,
    )


def _chosen(assembly: Assembly, state: State, validation: Validation | None, partial: bool) -> tuple[float, Array]:
    """The loss and the weights, (n,), that a fit whose search has come to a state stands for."""
    strategy, best = assembly.strategy, state.best
    if validation is not None and validation.best is not None:
        return assembly.objective.measure(validation.best).loss or 0.0, validation.best
    if strategy.chosen_by_measuring:
        measured = assembly.objective.measure(strategy.proposed(state))
        constraints, last = assembly.plan.constraints, measured.loss or 0.0
        violation = constraints.violation(measured.metrics or {}) if constraints else None
        if partial or best.is_beaten_by(last, violation):
            return last, strategy.proposed(state)
    return best.loss, best.weights


def _outputs(model: Model, features: NDArray[np.float32]) -> Array:
    """The outputs, (examples, outputs), in products of ROWS examples: so none depends on which others are there."""
    rest = -len(features) % ROWS
    padded = np.concatenate([features, np.zeros((rest, features.shape[1]), np.float32)])
    with one_thread():
        parts = [model.outputs(padded[at : at + ROWS]) for at in range(0, len(padded), ROWS)]
    return np.concatenate(parts)[: len(features)]


def _starting(assembly: Assembly, state: State) -> Assembly:
    """The assembly of a search that begins in another state."""
    return replace(assembly, plan=replace(assembly.plan, first=state))


@contextmanager
def _as_value_errors() -> Iterator[None]:
    """While entered, errors about what the user has given are ValueErrors that speak of keyword arguments."""
    try:
        with speaking_python():
            yield
    except UserError as error:
        raise InvalidValueError(str(error)) from error
