"""The modules of the race: our flags, the same network as layers of our own, and the accuracies that are timed."""

from dataclasses import dataclass
from typing import Any

from nondiff.rows import BOTH, MNIST, Aim, Row, over
from nondiff.rows import ROWS as RACE

LAYERS = "layers"  # the entry: the same network as layers of our own
RATIO_AIM = 2.0  # seconds of a module, seconds of the same layers, to the same accuracy
PEERS_AIM = 20.0  # seconds of others to what they come to, ours
CHANCE = 1.2  # times the share of a class: who comes to no more has learnt nothing, as always the same class has more


@dataclass(frozen=True)
class Module:
    """A torch module, searched by all."""

    own: Row  # how we search it
    accuracies: tuple[float, ...]  # on the test set, in rising order: our search ends with the last
    layers: Row | None = None

    @property
    def name(self) -> str:
        """Its name, and that of its factory in models.py unless it is a class."""
        return self.own.name

    @property
    def title(self) -> str:
        """What it is, in words."""
        return self.own.title

    @property
    def data(self) -> str:
        """MNIST, FASHION or BOTH."""
        return self.own.data

    @property
    def chance(self) -> float:
        """The accuracy above which something is learnt."""
        return CHANCE / (20 if self.data == BOTH else 10)

    def entry(self, who: str) -> Row:
        """What is searched by ours: the module or the layers."""
        return self.layers if who == LAYERS and self.layers else self.own


def _module(title: str, name: str, factory: str, flags: dict[str, Any], aim: Aim, data: str = MNIST) -> Row:
    return Row(name, title, data, {"model": f"modules.models:{factory}", **flags}, (aim,))


def _beside(name: str, accuracies: tuple[float, ...], seconds: float, **more: float) -> Module:
    """A network of the other race, as a module and as layers, with the same settings."""
    layers = RACE[name]
    flags: dict[str, Any] = {**layers.flags, **more}
    kept = {flag: value for flag, value in flags.items() if flag not in ("layers", "activation", "precision")}
    aim = Aim(accuracies[-1], seconds)
    own = _module(layers.title, name, name, kept, aim, layers.data)
    return Module(own, accuracies, Row(name, layers.title, layers.data, flags, (aim,)))


ROWS: dict[str, Module] = {
    module.name: module
    for module in (
        _beside("staircase", (0.943, 0.96, 0.97), 120),
        _beside("attention", (0.93, 0.96, 0.97), 120, rate=0.005, sigma=0.3),
        _beside("mixture", (0.85, 0.88, 0.906), 180, rate=0.005, sigma=0.3),
        Module(
            _module(
                "LSTM of 32, 28 rows of 28, all states read out",
                "lstm",
                "Recurrent",
                {"rate": 0.01, "sigma": 0.1, "batch": 128, **over(3_000)},
                Aim(0.96, 600),
            ),
            (0.9, 0.96),
        ),
        Module(
            _module(
                "transformer of 16, argmax attention, 28 rows of 28",
                "transformer",
                "Transformer",
                {"rate": 0.005, "sigma": 0.6, "batch": 64, **over(3_000)},
                Aim(0.96, 600),
            ),
            (0.9, 0.96),
        ),
    )
}
