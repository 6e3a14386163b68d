"""Predictions as CSV."""

import csv
import io

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.model import Model


def as_csv(model: Model, features: NDArray[np.float32]) -> str:
    """A header, and one line per row of scaled features, (examples, features).

    For classes, a line has the label and, with cross-entropy, its probability; for regression, the numbers.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    outputs, classes = model.outputs(features), model.schema.classes
    if classes is None:
        writer.writerow([model.schema.target or f"y{number}" for number in range(model.schema.outputs)])
        writer.writerows([f"{value:.9g}" for value in row] for row in outputs)
        return file.getvalue()
    header = model.schema.target or "label"
    predicted = [classes[number] for number in outputs.argmax(axis=1)]
    probabilities = model.probabilities(outputs)
    if probabilities is None:
        writer.writerow([header])
        writer.writerows([label] for label in predicted)
    else:
        writer.writerow([header, "probability"])
        writer.writerows(zip(predicted, (f"{each:.6f}" for each in probabilities.max(axis=1)), strict=True))
    return file.getvalue()
