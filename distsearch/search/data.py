"""What a configuration makes of its data: read from where it says, or given as arrays; with the loss that suits it."""

from math import inf
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import ArrayLike, NDArray

from distsearch.config import RunConfig
from distsearch.config.sections import NetworkConfig
from distsearch.data import datasets
from distsearch.data.advice import on_features
from distsearch.data.datasets import Dataset
from distsearch.data.frames import framed, is_frame
from distsearch.data.scaling import unscaled_targets
from distsearch.data.schema import Schema
from distsearch.data.splits import VALIDATION_SHARE
from distsearch.errors import SettingError
from distsearch.machine import memory
from distsearch.objectives import constraints, losses, metrics
from distsearch.settings import AUTO


def read_data(
    config: RunConfig,
    like: Schema | None = None,
    *,
    targets_standardised: bool = True,
    fold: tuple[int, int] | None = None,
) -> Dataset:
    """The data set that a configuration names. Raises a UserError for what does not fit.

    like: the schema of a run, whose columns are read again. targets_standardised: False for a run that was made before
    targets were. fold: the number of a fold of a cross-validation, which is the test set then, and how many there are.
    """
    data = config.data
    asked = _asked_again(config, like, targets_standardised)
    asked["fold"] = fold
    return datasets.load(data.source, reader=data.reader, points=data.points, classes=data.classes, **asked)


def data_of(
    config: RunConfig,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    like: Schema | None = None,
    *,
    targets_standardised: bool = True,
) -> Dataset:
    """Arrays as the data set of a configuration, a frame's columns those of `like` if given. Raises DataError."""
    X = framed(X)
    asked = _asked_again(config, like if is_frame(X) else None, targets_standardised)
    return datasets.from_arrays(X, y, weights=sample_weight, **asked)


def _asked_again(config: RunConfig, like: Schema | None, targets_standardised: bool) -> datasets.Asked:
    """What is asked of data, the same columns as a run's if its schema is given."""
    asked = asked_of_data(config)
    if not targets_standardised:
        asked["degree"] = None
    if like is not None and like.named:
        asked["features"], asked["drop"] = like.features, ()
    return asked


def asked_of_data(config: RunConfig) -> datasets.Asked:
    """What a configuration asks to be made of its data, wherever they come from."""
    data = config.data
    loss = None if config.network.loss == AUTO else losses.create(config.network.loss)
    return {
        "numbers": None if loss is None else loss.numbers,
        "degree": losses.MeanSquaredError.degree if loss is None else loss.degree,
        "target": data.target,
        "weight": data.weight_column,
        "class_weight": data.class_weight,
        "features": data.features,
        "drop": data.drop,
        "id": data.id,
        "missing": data.missing,
        "dates": data.dates,
        "scale": {AUTO: False if loss and loss.of_module else None, "yes": True, "no": False}[data.scale],
        "test_share": data.test_share,
        "validation_share": data.validation_share,
        "counted": loss is not None and loss.flat,
        "group": data.group,
        "time": data.time,
        "groups": tuple(metrics.columns_in([*constraints.names_in(config.network.subject_to), *config.output.metrics])),
        "costs": losses.cost_columns(config.network),
        "seed": data.seed,
        "shape": data.shape,
        "input_bits": data.input_bits,
    }


def with_loss(config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with the loss that suits the data, if it was left open."""
    loss = losses.suited(config.network.loss, dataset.schema.classes is not None)
    return structs.replace(config, network=structs.replace(config.network, loss=loss))


def with_shares(config: RunConfig, dataset: Dataset) -> RunConfig:
    """The configuration with the share that was set aside for validation, if it was left open."""
    if config.data.validation_share is not None:
        return config
    share = 0.0 if dataset.validation is None else VALIDATION_SHARE
    return structs.replace(config, data=structs.replace(config.data, validation_share=share))


def loss_for(settings: NetworkConfig, dataset: Dataset) -> losses.Loss:
    """The loss that settings, in which nothing is left open, ask for on such data.

    SettingError if it does not fit them; ObjectiveError if one of the user's own fails.
    """
    schema = dataset.schema
    loss = losses.create_for(settings, schema.classes, schema.outputs)
    _check_least(loss, settings.loss, dataset)
    return loss if schema.classes is None else loss.suited(class_counts(dataset))


def _check_least(loss: losses.Loss, name: str, dataset: Dataset) -> None:
    """SettingError for targets below all that the loss is for."""
    if loss.least == -inf:
        return
    parts = filter(None, (dataset.train, dataset.test, dataset.validation))
    smallest = min(float(unscaled_targets(part.targets, dataset.schema).min()) for part in parts)
    if smallest < loss.least:
        raise SettingError(
            f"--loss: {name} is for numbers from {loss.least:g} on, such as counts, but there is a target of "
            f"{smallest:g}: choose --loss mean-squared-error, or fix the targets"
        )


def class_counts(dataset: Dataset) -> NDArray[np.int64]:
    """The training examples of each class, (classes,)."""
    return np.bincount(dataset.train.targets, minlength=dataset.schema.outputs)


def class_sums(dataset: Dataset) -> NDArray[Any]:
    """How much the training examples of each class weigh by their own weights, (classes,): without any, their number.

    What weights were given to classes does not count.
    """
    weights, targets = dataset.train.weights, dataset.train.targets
    if weights is None:
        return class_counts(dataset)
    of_classes = dataset.schema.class_weights
    own = weights if of_classes is None else weights / np.array(of_classes)[targets]
    return np.round(np.bincount(targets, own, dataset.schema.outputs), 3)  # so that equal ones are


def rarest_share(dataset: Dataset) -> float:
    """The share of the training examples that are of the rarest class; 1 where numbers are learnt."""
    if dataset.schema.classes is None:
        return 1.0
    return float(class_counts(dataset).min() / len(dataset.train.targets))


def notes_on(config: RunConfig, dataset: Dataset) -> tuple[str, ...]:
    """Sentences on the data, for whoever is about to search with this configuration."""
    loss = losses.create(with_loss(config, dataset).network.loss)
    if config.data.scale != AUTO or loss.of_module:
        return dataset.notes
    on_scale = on_features(dataset, loss.flat)
    return (*dataset.notes, on_scale) if on_scale else dataset.notes


def require_room_for(dataset: Dataset, config: RunConfig) -> None:
    """TooLargeError if the examples would take more memory than there is."""
    schema = dataset.schema
    count = sum(len(part.features) for part in (dataset.train, dataset.validation, dataset.test) if part is not None)
    width = len(schema.inputs) + 1 + schema.outputs
    copies = 1 + (config.data.batch is not None) + (config.workers.count != 0)
    what = f"{count:,} examples of {len(schema.inputs):,} features and {schema.outputs:,} "
    if schema.classes is None:
        what, instead = f"{what}targets", "take fewer of them"
    else:
        what, instead = f"{what}classes", "merge classes, or learn numbers with --loss mean-squared-error"
    memory.require(what, count * width * 4 * copies, instead)
