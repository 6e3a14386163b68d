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
    from distsearch.search.verification import Verdict

# The first import of a subpackage sets it as an attribute of its package; later ones do not. So search/, whose own
# __init__ is empty, is imported before the function of its name is defined, and never hides it again.
import_module("distsearch.search")

__version__ = "0.2.0"
__all__ = ["Optimizer", "__version__", "callbacks", "load", "minimize", "resume", "search", "verify"]
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
    """The estimator of that name. Raises SettingError if scikit-learn cannot be imported."""
    from distsearch.errors.importing import importing

    with importing("sklearn", f"{name} needs", package="scikit-learn", extra="sklearn"):
        import_module("sklearn")
    return getattr(import_module("distsearch.api.estimators"), name)


def search(
    X: Any,
    y: Any = None,
    *,
    model: Any = None,
    nodes: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    callbacks: Any = (),
    **settings: Any,
) -> "SearchResult":
    """Look for the weights of a network that maps X to y.

    X is (examples, features), y (examples,) labels or numbers, or (examples, outputs) numbers: anything array-like. The
    columns of a data frame (or dictionary of columns, list of dictionaries, structured array) are features by their
    names, in whatever order `predict` is given them.
    `settings` are those of `distsearch run`, by the same names with underscores: layers, activation, loss, strategy,
    population, sigma, rounds, seconds, target_loss, workers, seed, test_share, scale and so on; `distsearch config`
    prints all of them. Nothing is kept on disk unless `name` or `runs` is given.

    `model` is a torch module in the place of layers: a class or a function that returns one, called without arguments;
    its name as "package.module:name"; or a module itself, which is copied. It maps (examples, features), or for images
    (examples, channels, height, width), to (examples, outputs). The `module` of the result is it with what was found.
    `nodes` says which layers of your own, that hide what they compute, are "linear" (weights (nodes, inputs)) or a
    "product" (weights (inputs, nodes)), so that node-perturbation can move their nodes: {MyLayer: "linear"}.

    X may also be a `torch.utils.data.Dataset` of a fixed length, without y: each of its examples is taken once, as
    (example, target), images with their channels first.

    `sample_weight`, (examples,), says how much each example counts in the loss: 2 as if it were there twice, 0 not at
    all; only ratios matter. `class_weight` is a dictionary {label: weight}, with 1 for labels not in it, or "balanced":
    inversely proportional to how often they are. Losses that are reported are weighted, accuracies are not.

    `callbacks` hear of every round: those of `distsearch.callbacks` (Progress, EarlyStopping, MLflow, TensorBoard,
    WandB); functions of its record (`round`, `best_loss`, `accuracy`, …) that return True to end the search; or objects
    with any of the methods of `distsearch.callbacks.Observer`. What they raise ends the search, saved, and is raised
    here. In an interactive session there is a `Progress` without asking.

    `start` is what the weights begin as: a way to draw them (`course`, `he`, `glorot`), or weights to continue from:
    another result, a run's path or its name in `runs`, an array (n,), or the network's tensors by name. The data may
    differ, with as many features and classes. Candidate 0 of the first round is the weights given, so on the same data
    the result is never worse than they are.

    Raises a `distsearch.errors.DistsearchError` that says what to change. If the search had begun, the error's `result`
    is what it had found by then; so is that of the KeyboardInterrupt that Ctrl-C raises.
    """
    from distsearch.api import functions

    return functions.search(X, y, settings, callbacks, sample_weight, class_weight, model, nodes)


