"""Columns of numbers that are written with a sign of currency or a unit, such as $5, 1.234,5 € or 12 kg."""

from collections import Counter
from collections.abc import Callable

from distsearch.data.raw import quoted
from distsearch.data.spelling import Spelling, is_currency
from distsearch.errors import DataError

NEARLY_ALL = 0.9  # share of the examples with a unit from which a column is one of amounts


def amount_in(text: str, unit: str, spelling: Spelling) -> float | None:
    """The number that a text spells, with the unit or without; None for anything else."""
    found = spelling.with_unit(text) if unit else None
    return found[0] if found and found[1] == unit else spelling.value(text)


def unit_of(counts: Counter[str], spelling: Spelling, refusal: Callable[[str, str, str], DataError]) -> str:
    """The unit that the numbers of a column are written with; empty if it is not one of amounts.

    counts are the examples of each text. Raises what `refusal` makes of a text that does not fit, what was expected
    instead, and what to do.
    """
    found = {text: spelling.with_unit(text) for text in counts}
    units: Counter[str] = Counter()
    for text, amount in found.items():
        if amount:
            units[amount[1]] += counts[text]
    often = NEARLY_ALL * counts.total()
    money = {unit: examples for unit, examples in units.items() if is_currency(unit)}
    if len(money) > 1 and sum(money.values()) >= often:
        most = max(money, key=money.__getitem__)
        other = next(text for text, amount in found.items() if amount and amount[1] in money.keys() - {most})
        raise refusal(other, f"amounts in one currency, mostly {quoted(most)},", "convert them to one")
    [(unit, examples)] = units.most_common(1) or [("", 0)]
    if len(counts) < 2 or examples < often:
        return ""
    stray = next((text for text in counts if amount_in(text, unit, spelling) is None), None)
    if stray is not None:
        raise refusal(stray, f"numbers with {quoted(unit)}", "write it as a number, or as nothing if it is missing")
    return unit
