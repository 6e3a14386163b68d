# Made by scripts/signatures from the declared settings: change those, and run it again.
# ruff: noqa
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from distsearch import callbacks as callbacks
from distsearch.api.ask_tell import Optimizer as Optimizer
from distsearch.api.estimators import SearchClassifier as SearchClassifier
from distsearch.api.estimators import SearchRegressor as SearchRegressor
from distsearch.api.results import FunctionResult, SearchResult
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import Observer
from distsearch.search.verification import Verdict

__version__: str
__all__ = ["Optimizer", "__version__", "callbacks", "load", "minimize", "resume", "search", "verify"]

Callback = Callable[[RoundRecord], Any] | Observer | Any

def load(path: str | PathLike[str]) -> SearchResult: ...
def verify(
    path: str | PathLike[str],
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    function: Callable[[Any], Any] | None = None,
    data: str | PathLike[str] | None = None,
    rounds: int | Literal["all"] = 16,
    workers: int = 0,
) -> Verdict: ...
@overload
def resume(
    path: str | PathLike[str],
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    rounds: int | None = None,
    seconds: float | None = None,
    evaluations: int | None = None,
    workers: int | None = None,
    storage: str | PathLike[str] | None = None,
    force: bool = False,
    callbacks: Callback | Iterable[Callback] = ...,
) -> SearchResult: ...
@overload
def resume(
    path: str | PathLike[str],
    *,
    function: Callable[[Any], Any],
    rounds: int | None = None,
    seconds: float | None = None,
    evaluations: int | None = None,
    workers: int | None = None,
    storage: str | PathLike[str] | None = None,
    force: bool = False,
    callbacks: Callback | Iterable[Callback] = ...,
) -> FunctionResult: ...
@overload
def resume(
    path: str | PathLike[str],
    *,
    data: str | PathLike[str] | None = None,
    rounds: int | None = None,
    seconds: float | None = None,
    evaluations: int | None = None,
    workers: int | None = None,
    storage: str | PathLike[str] | None = None,
    force: bool = False,
    callbacks: Callback | Iterable[Callback] = ...,
) -> SearchResult: ...
def search(
    X: ArrayLike,
    y: ArrayLike,
    *,
    model: Any = ...,
    sample_weight: ArrayLike | None = ...,
    class_weight: Mapping[Any, float] | str | None = ...,
    callbacks: Callback | Iterable[Callback] = ...,
    reader: str = ...,
    features: Sequence[int | str] | int | str = ...,
    drop: Sequence[int | str] | int | str = ...,
    id: Sequence[int | str] | int | str = ...,
    missing: str = ...,
    dates: str = ...,
    scale: str = ...,
    test_share: float = ...,
    validation_share: float = ...,
    group: str = ...,
    time: str = ...,
    batch: int | None = ...,
    shape: Sequence[int | str] | int | str | None = ...,
    input_bits: int | None = ...,
    data_seed: int = ...,
    layers: Sequence[int | str] | int | str = ...,
    activation: Sequence[int | str] | int | str = ...,
    levels: int = ...,
    precision: Sequence[int | str] | int | str = ...,
    start: ArrayLike | FunctionResult | PathLike[str] | Mapping[str, Any] | None = ...,
    loss: str = ...,
    time_steps: int = ...,
    membrane_decay: float = ...,
    threshold: float = ...,
    reset: str = ...,
    encoding: str = ...,
    readout: str = ...,
    strategy: str = ...,
    seed: int = ...,
    rounds: int | None = ...,
    seconds: float | None = ...,
    evaluations: int | None = ...,
    target_loss: float | None = ...,
    target_accuracy: float | None = ...,
    patience: int | None = ...,
    workers: int | None = ...,
    name: str = ...,
    runs: str | PathLike[str] = ...,
    storage: str | PathLike[str] = ...,
    track: Sequence[int | str] | int | str = ...,
    measure_every: int | None = ...,
    measure_first: int | None = ...,
    sigma: float = ...,
    population: int = ...,
    adapt: bool = ...,
    ladder: int = ...,
    temperature: float | None = ...,
    cooling: float = ...,
    horizon: int | None = ...,
    wanted: float = ...,
    restarts: str = ...,
    optimizer: str = ...,
    rate: float | None = ...,
    schedule: str = ...,
    sigma_schedule: str = ...,
    plateau_rounds: int = ...,
    plateau_factor: float = ...,
    decay: float = ...,
    rank: int | None = ...,
    groups: int | None = ...,
    average: float = ...,
    replicas: int = ...,
    local_rounds: int = ...,
    **settings: Any,
) -> SearchResult: ...
def minimize(
    function: Callable[[Any], Any],
    start: ArrayLike | FunctionResult | PathLike[str],
    *,
    vectorized: bool = False,
    callbacks: Callback | Iterable[Callback] = ...,
    strategy: str = ...,
    seed: int = ...,
    rounds: int | None = ...,
    seconds: float | None = ...,
    evaluations: int | None = ...,
    target_loss: float | None = ...,
    target_accuracy: float | None = ...,
    patience: int | None = ...,
    workers: int | None = ...,
    name: str = ...,
    runs: str | PathLike[str] = ...,
    storage: str | PathLike[str] = ...,
    track: Sequence[int | str] | int | str = ...,
    measure_every: int | None = ...,
    measure_first: int | None = ...,
    sigma: float = ...,
    population: int = ...,
    adapt: bool = ...,
    ladder: int = ...,
    temperature: float | None = ...,
    cooling: float = ...,
    horizon: int | None = ...,
    wanted: float = ...,
    restarts: str = ...,
    optimizer: str = ...,
    rate: float | None = ...,
    schedule: str = ...,
    sigma_schedule: str = ...,
    plateau_rounds: int = ...,
    plateau_factor: float = ...,
    decay: float = ...,
    rank: int | None = ...,
    groups: int | None = ...,
    average: float = ...,
    replicas: int = ...,
    local_rounds: int = ...,
    **settings: Any,
) -> FunctionResult: ...
