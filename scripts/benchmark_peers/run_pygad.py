"""PyGAD: a genetic algorithm, its whole population in one batched NumPy call."""

from typing import Any

import numpy as np
import pygad
from tasks import Problem, Race

from distsearch.machine import use_one_thread


def search(problem: Problem, settings: dict[str, Any], race: Race, folder: str) -> None:
    """Search from copies of the initial weights with noise of the mutation's size."""
    size, step = settings["population"], settings["mutation"]
    generator = np.random.default_rng(problem.seed)
    use_one_thread()
    problem.losses_on_all_cores(problem.start[np.newaxis])
    race.begin()
    population = problem.start + step * generator.uniform(-1, 1, (size, problem.weights_count))
    population[0] = problem.start
    tried = 0

    def fitness(search: pygad.GA, solutions: Any, indices: Any) -> Any:
        nonlocal tried
        weights = np.atleast_2d(np.array(solutions, np.float32))
        tried += len(weights)
        return (-problem.losses_on_all_cores(weights)).tolist()

    def after(search: pygad.GA) -> str | None:
        index = int(np.argmax(search.last_generation_fitness))
        best, loss = search.population[index], -float(search.last_generation_fitness[index])
        return "stop" if race.record(tried, loss, lambda: best) else None

    pygad.GA(
        num_generations=10**9,
        initial_population=population,
        num_parents_mating=size // 4,
        fitness_func=fitness,
        fitness_batch_size=size,
        parent_selection_type="tournament",
        keep_elitism=2,
        crossover_type="uniform",
        mutation_type="random",
        mutation_probability=max(0.05, 2 / problem.weights_count),
        random_mutation_min_val=-step,
        random_mutation_max_val=step,
        random_seed=problem.seed,
        on_generation=after,
        suppress_warnings=True,
    ).run()
