import warnings
from dataclasses import replace

import numpy as np
import pytest
from problems import create, network_objective, told

from distsearch.candidates.blocks import Block
from distsearch.errors import SettingError
from distsearch.objectives.base import Task, Traits
from distsearch.objectives.function import FunctionObjective
from distsearch.randomness import Stream, noise
from distsearch.strategies import create as created
from distsearch.strategies.base import LARGEST_SIGMA, Answer
from distsearch.strategies.cma_constants import constants
from distsearch.strategies.cma_es import LARGEST_NOISE, MOST_WEIGHTS

NETWORK = {"blocks": (Block(0, 2, 5),), "examples": 30, "batch": 30}  # ten weights
TIES = NETWORK | {"traits": Traits(flat=True)}


def search(strategy, objective, rounds: int, state=None):
    if state is None:
        state = strategy.init(np.zeros(strategy.task.weights_count, np.float32), 0)
    for _ in range(rounds):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
    return state


def rotated_ellipsoid(weights_count: int, condition: float) -> FunctionObjective:
    """Σ cᵢ (Q(w − 1))ᵢ², Q a fixed rotation."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(weights_count, weights_count)))[0]
    curvature = condition ** np.linspace(0, 1, weights_count)
    return FunctionObjective(
        lambda weights: float(curvature @ np.square(rotation @ (weights.astype(np.float64) - 1))), weights_count
    )


@pytest.mark.parametrize(("n", "population"), [(6, 12), (10, None), (30, 41)])
def test_it_agrees_with_the_reference_implementation(n, population):
    """Given the same steps and losses, the `cma` package has the same mean, sigma, paths and covariance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about matplotlib being absent
        import cma
    objective = rotated_ellipsoid(n, 1e4)
    strategy = create("cma-es", {"population": population, "sigma": 0.5}, objective)
    state = strategy.init(np.linspace(-1, 1, n, dtype=np.float32), 1)
    count = strategy.units(state) - 1
    options = {"popsize": count, "verbose": -9, "CMA_diagonal_decoding": 0, "CMA_mirrors": 0}
    reference = cma.CMAEvolutionStrategy(state.mean, 0.5, options)
    reference.sm.C, reference.sm.B, reference.sm.D = np.eye(n), np.eye(n), np.ones(n)  # its own differ slightly
    reference.adapt_sigma.initialize(reference)
    reference.adapt_sigma.cs = constants(n, count).c_sigma  # as in the tutorial; its own has 3 instead of 5
    reference.adapt_sigma.damps = constants(n, count).d_sigma
    for _ in range(60):
        reference.ask(count)  # it accepts solutions only after it was asked for some
        solutions = strategy.ask(state, 1, count + 1).dense().astype(np.float64)
        losses = np.array([objective.function(each) for each in solutions])
        reference.tell(list(solutions), list(losses), check_points=False)
        state = told(strategy, state, [Answer(np.concatenate([[0.0], losses]))])
        if state.decomposed == state.round:
            reference.sm.B, reference.sm.D = state.basis.astype(np.float64), state.scales.astype(np.float64)
        reference.sm.last_update = reference.sm.count_tell  # it decomposes when we do, from the same matrix
        np.testing.assert_allclose(state.mean, reference.mean, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(state.sigma, reference.sigma, rtol=1e-6)
        np.testing.assert_allclose(state.path, reference.pc, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(state.path_sigma, reference.adapt_sigma.ps, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(state.covariance, reference.sm.C, rtol=1e-5, atol=1e-5 * reference.sm.C.max())
    assert state.scales.max() / state.scales.min() > 2  # there is something learnt to compare


def test_the_constants_match_the_tutorial():
    """By hand for n = 10 and λ = 10."""
    c = constants(10, 10)
    assert c.weights[:5] == pytest.approx([0.45627, 0.27075, 0.16223, 0.08523, 0.02551], abs=1e-5)
    assert c.weights[:5].sum() == pytest.approx(1)
    assert c.mu_eff == pytest.approx(1 / np.square(c.weights[:5]).sum())
    assert c.mu_eff == pytest.approx(3.1673, abs=1e-4)
    assert c.c_sigma == pytest.approx(5.1673 / 18.1673, abs=1e-4)
    assert c.c_1 == pytest.approx(2 / (11.3**2 + 3.1673), abs=1e-6)
    assert c.chi == pytest.approx(np.sqrt(10) * (1 - 1 / 40 + 1 / 2100), abs=1e-3)
    assert constants(1000, 24).gap == 7  # 1 / (10 n (c_1 + c_μ)) = 1 / (10⁴ · (1.995e-6 + 1.0794e-5)) = 7.8
    # Where they may, negative weights make the decay of C zero: eq. 50.
    assert c.c_1 + c.c_mu * c.weights.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("n", "population"), [(1, 5), (21, 14), (387, 22), (2410, 28)])
def test_the_default_population_depends_on_the_number_of_weights(n, population):
    assert created("cma-es", {}, Task(n)).settings.population == population


@pytest.mark.parametrize(
    ("task", "population", "sentence"),
    [
        (Task(10), 4, "expected 5 to 1677722 for 10 weights, got 4"),
        (Task(10), 30_000_000_000, "expected 5 to 1677722 for 10 weights, got 30000000000"),
        (Task(10, **TIES), 22, "expected 5 to 21 for 10 weights .where losses tie.*, got 22"),
    ],
)
def test_an_unusable_population_is_refused(task, population, sentence):
    with pytest.raises(SettingError, match=sentence):
        created("cma-es", {"population": population}, task)


def test_an_unknown_kind_of_restarts_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="unknown kind of restarts 'bipo': did you mean 'bipop'"):
        create("cma-es", {"restarts": "bipo"})


def test_too_many_weights_are_refused_before_memory_is_taken():
    with pytest.raises(SettingError, match="at most 3000 weights, got 1000000000; use --strategy snes"):
        created("cma-es", {}, Task(10**9))
    assert created("cma-es", {}, Task(MOST_WEIGHTS))


def mean_curvature(strategy, objective, rounds: int) -> float:
    """The curvature along the last steps: low if they follow the valley."""
    state = search(strategy, objective, rounds)
    steps = strategy.ask(state, 1, strategy.units(state)).dense() - state.center
    losses = [objective.function(1 + step) for step in steps / np.linalg.norm(steps, axis=1, keepdims=True)]
    return float(np.mean(losses))


def test_it_adapts_to_a_rotated_ellipsoid_and_snes_does_not():
    objective = rotated_ellipsoid(8, 1e4)
    learnt, separable = (create(name, {"population": 13}, objective) for name in ("cma-es", "snes"))
    assert mean_curvature(learnt, objective, 150) < 0.1 * mean_curvature(separable, objective, 150)
    assert search(learnt, objective, 150).best.loss < 1e-4
    assert search(separable, objective, 150).best.loss > 1e-2


def test_workers_receive_what_they_need_and_no_more():
    strategy, objective = create("cma-es", {}), rotated_ellipsoid(10, 100)
    state = search(strategy, objective, 20)
    sent = strategy.outgoing(state)
    units = strategy.units(sent)
    assert strategy.ask(sent, 0, units).dense().tobytes() == strategy.ask(state, 0, units).dense().tobytes()
    assert sent.mean.size == sent.covariance.size == sent.path.size == sent.path_sigma.size == sent.start.size == 0
    assert sent.best.weights.size == 0


def populations(strategy, state, rounds: int) -> list[int]:
    """The populations of the attempts made while no loss ever falls; each begins as the first did."""
    first, found, losses = state, [state.attempt.population], np.random.default_rng(0)
    for _ in range(rounds):
        state = told(strategy, state, [Answer(losses.uniform(1, 2, strategy.units(state)))])
        if state.attempt.began == state.round:
            found.append(state.attempt.population)
            assert state.center.tobytes() == first.center.tobytes()
            assert state.covariance.tobytes() == first.covariance.tobytes()
            assert state.sigma == first.sigma * state.attempt.sigma
            assert state.best.loss < 1.1
    return found


def test_a_stagnating_search_restarts_with_twice_the_population_up_to_2n_where_losses_tie():
    start = np.arange(10, dtype=np.float32)
    jumps = NETWORK | {"traits": Traits(jumps=True)}
    doubling, capped = [7, 13, 25, 49], [7, 13, 21, 21]
    tasks = {Task(10): doubling, Task(10, **NETWORK): doubling, Task(10, **TIES): capped, Task(10, **jumps): capped}
    for task, expected in tasks.items():
        strategy = created("cma-es", {"population": 7}, task)
        assert populations(strategy, strategy.init(start, 0), 1200)[:4] == expected


def test_small_attempts_start_with_small_steps():
    strategy = create("cma-es", {"population": 7, "restarts": "bipop"})
    state = strategy.init(np.zeros(10, np.float32), 0)
    small = replace(state.attempt, large=101, spent_large=10_000, began=1)
    after = told(strategy, replace(state, round=10, mean=np.full(10, np.nan), attempt=small), [Answer(np.arange(7.0))])
    assert after.attempt.small
    assert 0.01 <= after.attempt.sigma < 1
    assert after.sigma == strategy.settings.sigma * after.attempt.sigma


def test_the_population_never_becomes_larger_than_memory_allows():
    strategy = created("cma-es", {}, Task(2000))
    assert strategy.init(np.zeros(2000, np.float32), 0).attempt.largest * 2000 <= LARGEST_NOISE + 2000


@pytest.mark.parametrize("seed", range(3))
def test_restarts_find_the_lowest_of_many_minima(seed):
    """Rastrigin's function; with a population that stays small, the second and third fail in this budget."""

    def rastrigin(weights: np.ndarray) -> float:
        wide = weights.astype(np.float64)
        return float(np.sum(wide**2 + 10 * (1 - np.cos(2 * np.pi * wide))))

    objective = FunctionObjective(rastrigin, 3)
    strategy = create("cma-es", {"sigma": 2.0}, objective)
    state, tried = strategy.init(np.array([2.2, 1.3, -2.7], np.float32), seed), 0
    while state.best.loss > 1e-8 and tried < 16_000:
        tried += strategy.units(state)
        state = search(strategy, objective, 1, state)
    assert state.best.loss <= 1e-8


def test_a_constant_added_to_a_loss_changes_nothing():
    """The loss falls from just above 500 to 500: in the end by far less than a thousandth."""
    bare = rotated_ellipsoid(5, 1e6)
    raised = FunctionObjective(lambda weights: bare.function(weights) + 500, 5)
    strategy = create("cma-es", {"sigma": 2.0}, bare)
    state = search(strategy, raised, 230)
    assert state.attempt.began == 0
    assert state.best.loss - 500 < 1e-8


def test_it_learns_from_the_rounded_steps_that_were_evaluated():
    """Around 1000 float32 has steps of 6e-5: the steps drawn and the steps evaluated differ."""
    strategy = create("cma-es", {"sigma": 1e-4})
    state = strategy.init(np.full(10, 1000, np.float32), 0)
    losses = np.arange(11.0)
    after = told(strategy, state, [Answer(losses)])
    weights = np.maximum(constants(10, 10).weights, 0)
    assert after.mean == pytest.approx(weights @ strategy.ask(state, 1, 11).dense().astype(np.float64), abs=1e-9)


def test_candidates_rounded_onto_the_center_do_no_harm():
    strategy = created("cma-es", {"sigma": 2e-5}, Task(1))
    state = strategy.init(np.full(1, 1000, np.float32), 0)
    assert not (strategy.ask(state, 0, 5).dense() - 1000).any()
    after = told(strategy, state, [Answer(np.arange(5.0))])
    assert after.attempt.began == 0
    assert np.isfinite(after.covariance).all()


def test_falling_losses_minibatches_and_disabled_restarts_never_count_as_stagnation():
    for strategy, fall in (
        (create("cma-es", {}), 0.99),
        (create("cma-es", {"restarts": "none"}), 1.0),
        (created("cma-es", {}, Task(10, examples=100, batch=10)), 1.0),
    ):
        state = strategy.init(np.zeros(10, np.float32), 0)
        losses = np.random.default_rng(0)
        for number in range(400):
            state = told(strategy, state, [Answer(fall**number * losses.uniform(1, 1.001, strategy.units(state)))])
        assert (state.attempt.began, strategy.units(state)) == (0, strategy.settings.population)


@pytest.mark.parametrize(
    "broken",
    [
        {"sigma": 10 * LARGEST_SIGMA},
        {"mean": np.full(10, np.nan)},
        {"covariance": np.diag(np.full(10, np.nan))},
        {"covariance": np.diag([1.0] * 9 + [-1.0])},
        {"scales": np.array([1.0] * 9 + [1e-7], np.float32), "decomposed": 100},
        {"sigma": 1e-14},
    ],
    ids=["too wide", "mean", "covariance", "not positive", "ill-conditioned", "too narrow"],
)
def test_a_degenerate_distribution_is_restarted(broken):
    strategy = create("cma-es", {})
    state = replace(strategy.init(np.ones(10, np.float32), 0), **{"decomposed": -100, **broken})
    after = told(strategy, state, [Answer(np.arange(11.0))])
    assert after.attempt.began == after.round == 1
    assert after.sigma == strategy.settings.sigma
    assert np.isfinite(strategy.ask(after, 0, strategy.units(after)).dense()).all()


@pytest.mark.parametrize(("sigma", "population"), [(1e-14, 21), (10 * LARGEST_SIGMA, 11)])
def test_a_distribution_grown_too_wide_does_not_enlarge_the_population(sigma, population):
    strategy = create("cma-es", {})
    state = replace(strategy.init(np.ones(10, np.float32), 0), sigma=sigma)
    assert strategy.units(told(strategy, state, [Answer(np.arange(11.0))])) == population


def test_flat_directions_of_a_large_population_stay_finite():
    """With λ ≥ n a plain version diverges on a relu network, most of whose directions are flat."""
    objective = network_objective()
    strategy = create("cma-es", {"population": 4 * objective.network.weights_count, "restarts": "none"}, objective)
    state = search(strategy, objective, 400)
    assert np.isfinite(state.covariance).all()
    assert state.sigma * np.sqrt(np.diag(state.covariance).max()) < LARGEST_SIGMA
    assert state.best.loss < 0.12


def test_equal_losses_do_not_move_the_mean_towards_the_first():
    strategy = create("cma-es", {})
    state = strategy.init(np.zeros(10, np.float32), 0)
    after = told(strategy, state, [Answer(np.ones(11))])
    z = noise(0, Stream.CANDIDATES, 0, 1, 11, 10)
    assert after.center == pytest.approx(strategy.settings.sigma * z.mean(axis=0), abs=1e-6)
