"""Warns of texts in further examples that training has not seen: all of their column's inputs are 0."""

import logging

from distsearch.data.preparation import CATEGORY
from distsearch.data.raw import Raw, Table, listed, quoted
from distsearch.data.schema import Schema

LOG = logging.getLogger(__name__)


def warn(raw: Raw, table: Table, schema: Schema, warned: set[str]) -> None:
    """Log a warning for each column with such a text that is not among those warned of, and add it to them.

    Columns whose rare texts share an input say nothing: unseen ones are taken for rare.
    """
    for name, column, encoding in zip(schema.features, table.columns, schema.columns or (), strict=True):
        if encoding.kind != CATEGORY or encoding.others or name in warned:
            continue
        known = {*encoding.categories, None}
        example = next((number for number, text in enumerate(column.tolist()) if text not in known), None)
        if example is not None:
            warned.add(name)
            LOG.warning(
                f"{raw.source}, {raw.place(example)}: column {quoted(name)} has {quoted(column[example])}, which was "
                f"not there in training ({listed(encoding.categories)}): the model takes it for none of these"
            )
