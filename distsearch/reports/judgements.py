"""How a network does on examples: confusion, calibration, residuals, its weights, and which features matter."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distsearch.data.datasets import Examples
from distsearch.errors import RunError
from distsearch.objectives.model import Model
from distsearch.randomness import Stream, permutation
from distsearch.reports.figures import NEUTRAL, Bars, Confusion, Curves, Line, line, number_text, thinned
from distsearch.reports.subjects import Subject

BINS = 10  # of confidence
FEWEST_BINS, MOST_BINS = 9, 41  # of weights
FEW_WEIGHTS = 32  # of which each is shown
MOST_DOTS = 1500
MOST_IMPORTANT = 20  # features in a chart
MOST_FEATURES = 64  # whose importance is shown
FEWEST_SHUFFLED, MOST_SHUFFLED = 100, 2000  # examples


def confusion(subjects: Sequence[Subject]) -> Confusion:
    """Which classes are taken for which, on the examples that the run is judged by."""
    subject = single(subjects, "confusion")
    classes = classes_of(subject)
    what, examples = subject.judged
    predicted = subject.model.outputs(examples.features).argmax(axis=1)
    counts = counted(examples.targets, predicted, len(classes))
    right = int(np.trace(counts))
    note = f"{right:,} of {len(predicted):,} {what} are right ({right / len(predicted):.1%})."
    return Confusion(f"Confusion of {subject.name}", classes, counts, note)


def counted(targets: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How many examples of each class, a row each, were taken for which, (classes, classes)."""
    flat = np.bincount(targets * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def per_class(counts: NDArray[np.int64]) -> list[tuple[int, float | None, float | None, float | None]]:
    """Examples, precision, recall and F1 of each class; None where nothing was taken for it, or where it has none."""
    rows = []
    for number, right in enumerate(np.diag(counts)):
        there, taken = int(counts[number].sum()), int(counts[:, number].sum())
        precision = float(right / taken) if taken else None
        recall = float(right / there) if there else None
        f1 = float(2 * right / (there + taken)) if there + taken else None
        rows.append((there, precision, recall, f1))
    return rows


def calibration(subjects: Sequence[Subject]) -> Curves:
    """How often a prediction of each confidence is right."""
    subject = single(subjects, "calibration")
    classes_of(subject)
    what, examples = subject.judged
    probabilities = subject.model.probabilities(subject.model.outputs(examples.features))
    if probabilities is None:
        raise RunError(f"{subject.name} gives no probabilities: calibration needs a network trained by cross-entropy")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == examples.targets
    numbers = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
    filled = np.unique(numbers)
    sizes = np.array([(numbers == each).sum() for each in filled])
    x = np.array([confidence[numbers == each].mean() for each in filled])
    y = np.array([right[numbers == each].mean() for each in filled])
    error = float((sizes * np.abs(x - y)).sum() / sizes.sum())
    ends = np.array([1 / probabilities.shape[1], 1.0])  # no confidence is below chance
    diagonal = Line("perfect", ends, ends, NEUTRAL, "dashed")
    lines = (diagonal, Line("", x, y, 0), Line("", x, y, 0, "dots"))
    note = f"On the {what}; on average, confidence is {100 * error:.1f} percentage points from the share that is right."
    title = f"Calibration of {subject.name}"
    return Curves(title, "confidence of the prediction", "share that is right", lines, percent=True, note=note)


def residuals(subjects: Sequence[Subject]) -> Curves:
    """What was predicted against what is true."""
    subject = single(subjects, "residuals")
    if subject.model.labels is not None:
        raise RunError(f"{subject.name} learns classes, which have no residuals: use --what confusion")
    what, examples = subject.judged
    model = subject.model
    names = targets_of(model)
    found = model.targets(examples), model.numbers(model.outputs(examples.features))
    truth, predicted = (each.astype(np.float64) for each in found)
    errors = [number_text(float(each)) for each in np.sqrt(np.square(truth - predicted).mean(axis=0))]
    several = len(names) > 1
    if several:  # in units that they have in common
        middle, spread = truth.mean(axis=0), truth.std(axis=0)
        truth, predicted = ((each - middle) / np.where(spread > 0, spread, 1) for each in (truth, predicted))
    picked = thinned(len(truth), MOST_DOTS // len(names))
    ends = np.array([min(truth.min(), predicted.min()), max(truth.max(), predicted.max())])
    lines = [Line("perfect", ends, ends, NEUTRAL, "dashed")]
    for number, name in enumerate(names):
        lines.append(Line(name if several else "", truth[picked, number], predicted[picked, number], number, "dots"))
    told = ", ".join(f"{error} for {name}" if several else error for name, error in zip(names, errors, strict=True))
    note = f"On the {what}; root-mean-squared error {told}."
    x_label, y_label = (
        f"{side}, in standard deviations" if several else f"{side} {names[0]}" for side in ("true", "predicted")
    )
    return Curves(f"Predictions of {subject.name}", x_label, y_label, tuple(lines), note=note)


def targets_of(model: Model) -> tuple[str, ...]:
    """What a network of numbers predicts, as it is called in figures."""
    names = model.schema.outputs_named
    return names if len(names) > 1 else (model.schema.target or "the target",)


def note_on_first(names: Sequence[str]) -> str:
    """A sentence for figures that show one target, where there are several."""
    return f"Of {len(names)} targets, the first." if len(names) > 1 else ""


def weights(subjects: Sequence[Subject]) -> Curves:
    """How the best weights are distributed, in each layer; where they are few, each of them."""
    subject = single(subjects, "weights")
    tensors = {name: array.ravel().astype(np.float64) for name, array in subject.stored.best().items()}
    layers = _of_layers(tensors)
    count = sum(array.size for array in layers.values())
    title = f"The {count:,} weights of {subject.name}"
    if count <= FEW_WEIGHTS:
        return Curves(title, "number of the weight", "weight", _each_weight(layers))
    largest = max(float(np.abs(array).max()) for array in layers.values()) or 1.0
    bins = int(np.clip(np.sqrt(max(array.size for array in layers.values())), FEWEST_BINS, MOST_BINS)) | 1
    edges = np.linspace(-largest, largest, bins + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    lines = []
    for number, (name, array) in enumerate(layers.items()):
        share = np.histogram(array, edges)[0] / array.size
        lines.append(Line(f"{name} ({array.size:,})", middles, share, number, "steps"))
    share_of = "share of the weights" if len(layers) == 1 else "share of the layer's weights"
    return Curves(title, "weight", share_of, tuple(lines), percent=True, from_zero=True)


def _each_weight(layers: dict[str, NDArray[np.float64]]) -> tuple[Line, ...]:
    """A dot for each weight, the layers one after the other, each in its colour."""
    lines, first = [], 1
    for number, (name, array) in enumerate(layers.items()):
        lines.append(
            Line(
                name if len(layers) > 1 else "",
                np.arange(first, first + array.size, dtype=np.float64),
                array,
                number,
                "dots",
            )
        )
        first += array.size
    return tuple(lines)


def importance(subject: Subject) -> Bars:
    """How much worse the network does when the values of a feature are shuffled among the examples."""
    model, (what, _) = subject.model, subject.judged
    names = model.schema.inputs
    if len(names) > MOST_FEATURES:
        raise RunError(
            f"importance is worked out for at most {MOST_FEATURES} features; {subject.name} has {len(names):,}"
        )
    found = importances(subject)
    ranked = np.argsort(found)[::-1][:MOST_IMPORTANT]
    of_classes = model.labels is not None
    x_label = "accuracy lost" if of_classes else "loss added"
    note = f"What is lost when a feature's values are shuffled among the {what}."
    if len(names) > MOST_IMPORTANT:
        note += f" The {MOST_IMPORTANT} that matter most, of {len(names)}."
    values = tuple(float(found[number]) for number in ranked)
    return Bars("Importance of the features", x_label, tuple(names[number] for number in ranked), values, note)


def importances(subject: Subject) -> NDArray[np.float64]:
    """What is lost when the values of each feature are shuffled among the examples, (features,).

    Accuracy or, for numbers, loss, on the examples that the run is judged by; where there are many features, on fewer
    examples. Breiman 2001, "Random forests", section 10: permutation importance.
    """
    model, (_, examples) = subject.model, subject.judged
    count = len(model.schema.inputs)
    order = permutation(0, Stream.DATA, 0, len(examples.features))
    some = np.sort(order[: max(MOST_SHUFFLED * MOST_FEATURES // max(count, MOST_FEATURES), FEWEST_SHUFFLED)])
    features, targets = examples.features[some], examples.targets[some]
    shuffled = permutation(0, Stream.DATA, 1, len(features))
    base = _figure(model, Examples(features, targets))
    lost = np.empty(count)
    mixed = features.copy()
    for number in range(count):
        mixed[:, number] = features[shuffled, number]
        lost[number] = base - _figure(model, Examples(mixed, targets))
        mixed[:, number] = features[:, number]
    return lost


def _figure(model: Model, examples: Examples) -> float:
    """What importance is measured by, more being better: accuracy or, for numbers, the negative loss."""
    if model.labels is not None:
        return float(np.mean(model.outputs(examples.features).argmax(axis=1) == examples.targets))
    return -model.scores(examples).loss


def single(subjects: Sequence[Subject], what: str) -> Subject:
    """The only subject. RunError if there are several."""
    if len(subjects) != 1:
        raise RunError(f"{what} shows a single run: expected one, got {len(subjects)}")
    return subjects[0]


def classes_of(subject: Subject) -> tuple[str, ...]:
    """The labels of its classes. RunError if it learns numbers."""
    classes = subject.model.schema.classes
    if classes is None:
        raise RunError(f"{subject.name} learns numbers, not classes: use --what residuals")
    return classes


def _of_layers(tensors: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The weights of each layer, of all its tensors together."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    for name, array in tensors.items():
        found.setdefault(name.partition(".")[0], []).append(array)
    return {name: np.concatenate(arrays) for name, arrays in found.items()}


def response(subject: Subject) -> Curves:
    """What the network makes of its only feature, with the examples."""
    model = subject.model
    what, examples = subject.judged
    column = examples.features[:, 0]
    scaled = np.linspace(column.min(), column.max(), 200, dtype=np.float32)[:, np.newaxis]
    x, dots = unscaled(model, 0, scaled[:, 0]), unscaled(model, 0, column)
    outputs, name = model.outputs(scaled), model.schema.inputs[0]
    picked = thinned(len(dots), MOST_DOTS)
    if model.labels is None:
        lines = [
            Line("", dots[picked], model.targets(examples)[picked, 0].astype(np.float64), NEUTRAL, "dots"),
            line("predicted", x, model.numbers(outputs)[:, 0]),
        ]
        targets = targets_of(model)
        note = f"Dots are the {what}. {note_on_first(targets)}".strip()
        return Curves(f"Predictions of {subject.name}", name, targets[0], tuple(lines), note=note)
    shares = model.probabilities(outputs)
    if shares is None:
        shares = (outputs == outputs.max(axis=1, keepdims=True)).astype(np.float32)
    lines = [line(label, x, shares[:, number], colour=number) for number, label in enumerate(classes_of(subject))]
    return Curves(f"Classes of {subject.name}", name, "probability", tuple(lines), percent=True)


def unscaled(model: Model, number: int, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Values of a feature as they were in the data, before they were standardised."""
    schema = model.schema
    if schema.mean is None or schema.deviation is None:
        return values.astype(np.float64)
    return values.astype(np.float64) * schema.deviation[number] + schema.mean[number]
