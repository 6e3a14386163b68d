"""The parts of a date as part of a graph, from days since 1970 alone.

After H. Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that a leap day is their last,
and 400 of them have 146,097 days. All numbers are whole and far below 2^53, so that float64 holds them exactly.
"""

import numpy as np

from distsearch.networks.graph import Graph, Operand, Value

TO_MARCH_OF_0 = 719_468  # days from the first of March of the year 0 to 1970
DAYS_OF_400 = 146_097  # years
DAYS_OF_100, DAYS_OF_4, DAYS_OF_1 = 36_524, 1_460, 365  # years, without the leap day at their end


class _Numbers:
    """Arithmetic on float64 values of a graph, (examples, 1) each."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __call__(self, operation: str, left: Operand, right: Operand) -> Value:
        operands = [np.array(each, np.float64) if isinstance(each, int) else each for each in (left, right)]
        return self._graph.add(operation, *operands)

    def divided(self, value: Value, by: int) -> Value:
        """The whole part of a quotient."""
        return self._graph.add("Floor", self("Div", value, by))

    def rest(self, value: Value, by: int) -> Value:
        """What is left of a division."""
        return self("Sub", value, self("Mul", self.divided(value, by), by))


def parts_of(graph: Graph, days: Value) -> list[Value]:
    """Year, month, day, weekday (Monday is 0) and hour, (examples, 1) float64 each, as `preparation` has them."""
    of = _Numbers(graph)
    whole = graph.add("Floor", days)
    since = of("Add", whole, TO_MARCH_OF_0)
    within = of.rest(since, DAYS_OF_400)
    leaps = of("Sub", of.divided(within, DAYS_OF_100), of.divided(within, DAYS_OF_4))
    leaps = of("Sub", leaps, of.divided(within, DAYS_OF_400 - 1))
    years = of.divided(of("Add", within, leaps), DAYS_OF_1)
    leap_days = of("Sub", of.divided(years, 4), of.divided(years, 100))
    day_of_year = of("Sub", of("Sub", within, of("Mul", years, DAYS_OF_1)), leap_days)
    months = of.divided(of("Add", of("Mul", day_of_year, 5), 2), 153)  # five of them, from March on, have 153 days
    before = of.divided(of("Add", of("Mul", months, 153), 2), 5)
    next_year = graph.add("Cast", of("GreaterOrEqual", months, 10), to="float64")
    year = of("Add", of("Add", years, of("Mul", of.divided(since, DAYS_OF_400), 400)), next_year)
    month = of("Sub", of("Add", months, 3), of("Mul", next_year, 12))
    day = of("Add", of("Sub", day_of_year, before), 1)
    weekday = of.rest(of("Add", whole, 3), 7)
    return [year, month, day, weekday, of("Mul", of("Sub", days, whole), 24)]
