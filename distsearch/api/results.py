"""What a search from Python returns: weights, history, and for a network a model that predicts, scores and is saved."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.api import notebook
from distsearch.api.files import path_of, write
from distsearch.api.wording import speaking_python
from distsearch.config.sections import NetworkConfig
from distsearch.data import datasets
from distsearch.data.schema import Schema
from distsearch.errors import DataError, DistsearchError, RunError, SettingError
from distsearch.errors.importing import importing
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.objectives.metrics import names_of
from distsearch.objectives.model import Model, Scores
from distsearch.runs import checkpoints
from distsearch.runs.directory import Result, StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.runs.layout import BEST
from distsearch.search.provenance import provenance_of
from distsearch.search.resumption import stored_model
from distsearch.search.saving import model_file
from distsearch.settings import validate

SAVED = {"network", "schema", "summary", "history", "provenance", "drawn"}


@dataclass(frozen=True, repr=False, eq=False)
class FunctionResult:
    """The result of searching the weights of a function."""

    weights: NDArray[np.float32]  # (n,), the lowest-loss weights
    history: list[RoundRecord]
    summary: Result
    center: NDArray[np.float32] | None = field(default=None, kw_only=True)
    """The center when the search ended, (n,); None for networks and for loaded results."""

    @property
    def loss(self) -> float:
        """The lowest loss found; for a noisy function partly luck, see `center_loss`."""
        return self.summary.loss

    @property
    def center_loss(self) -> float | None:
        """The center's loss for a noisy function: the mean of `summary.center_evaluations` evaluations."""
        return self.summary.center_loss

    def to_frame(self) -> Any:
        """The history as a pandas data frame: a row for each round. Raises SettingError if pandas is not installed."""
        with importing("pandas", "to_frame: needs"):
            import pandas as pd
        fields = RoundRecord.__struct_fields__
        return pd.DataFrame([[getattr(row, name) for name in fields] for row in self.history], columns=list(fields))

    def __repr__(self) -> str:
        """A few lines: what was found, how, and at what cost."""
        lines = [f"{name:<10} {text}" for name, text in self._figures()]
        return "\n  ".join([f"<distsearch.{type(self).__name__}", *lines]) + ">"

    def _repr_html_(self) -> str:
        """The same for notebooks, and a curve of the best loss."""
        return notebook.shown(self._figures(), [row.best_loss for row in self.history])

    def _figures(self) -> list[tuple[str, str]]:
        summary = self.summary
        return [
            ("loss", f"{summary.loss:.6g}, found in round {summary.best_round}"),
            *self._noise(),
            *self._scores(),
            ("weights", f"{self.weights.size:,}"),
            ("rounds", f"{summary.rounds:,}, in {summary.seconds:.3g} s; ended by {summary.reason}"),
        ]

    def _noise(self) -> list[tuple[str, str]]:
        summary = self.summary
        if summary.center_loss is None:
            return []
        return [("center", f"{summary.center_loss:.6g}, the mean of {summary.center_evaluations}: losses are noisy")]

    def _scores(self) -> list[tuple[str, str]]:
        return []


