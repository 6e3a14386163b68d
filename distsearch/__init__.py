"""Train neural networks without gradients, on every core and every machine you have.

    import distsearch

    result = distsearch.search(X, y, layers=[64], strategy="hill-climb", seconds=10)
    result.predict(X)

Importing this package is cheap: NumPy and Ray are only loaded by a call.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distsearch import callbacks
    from distsearch.api.ask_tell import Optimizer
    from distsearch.api.results import FunctionResult, SearchResult

# The first import of a subpackage sets it as an attribute of its package; later ones do not. So search/, whose own
# __init__ is empty, is imported before the function of its name is defined, and never hides it again.
import_module("distsearch.search")

__version__ = "0.2.0"
__all__ = ["Optimizer", "__version__", "callbacks", "load", "minimize", "search"]
ESTIMATORS = ("SearchClassifier", "SearchRegressor")  # not in __all__: `import *` shall not need scikit-learn


def __getattr__(name: str) -> Any:
    if name == "Optimizer":  # imports NumPy, and so waits until it is asked for
        return import_module("distsearch.api.ask_tell").Optimizer
    if name == "callbacks":
        return import_module("distsearch.callbacks")
    if name in ESTIMATORS:
        return _estimator(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *ESTIMATORS})


def _estimator(name: str) -> Any:
    """The estimator of that name. Raises SettingError if scikit-learn is not installed."""
    try:
        import_module("sklearn")
    except ImportError:
        from distsearch.errors import SettingError

        raise SettingError(
            f'{name} needs scikit-learn, which is not installed; type pip install "distsearch[sklearn]"'
        ) from None
    return getattr(import_module("distsearch.api.estimators"), name)


def search(
    X: Any, y: Any, *, sample_weight: Any = None, class_weight: Any = None, callbacks: Any = (), **settings: Any
) -> "SearchResult":
    """Look for the weights of a network that maps X to y.

    X is (examples, features), y (examples,) labels or numbers, or (examples, outputs) numbers: anything array-like. The
    columns of a data frame are features by their names, in whatever order `predict` is given them.
    `settings` are those of `distsearch run`, by the same names with underscores: layers, activation, loss, strategy,
    population, sigma, rounds, seconds, target_loss, workers, seed, test_share, scale and so on; `distsearch config`
    prints all of them. Nothing is kept on disk unless `name` or `runs` is given.

    `sample_weight`, (examples,), says how much each example counts in the loss: 2 as if it were there twice, 0 not at
    all; only ratios matter. `class_weight` is a dictionary {label: weight}, with 1 for labels not in it, or "balanced":
    inversely proportional to how often they are. Losses that are reported are weighted, accuracies are not.

    `callbacks` hear of every round: those of `distsearch.callbacks` (Progress, EarlyStopping, MLflow, TensorBoard,
    WandB); functions of its record (`round`, `best_loss`, `accuracy`, …) that return True to end the search; or objects
    with any of the methods of `distsearch.callbacks.Observer`. What they raise ends the search, saved, and is raised
    here. In an interactive session there is a `Progress` without asking.

    Raises a `distsearch.errors.DistsearchError` that says what to change.
    """
    from distsearch.api import functions

    return functions.search(X, y, settings, callbacks, sample_weight, class_weight)


def minimize(
    function: Callable[[Any], Any], start: Any, *, vectorized: bool = False, callbacks: Any = (), **settings: Any
) -> "FunctionResult":
    """Look for the weights that a function of your own maps to the lowest number.

    `function` takes weights (n,) float32, which it must not change, and returns a number. For Ray workers it has to be
    one that Ray can send (a function of a module, or a closure over plain values), and what it prints there is not
    seen: use `workers=0` for that. `start` is (n,), the first weights. `settings` are as in `search`, without those of
    data and network, and so are `callbacks`.

    With `vectorized=True`, `function` takes several candidates at once, (candidates, n) float32, and returns their
    losses, (candidates,): one call of NumPy, JAX or a simulator then serves up to 65 of them. Workers are sent whole
    calls, so they only share rounds of more candidates than that: choose a `population` of several hundred.

    Raises a `distsearch.errors.DistsearchError` that says what to change.
    """
    from distsearch.api import functions

    return functions.minimize(function, start, settings, vectorized, callbacks)


def load(path: Any) -> "SearchResult":
    """What a search has found, from a file that `SearchResult.save` wrote, or from the folder of a run: it predicts.

    Raises a `distsearch.errors.DistsearchError` if it is damaged, or something else.
    """
    from distsearch.api import results

    return results.load(path)
