"""evosax: whole generations in one compiled call, several per call if they are short."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from evosax import algorithms
from jax import lax
from tasks import Problem, Race


def search(problem: Problem, settings: dict[str, Any], race: Race, folder: str) -> None:
    """Search; the mean is evaluated with every generation, as our center is."""
    settings = dict(settings)
    name, generations = settings.pop("algorithm"), settings.pop("generations")
    x, y = jax.device_put(problem.x), jax.device_put(problem.y.astype(np.int32))
    start = jax.device_put(problem.start)
    jax.block_until_ready((x, y, start))
    race.begin()
    strategy, params = _strategy(name, settings, problem.start)
    state = jax.tree.map(_strong, strategy.init(jax.random.key(problem.seed), start, params))
    score = _score(problem)
    whole = problem.task.batch is None

    def generation(carry: Any, key: Any) -> tuple[Any, Any]:
        state, best, lowest = carry
        ask_key, tell_key, batch_key = jax.random.split(key, 3)
        population, state = strategy.ask(ask_key, state, params)
        tried = jnp.concatenate([population, state.mean[np.newaxis]])
        losses = score(tried, *_batch(problem, batch_key, x, y))
        state, _ = strategy.tell(tell_key, population, losses[:-1], state, params)
        if whole:
            index = jnp.argmin(losses)
            better = losses[index] < lowest
            best, lowest = jnp.where(better, tried[index], best), jnp.where(better, losses[index], lowest)
        else:
            best, lowest = state.mean, losses[-1]
        return (state, best, lowest), None

    @jax.jit
    def several(carry: Any, key: Any) -> Any:
        return jax.tree.map(_strong, lax.scan(generation, carry, jax.random.split(key, generations))[0])

    carry, candidates, key = (state, start, jnp.float32(np.inf)), 0, jax.random.key(problem.seed + 1000)
    while True:
        key, own = jax.random.split(key)
        carry = several(carry, own)
        lowest = float(carry[2])
        candidates += generations * (strategy.population_size + 1)
        best = carry[1]
        if race.record(candidates, lowest, lambda best=best: np.asarray(best)):
            return


def _strong(value: Any) -> Any:
    """The value with a type independent of its origin: otherwise everything is recompiled for the second call."""
    return jnp.array(value, dtype=jnp.asarray(value).dtype)


def _strategy(name: str, settings: dict[str, Any], start: Any) -> tuple[Any, Any]:
    own = {"population_size": settings["population_size"], "solution": start}
    if name == "Open_ES":
        own["optimizer"] = optax.adam(settings["learning_rate"])
        own["std_schedule"] = optax.constant_schedule(settings["std"])
    strategy = getattr(algorithms, name)(**own)
    params = strategy.default_params
    return strategy, params.replace(std_init=settings["std_init"]) if "std_init" in settings else params


def _batch(problem: Problem, key: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The generation's examples as columns, (features, examples), and their classes."""
    if problem.task.batch is None:
        return x.T, y
    chosen = jax.random.randint(key, (problem.task.batch,), 0, len(problem.y))
    return x[chosen].T, y[chosen]  # whole rows are gathered much faster than columns


def _score(problem: Problem) -> Any:
    layers, activation = problem.network.layers, problem.activation

    def loss(weights: Any, columns: Any, classes: Any) -> Any:
        below = columns
        for layer in layers:
            matrix = layer.matrix.block.matrix(weights)
            below = matrix[:, :-1] @ below + matrix[:, -1:]
            if layer is not layers[-1]:
                below = jnp.maximum(below, 0) if activation == "relu" else jnp.where(below > 0, 1.0, 0.0)
        return optax.softmax_cross_entropy_with_integer_labels(below.T, classes).mean()

    return jax.vmap(loss, in_axes=(0, None, None))
