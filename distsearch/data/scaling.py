"""Brings features and regression targets near unit size, and predictions back to the targets' own units."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.checks import Features, finite
from distsearch.data.raw import Raw
from distsearch.data.schema import Schema
from distsearch.data.weights import Weights

SMALL, LARGE = 0.1, 4.0  # a freshly initialised network learns well from values whose RMS is between these
NEGLIGIBLE = 1e-3  # a feature that is never larger than this is not seen beside others near 1
UNSEEN = 0.01  # share of a feature's RMS; a deviation below it is not seen for the mean
TOGETHER = 8  # features whose deviations are computed at a time, as many as are read together from memory
LOWEST_POWER = -126  # of two in float32

Moments = tuple[tuple[float, ...], tuple[float, ...]]  # a mean and a deviation for each column


def far_from_unit_size(features: Features) -> bool:
    """Whether features, (examples, features), are of sizes that a network hardly learns from."""
    squares = np.einsum("ef,ef->f", features, features, dtype=np.float64) / len(features)
    largest = math.sqrt(squares.max())
    if largest and not SMALL < largest < LARGE:
        return True
    varies = features.min(axis=0) != features.max(axis=0)
    small = np.maximum(np.abs(features.min(axis=0)), np.abs(features.max(axis=0))) < NEGLIGIBLE
    flat = _deviations(features) < UNSEEN * np.sqrt(squares)
    return bool((varies & (small | flat)).any())


def targets_far_from_unit_size(targets: NDArray[Any]) -> bool:
    """Whether targets, (examples, outputs), are of sizes that a network hardly learns."""
    mean = np.abs(targets.mean(axis=0, dtype=np.float64))
    deviation = targets.std(axis=0, dtype=np.float64)
    varies = targets.min(axis=0) != targets.max(axis=0)
    return bool(((mean > LARGE) | (varies & ((deviation < SMALL) | (deviation > LARGE)))).any())


def moments(features: Features, weights: Weights | None) -> Moments:
    """Each feature's mean, as precise as the features, and standard deviation, which is 1 for a constant.

    weights are (examples,), and above 0.
    """
    if weights is None:
        mean = features.mean(axis=0, dtype=np.float64).astype(features.dtype)
        deviation = _deviations(features).astype(np.float32)
    else:
        middle = np.average(features, axis=0, weights=weights)
        mean = middle.astype(features.dtype)
        deviation = np.sqrt(np.average(np.square(features - middle), axis=0, weights=weights)).astype(np.float32)
    constant = features.min(axis=0) == features.max(axis=0)  # a rounded mean would make these seem to vary
    mean[constant] = features[0, constant]
    deviation[constant | (deviation == 0)] = 1
    return tuple(mean.tolist()), tuple(deviation.tolist())


def _deviations(features: Features) -> NDArray[np.float64]:
    """Each feature's standard deviation, (features,), some features at a time: what they differ by takes memory.

    All of them at a time would give the same bits.
    """
    sections = np.array_split(np.arange(features.shape[1]), max(1, features.shape[1] // TOGETHER))
    parts = [features[:, some[0] : some[-1] + 1].std(axis=0, dtype=np.float64) for some in sections if len(some)]
    return np.concatenate(parts) if parts else np.empty(0)


def moments_of_measured(features: Features, measured: Sequence[bool], weights: Weights | None) -> Moments:
    """As `moments`, but inputs that say yes or no stay 1 and 0."""
    mean, deviation = moments(features, weights)
    return (
        tuple(each if of else 0.0 for each, of in zip(mean, measured, strict=True)),
        tuple(each if of else 1.0 for each, of in zip(deviation, measured, strict=True)),
    )


def target_moments(targets: NDArray[np.float64], weights: Weights | None) -> Moments:
    """Each target's mean and standard deviation in float64; the deviation of a constant is 1."""
    mean = np.average(targets, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(targets - mean), axis=0, weights=weights))
    if not deviation.all():  # squares of numbers below 1e-162 are 0
        largest = np.maximum(np.abs(targets - mean).max(axis=0), np.finfo(np.float64).tiny)
        shares = (targets - mean) / largest
        deviation = largest * np.sqrt(np.average(np.square(shares), axis=0, weights=weights))
    constant = targets.min(axis=0) == targets.max(axis=0)
    mean[constant] = targets[0, constant]
    deviation[constant | (deviation == 0)] = 1
    return tuple(mean.tolist()), tuple(deviation.tolist())


def scaled(raw: Raw, features: Features, schema: Schema) -> NDArray[np.float32]:
    """The features standardised and rounded by the schema, (examples, features)."""
    if schema.mean is None:
        found = features.astype(np.float32, copy=False)
    else:
        with np.errstate(over="ignore"):
            found = np.subtract(features, schema.mean, dtype=np.float64).astype(np.float32)
            found /= np.array(schema.deviation, np.float32)
        found = finite(raw, found, schema.inputs)
    if schema.step is None:
        return found
    step = np.float32(schema.step)
    with np.errstate(over="ignore"):
        steps = np.rint(found / step)
    return finite(raw, steps * step, schema.inputs)


def lost(features: Features, rows: Any, found: NDArray[np.float32]) -> NDArray[np.intp]:
    """The features, (examples, features), that differ between the rows, but not any more as the network gets them.

    found, (rows, features), is what it gets of these rows.
    """
    if features.dtype == np.float32:
        return np.empty(0, np.intp)
    flat = np.flatnonzero(found.min(axis=0) == found.max(axis=0))
    values = features[:, flat][rows]
    return flat[values.min(axis=0) != values.max(axis=0)]


def rounding(features: NDArray[np.float32], bits: int, schema: Schema) -> Schema:
    """The schema that rounds features to 2^bits steps: of the power of two of which the largest is 2^bits at most."""
    largest = float(np.abs(features).max())
    step = float(2.0 ** max(math.ceil(math.log2(largest)) - bits, LOWEST_POWER)) if largest else 1.0
    return replace(schema, step=step, steps=2**bits)


def scaled_targets(targets: NDArray[Any], schema: Schema) -> NDArray[np.float32]:
    """Targets in their own units, (examples, outputs), as the network learns them."""
    if schema.target_mean is None:
        return targets.astype(np.float32, copy=False)
    return ((targets - np.array(schema.target_mean)) / np.array(schema.target_deviation)).astype(np.float32)


def unscaled_targets(targets: NDArray[np.float32], schema: Schema) -> NDArray[Any]:
    """What a network says, (examples, outputs), in the targets' own units: float64 if they were standardised."""
    if schema.target_mean is None:
        return targets
    return targets * np.array(schema.target_deviation) + np.array(schema.target_mean)
