"""The internal unit of a predictor: an affine map that gives values mean 0 and variance 1."""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.predictors.predictor import Values


@dataclass(frozen=True)
class Unit:
    """`zero` and `one` are the values that become 0 and 1. With the defaults, values stay the same, to the
    bit."""

    zero: float = 0.0
    one: float = 1.0

    @staticmethod
    def of(values: Values) -> Unit:
        """The unit of these values. Equal values become 0, since they do not have a spread."""
        spread = float(values.std())
        # Rounding gives equal values a spread too, of the last bits of their size.
        equal = spread <= 1e-12 * float(abs(values).max())
        return Unit(float(values.mean()), 1.0 if equal else spread)

    def shrink(self, values: Values) -> Values:
        return (values - self.zero) / self.one

    def stretch(self, unit: Values) -> Values:
        return self.zero + self.one * unit