@dataclass(frozen=True, repr=False, eq=False)
class SearchResult(FunctionResult):
    """The result of searching the weights of a network."""

    model: Model
    provenance: Mapping[str, str] = field(default_factory=dict)  # of the model, as it is written into exports

    @property
    def accuracy(self) -> float | None:
        """The share of the training examples whose label is predicted; None in regression."""
        return self.summary.accuracy

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict for X, (examples, features): labels of the type and spelling of y, or numbers, in the shape of y.

        Columns of a data frame are found by name. Raises DataError if features are missing or unknown.
        """
        return self.model.predict(datasets.features_from(X, self.model.schema))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """The probability of each class for X, (examples, features): (examples, classes), in the order of `classes`.

        Raises SettingError if the network was not trained by cross-entropy.
        """
        probabilities = self.model.probabilities(self.model.outputs(datasets.features_from(X, self.model.schema)))
        if probabilities is None:
            raise SettingError(
                'predict_proba: expected a network trained with loss="cross-entropy", as only these give probabilities'
            )
        return probabilities

    @property
    def module(self) -> Any:
        """A copy of the torch module with the weights found. SettingError if the network was given as layers."""
        with_weights = getattr(self.model.network, "with_weights", None)
        if with_weights is None:
            raise SettingError("module: expected the result of a search with model=, as layers are no torch module")
        return with_weights(self.weights)

    @property
    def classes(self) -> NDArray[Any] | None:
        """The labels in the order of the outputs, with the type of y; None in regression."""
        return self.model.labels

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy on labelled examples; R² in regression."""
        if self.classes is None:
            return self.evaluate(X, y, "r2").metrics["r2"]
        accuracy = self.evaluate(X, y).accuracy
        if accuracy is None:
            raise SettingError("score: the loss takes the module itself, so nothing is known of the module's outputs")
        return accuracy

    def evaluate(
        self, X: ArrayLike, y: ArrayLike, metrics: Any = (), *, sample_weight: ArrayLike | None = None
    ) -> Scores:
        """Loss, accuracy and metrics, one or several, on labelled examples.

        A metric is f1, r2, …, module:function, or a function of true and predicted values.

        The loss is weighted by sample_weight, (examples,), and by the class weights of training; examples of weight 0
        are left out. Nothing else is weighted.

        Raises DataError if the examples do not match those of training, SettingError if a metric does not suit them.
        """
        with speaking_python():
            examples = datasets.examples_from(X, y, self.model.schema, sample_weight)
            return self.model.scores(examples, names_of(metrics))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, whole or not at all, for `distsearch.load`.

        Raises SettingError if its model is a torch module whose class or function cannot be imported.
        """
        model, target = self.model, path_of(path, "a file to save to")
        if model.config.model == IN_MEMORY:
            raise SettingError(
                "save: the model was given as an object that no module holds: save the weights alone with "
                "torch.save(result.module.state_dict(), path), or give model= a class or function of a file"
            )
        content = model_file(
            model.config,
            model.schema.to_json(),
            model.tensors,
            self.summary,
            self.history,
            self.provenance,
            model.network.drawn,
        )
        write(target, content)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Export the model, whole or not at all: everything from raw columns to predictions.

        The suffix chooses the format: .onnx for onnxruntime and similar, .py a Python file that needs only NumPy,
        .json the same graph for other languages, .safetensors the weights alone. Raises SettingError for another
        suffix, for a network with a part that the format cannot express, or if the package onnx is not installed.
        """
        from distsearch.export.formats import check_format

        target = path_of(path, "a file to export to")
        encode = check_format(target)
        write(target, encode(self.model, self.provenance))

    def _scores(self) -> list[tuple[str, str]]:
        return [*self._accuracies(), *((each.constraint, each.words) for each in self.summary.constraints)]

    def _accuracies(self) -> list[tuple[str, str]]:
        if self.accuracy is None:
            return []
        tested = self.summary.test_accuracy
        on_test = "" if tested is None else f", on the test split {tested:.2%}"
        return [("accuracy", f"{self.accuracy:.2%}{on_test}")]


def load(path: str | os.PathLike[str]) -> SearchResult:
    """See `distsearch.load`."""
    place = path_of(path, "a file or of a run's folder")
    if not place.exists():
        raise RunError(f"expected a file that save wrote, or a run's folder, but there is nothing at {place}")
    return _of_run(StoredRun(place)) if place.is_dir() else _of_file(place)


def _of_run(stored: StoredRun) -> SearchResult:
    if stored.result is None:
        raise RunError(f"{stored.path} has not ended: it is running, or was killed; resume it first")
    if not stored.manifest.data:
        raise RunError(
            f"{stored.path} minimised a function: expected a network's run; start={str(stored.path)!r} begins with its "
            f"weights, which are safetensors.numpy.load_file({str(stored.path / BEST)!r})['weights']"
        )
    model = stored_model(stored)
    return SearchResult(model.weights, list(stored.history()), stored.result, model, provenance_of(stored))


def _of_file(path: Path) -> SearchResult:
    tensors, saved = checkpoints.read(path)
    saved = {"provenance": {}, "drawn": 0, **saved}  # which earlier files do not have
    if set(saved) != SAVED:
        raise RunError(f"{path} was not written by SearchResult.save")
    try:
        config = validate(NetworkConfig, saved["network"], "network")
        model = _model(config, Schema.from_json(saved["schema"]), tensors, msgspec.convert(saved["drawn"], int))
        summary = msgspec.convert(saved["summary"], Result, strict=False)
        history = msgspec.convert(saved["history"], list[RoundRecord], strict=False)
        provenance = msgspec.convert(saved["provenance"], dict[str, str])
    except KeyError as error:
        raise RunError(f"{path} cannot be loaded: {error.args[0]} is missing") from None
    except (DistsearchError, ValueError, msgspec.ValidationError) as error:  # the last is a ValueError in newer ones
        raise RunError(f"{path} cannot be loaded: {error}") from None
    return SearchResult(model.weights, history, summary, model, provenance)


def _model(config: NetworkConfig, schema: Schema, tensors: checkpoints.Tensors, drawn: int) -> Model:
    """The model of a file: earlier ones hold its flat weights, (n,), as if these were one tensor."""
    if tensors.keys() == {"weights"} and tensors["weights"].ndim == 1:
        model = Model(config, schema, tensors["weights"])
        if model.weights_count != model.weights.size:
            raise DataError(f"expected {model.weights_count:,} weights of its network, got {model.weights.size:,}")
    else:
        model = Model.of_tensors(config, schema, tensors, drawn)
    model.weights.flags.writeable = False
    return model