def minimize(
    function: Callable[[Any], Any], start: Any, *, vectorized: bool = False, callbacks: Any = (), **settings: Any
) -> "FunctionResult":
    """Look for the weights that a function of your own maps to the lowest number.

    `function` takes weights (n,) float32, an array of its own, and returns a number. For Ray workers it has to be one
    that Ray can send (a function of a module, or a closure over plain values); what it prints on a worker is printed
    here, with the answer. `start` is (n,), the first weights; or a result or a run's path, to continue from its
    weights. `settings` are as in `search`, without those of data and network, and so are `callbacks`.

    The result's `loss` is the lowest number that the function returned, and `weights` are what it returned it for. Of
    a noisy function, which returns another number for the same weights, that is a lucky draw. This is noticed (and
    logged as a warning): the result's `center` are then the weights where the search stood, `center_loss` is the mean
    of evaluating them again, and `target_loss` is reached once the mean of ten rounds' centers is.

    With `seconds`, the last round is given up when the time is over; if it is the first, the result is the best of what
    was evaluated in it.

    With `vectorized=True`, `function` takes several candidates at once, (candidates, n) float32, and returns their
    losses, (candidates,): one call of NumPy, JAX or a simulator then serves up to 65 of them. Workers are sent whole
    calls, so they only share rounds of more candidates than that: choose a `population` of several hundred.

    Raises a `distsearch.errors.DistsearchError` that says what to change; what the function raises is its cause. If the
    search had begun, the error's `result` is what it had found by then; so is that of the KeyboardInterrupt that Ctrl-C
    raises.
    """
    from distsearch.api import functions

    return functions.minimize(function, start, settings, vectorized, callbacks)


def resume(
    path: Any,
    X: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    function: Callable[[Any], Any] | None = None,
    data: Any = None,
    rounds: int | None = None,
    seconds: float | None = None,
    max_evaluations: int | None = None,
    evaluations: int | None = None,
    workers: int | None = None,
    storage: str | None = None,
    force: bool = False,
    callbacks: Any = (),
) -> Any:
    """Continue a run in its folder, at `path`, to the same bits as if it had never stopped.

    What is not kept in it is given again: `X` and `y` (and `sample_weight`, if there was one) if it came from arrays,
    its `function` if it minimises one.
    `data` is where its file is now, if that has moved, or a file that holds the arrays of a run from Python. `rounds`,
    `seconds` and `max_evaluations` (or `evaluations`, as on the command line) are additional ones; without any, it
    continues to its own limits. `workers`, `storage` and `callbacks` are as in `search`; `force` continues on another
    version of distsearch, NumPy or BLAS.

    Returns what `search` or `minimize` would have returned, with the history of all rounds. Raises a
    `distsearch.errors.DistsearchError` that says what to change: if the data is not what the run was trained on, if its
    files are damaged, or if it has reached its limit.
    """
    from distsearch.api import stored

    return stored.resume(
        path,
        stored.handed_over(X, y, sample_weight, data, function),
        rounds=rounds,
        seconds=seconds,
        max_evaluations=max_evaluations,
        evaluations=evaluations,
        workers=workers,
        storage=storage,
        force=force,
        callbacks=callbacks,
    )


def verify(
    path: Any,
    X: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    function: Callable[[Any], Any] | None = None,
    data: Any = None,
    rounds: int | str = 16,
    workers: int = 0,
) -> "Verdict":
    """Check that the run in the folder at `path` comes out again, bit for bit.

    All of its decisions are taken again, and in `rounds` of its rounds, drawn at random ("all" for every one), all
    candidates are evaluated again. `X`, `y`, `sample_weight`, `function` and `data` are as in `resume`.

    The result says what was compared: `rounds`, `tried` (those whose candidates were evaluated), `differences` (a
    sentence each) and `identical`. Raises a `distsearch.errors.DistsearchError` if it cannot be compared.
    """
    from distsearch.api import stored

    return stored.verify(path, stored.handed_over(X, y, sample_weight, data, function), rounds=rounds, workers=workers)


def load(path: Any) -> "SearchResult":
    """What a search has found, from a file that `SearchResult.save` wrote, or from the folder of a run: it predicts.

    Raises a `distsearch.errors.DistsearchError` if it is damaged, or something else.
    """
    from distsearch.api import results

    return results.load(path)
