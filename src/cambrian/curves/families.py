"""The eleven families of learning curves of Domhan, Springenberg & Hutter, "Speeding up Automatic
Hyperparameter Optimization of Deep Neural Networks by Extrapolation of Learning Curves" (IJCAI 2015, Table
1).

Every function takes steps x float[n] from 1 on and parameters float[..., k], and gives values float[..., n];
where it is not defined it gives NaN or infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Function = Callable[[Values, Values], Values]


@dataclass(frozen=True)
class Family:
    """`start` are the parameters at which a fit begins, those of the authors' program; `again` are others,
    where these lead many curves of the family itself away from their parameters."""

    name: str
    function: Function
    start: tuple[float, ...]
    again: tuple[float, ...] | None = None

    def __call__(self, x: Values, parameters: Values) -> Values:
        with np.errstate(all="ignore"):  # a walker may leave the domain, and its values tell
            return self.function(x, parameters)


def vapor_pressure(x: Values, p: Values) -> Values:
    """exp(a + b/x + c ln x)."""
    a, b, c = _columns(p)
    return np.exp(a + b / x + c * np.log(x))


def pow3(x: Values, p: Values) -> Values:
    """c - a x^-alpha."""
    c, a, alpha = _columns(p)
    return c - a * x**-alpha


def pow4(x: Values, p: Values) -> Values:
    """c - (a x + b)^-alpha."""
    c, a, b, alpha = _columns(p)
    return c - (a * x + b) ** -alpha


def log_log_linear(x: Values, p: Values) -> Values:
    """ln(a ln x + b)."""
    a, b = _columns(p)
    return np.log(a * np.log(x) + b)


def ilog2(x: Values, p: Values) -> Values:
    """c - a / ln(x + 1)."""
    c, a = _columns(p)
    return c - a / np.log(x + 1)


def log_power(x: Values, p: Values) -> Values:
    """a / (1 + (x / e^b)^c)."""
    a, b, c = _columns(p)
    return a / (1 + (x / np.exp(b)) ** c)


def weibull(x: Values, p: Values) -> Values:
    """alpha - (alpha - beta) exp(-(kappa x)^delta)."""
    alpha, beta, kappa, delta = _columns(p)
    return alpha - (alpha - beta) * np.exp(-((kappa * x) ** delta))


def janoschek(x: Values, p: Values) -> Values:
    """alpha - (alpha - beta) exp(-kappa x^delta)."""
    alpha, beta, kappa, delta = _columns(p)
    return alpha - (alpha - beta) * np.exp(-kappa * x**delta)


def mmf(x: Values, p: Values) -> Values:
    """alpha - (alpha - beta) / (1 + (kappa x)^delta): Morgan, Mercer and Flodin."""
    alpha, beta, kappa, delta = _columns(p)
    return alpha - (alpha - beta) / (1 + (kappa * x) ** delta)


def exp4(x: Values, p: Values) -> Values:
    """c - exp(-a x^alpha + b)."""
    c, a, b, alpha = _columns(p)
    return c - np.exp(-a * x**alpha + b)


def hill3(x: Values, p: Values) -> Values:
    """theta x^eta / (kappa^eta + x^eta)."""
    theta, eta, kappa = _columns(p)
    return theta / ((kappa / x) ** eta + 1)


def _columns(parameters: Values) -> list[Values]:
    """The parameters [..., 1] one by one, to combine with steps [n]."""
    return [parameters[..., place, None] for place in range(parameters.shape[-1])]


FAMILIES = (
    Family("vapor pressure", vapor_pressure, (-0.62, -0.47, 0.042)),
    Family("pow3", pow3, (0.84, 0.52, 0.01), (0.84, 0.52, 0.5)),
    Family("pow4", pow4, (0.8, 200.0, 0.0, 0.1)),
    Family("log log linear", log_log_linear, (1.0, 1.0)),
    Family("ilog2", ilog2, (0.78, 0.43)),
    Family("log power", log_power, (0.77, 2.98, -0.51)),
    Family("Weibull", weibull, (0.7, 0.1, 0.01, 1.0)),
    Family("Janoschek", janoschek, (0.73, 0.07, 0.355, 0.46)),
    Family("MMF", mmf, (0.7, 0.1, 0.01, 5.0)),
    Family("exp4", exp4, (0.7, 0.8, -0.8, 0.3)),
    Family("Hill3", hill3, (0.772, 0.586, 2.461)),
)
