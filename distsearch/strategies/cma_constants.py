"""The constants of CMA-ES: table 1 of Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv 1604.00772."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Constants:
    """The tutorial's table 1 for n weights and λ candidates besides the center."""

    weights: Array  # (λ,), by rank, including negative ones
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float  # E‖N(0, I)‖
    gap: int  # rounds from one decomposition to the next


@lru_cache(maxsize=8)
def constants(n: int, count: int) -> Constants:
    """The constants for n weights and λ = count candidates besides the center."""
    raw = math.log((count + 1) / 2) - np.log(np.arange(1, count + 1))  # eq. 49
    mu = count // 2
    mu_eff = float(raw[:mu].sum() ** 2 / np.square(raw[:mu]).sum())
    mu_eff_minus = float(raw[mu:].sum() ** 2 / np.square(raw[mu:]).sum())
    c_1 = 2 / ((n + 1.3) ** 2 + mu_eff)  # eq. 57
    c_mu = min(
        1 - c_1, 2 * (1 / 4 + mu_eff + 1 / mu_eff - 2) / ((n + 2) ** 2 + mu_eff)
    )  # eq. 58, with the 1/4 of `cma`
    negative = min(  # eqs. 50 to 52
        1 + c_1 / c_mu, 1 + 2 * mu_eff_minus / (mu_eff + 2), (1 - c_1 - c_mu) / (n * c_mu)
    )
    weights = np.where(raw >= 0, raw / raw[:mu].sum(), raw * negative / -raw[raw < 0].sum())  # eq. 53
    weights.flags.writeable = False
    c_sigma = (mu_eff + 2) / (n + mu_eff + 5)  # eq. 55
    return Constants(
        weights=weights,
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0, math.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma,
        c_c=(4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n),  # eq. 56
        c_1=c_1,
        c_mu=c_mu,
        chi=math.sqrt(2) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2)),
        gap=max(1, math.floor(1 / (10 * n * (c_1 + c_mu)))),  # appendix B.2
    )
