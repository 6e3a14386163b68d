from dataclasses import replace

import numpy as np
import pytest
from problems import create, network_objective, told

from distsearch.candidates.base import Space
from distsearch.errors import SettingError
from distsearch.objectives.base import FunctionObjective
from distsearch.randomness import Stream, noise
from distsearch.strategies import create as created
from distsearch.strategies.base import LARGEST_SIGMA, Answer
from distsearch.strategies.cma_es import MOST_WEIGHTS, constants, most


def search(strategy, objective, rounds: int, state=None):
    if state is None:
        state = strategy.init(np.zeros(objective.space.weights_count, np.float32), 0)
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
def test_it_goes_the_way_of_the_reference(n, population):
    """The same steps and losses, told to the `cma` package: mean, sigma, paths and covariance are the same."""
    cma = pytest.importorskip("cma", reason="the reference, `pip install cma`, is not there")
    objective = rotated_ellipsoid(n, 1e4)
    strategy = created("cma-es", {"population": population, "sigma": 0.5}, objective.space)
    state = strategy.init(np.linspace(-1, 1, n, dtype=np.float32), 1)
    count = strategy.units(state) - 1
    options = {"popsize": count, "verbose": -9, "CMA_diagonal_decoding": 0, "CMA_mirrors": 0}
    reference = cma.CMAEvolutionStrategy(state.mean, 0.5, options)
    reference.sm.C, reference.sm.B, reference.sm.D = np.eye(n), np.eye(n), np.ones(n)  # its own are not quite equal
    reference.adapt_sigma.initialize(reference)
    reference.adapt_sigma.cs = constants(n, count).c_sigma  # by the tutorial; its own has 3 in place of 5
    reference.adapt_sigma.damps = constants(n, count).d_sigma
    for number in range(60):
        reference.ask(count)  # it does not take solutions before it was asked for some
        z = noise(1, Stream.CANDIDATES, number, 1, count + 1, n).astype(np.float64)
        solutions = state.mean + state.sigma * (z * state.scales) @ state.basis.T.astype(np.float64)
        losses = np.array([objective.function(each) for each in solutions])
        reference.tell(list(solutions), list(losses), check_points=False)
        state = told(strategy, state, [Answer(np.concatenate([[0.0], losses]))])
        if state.decomposed == state.round:
            reference.sm.B, reference.sm.D = state.basis.astype(np.float64), state.scales.astype(np.float64)
        reference.sm.last_update = reference.sm.count_tell  # it decomposes when we do, of what we have
        np.testing.assert_allclose(state.mean, reference.mean, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(state.sigma, reference.sigma, rtol=1e-6)
        np.testing.assert_allclose(state.path, reference.pc, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(state.path_sigma, reference.adapt_sigma.ps, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(state.covariance, reference.sm.C, rtol=1e-5, atol=1e-5 * reference.sm.C.max())
    assert state.scales.max() / state.scales.min() > 2  # it has learnt something to compare


def test_the_constants_are_those_of_the_tutorial():
    """By hand for n = 10 and λ = 10."""
    c = constants(10, 10)
    assert c.weights[:5] == pytest.approx([0.45627, 0.27075, 0.16223, 0.08523, 0.02551], abs=1e-5)
    assert c.weights[:5].sum() == pytest.approx(1)
    assert c.mu_eff == pytest.approx(1 / np.square(c.weights[:5]).sum())
    assert c.mu_eff == pytest.approx(3.1673, abs=1e-4)
    assert c.c_sigma == pytest.approx(5.1673 / 18.1673, abs=1e-4)
    assert c.c_1 == pytest.approx(2 / (11.3**2 + 3.1673), abs=1e-6)
    assert c.chi == pytest.approx(np.sqrt(10) * (1 - 1 / 40 + 1 / 2100), abs=1e-3)
    # Negative weights make the decay of C zero where they may: eq. 50.
    assert c.c_1 + c.c_mu * c.weights.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("n", "population"), [(1, 5), (21, 14), (387, 22), (2410, 28)])
def test_the_population_follows_the_number_of_weights(n, population):
    assert created("cma-es", {}, Space(n)).settings.population == population


@pytest.mark.parametrize("population", [4, most(10) + 1])
def test_a_population_that_would_not_work_is_refused(population):
    with pytest.raises(SettingError, match=f"expected 5 to 21 for 10 weights .*, got {population}"):
        create("cma-es", {"population": population})


def test_too_many_weights_are_refused_before_memory_is_taken():
    with pytest.raises(SettingError, match="at most 3000 weights, got 1000000000; use --strategy snes"):
        created("cma-es", {}, Space(10**9))
    assert created("cma-es", {}, Space(MOST_WEIGHTS))


def mean_curvature(strategy, objective, rounds: int) -> float:
    """The curvature along the steps that are tried at the end: low, if they follow the valley."""
    state = search(strategy, objective, rounds)
    steps = strategy.ask(state, 1, strategy.units(state)).dense() - state.center
    losses = [objective.function(1 + step) for step in steps / np.linalg.norm(steps, axis=1, keepdims=True)]
    return float(np.mean(losses))


def test_it_learns_a_rotated_ellipsoid_and_snes_does_not():
    objective = rotated_ellipsoid(8, 1e4)
    learnt, separable = (create(name, {"population": 13}, objective) for name in ("cma-es", "snes"))
    assert mean_curvature(learnt, objective, 150) < 0.1 * mean_curvature(separable, objective, 150)
    assert search(learnt, objective, 150).best.loss < 1e-4
    assert search(separable, objective, 150).best.loss > 1e-2


def test_workers_get_what_they_need_and_no_more():
    strategy, objective = create("cma-es", {}), rotated_ellipsoid(10, 100)
    state = search(strategy, objective, 20)
    sent = strategy.outgoing(state)
    units = strategy.units(sent)
    assert strategy.ask(sent, 0, units).dense().tobytes() == strategy.ask(state, 0, units).dense().tobytes()
    assert sent.mean.size == sent.covariance.size == sent.path.size == sent.path_sigma.size == sent.start.size == 0
    assert sent.best.weights.size == 0


def test_stagnation_starts_again_with_twice_the_population_up_to_a_bound():
    strategy = create("cma-es", {"population": 7})
    state = first = strategy.init(np.arange(10, dtype=np.float32), 0)
    populations = [7]
    losses = np.random.default_rng(0)
    for _ in range(4 * constants(10, 6).patience):
        state = told(strategy, state, [Answer(losses.uniform(1, 2, state.population))])
        if state.began == state.round:
            populations.append(state.population)
            assert state.center.tobytes() == first.center.tobytes()
            assert (state.sigma, state.lowest) == (first.sigma, np.inf)
            assert state.covariance.tobytes() == first.covariance.tobytes()
            assert state.best.loss < 1.1
    assert populations[:4] == [7, 13, 21, 21]


def test_a_loss_that_falls_is_no_stagnation_nor_is_any_on_a_minibatch_or_where_that_is_not_wanted():
    for strategy, fall in (
        (create("cma-es", {}), 0.99),
        (create("cma-es", {"restart": False}), 1.0),
        (created("cma-es", {}, Space(10, examples=100, batch=10)), 1.0),
    ):
        state = strategy.init(np.zeros(10, np.float32), 0)
        losses = np.random.default_rng(0)
        for number in range(400):
            state = told(strategy, state, [Answer(fall**number * losses.uniform(1, 1.001, state.population))])
        assert (state.began, state.population) == (0, strategy.settings.population)


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
def test_a_distribution_of_no_use_is_started_again(broken):
    strategy = create("cma-es", {})
    state = replace(strategy.init(np.ones(10, np.float32), 0), **{"decomposed": -100, **broken})
    after = told(strategy, state, [Answer(np.arange(11.0))])
    assert after.began == after.round == 1
    assert (after.sigma, after.population) == (strategy.settings.sigma, 21)
    assert np.isfinite(strategy.ask(after, 0, after.population).dense()).all()


def test_flat_directions_of_a_large_population_stay_finite():
    """With λ ≥ n a plain version diverges on a relu network, most of whose directions are flat."""
    objective = network_objective()
    strategy = create("cma-es", {"population": most(21), "restart": False}, objective)
    state = search(strategy, objective, 400)
    assert np.isfinite(state.covariance).all()
    assert state.sigma * np.sqrt(np.diag(state.covariance).max()) < LARGEST_SIGMA
    assert state.best.loss < 0.12


def test_losses_that_are_all_equal_do_not_move_the_mean_in_favour_of_the_first():
    strategy = create("cma-es", {})
    state = strategy.init(np.zeros(10, np.float32), 0)
    after = told(strategy, state, [Answer(np.ones(11))])
    z = noise(0, Stream.CANDIDATES, 0, 1, 11, 10)
    assert after.center == pytest.approx(strategy.settings.sigma * z.mean(axis=0), abs=1e-6)
