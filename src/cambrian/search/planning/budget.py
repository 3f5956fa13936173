"""The budget of a search: trials, seconds, epochs, or several of them, whichever ends first."""

from __future__ import annotations

import re

import msgspec

from cambrian.errors import UsageError
from cambrian.records import Record
from cambrian.settings import Span

MOST = 2**53
"""Larger whole numbers are not exact in JSON, which the ledger is written in."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Budget(msgspec.Struct, frozen=True, metaclass=Record):
    """`trials` counts every proposal, repeats included. `seconds` counts everything: training, the
    strategy's own thinking, and the final stage. `epochs` counts those that the search's trials paid for
    (see `cambrian.effort`); where it is not set it is left out of JSON, as in older ledgers."""

    trials: int | None = None
    seconds: float | None = None
    epochs: float | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        amounts = {"trials": self.trials, "seconds": self.seconds, "epochs": self.most_epochs}
        for name, amount in amounts.items():
            if amount is not None:
                if amount == 0 and not isinstance(amount, bool):
                    raise UsageError(
                        f"a budget of {name} is above zero: give at least 1, or a time such as 2m"
                    )
                Span(0, MOST, above=True, whole=name == "trials").check(f"a budget of {name}", amount)

    @property
    def most_epochs(self) -> float | None:
        return None if isinstance(self.epochs, msgspec.UnsetType) else self.epochs

    def exceeds(self, other: Budget) -> bool:
        """Whether it allows anything that the other one does not.

        >>> Budget.parse("2m").exceeds(Budget.parse("1m")), Budget.parse("30s").exceeds(Budget.parse("1m"))
        (True, False)
        """
        pairs = (
            (self.trials, other.trials),
            (self.seconds, other.seconds),
            (self.most_epochs, other.most_epochs),
        )
        return any(o is not None and (n is None or n > o) for n, o in pairs)

    @staticmethod
    def parse(text: str | int | float | Budget | None) -> Budget:
        """`"2h"`, `"90s"`, `"1h30m"`, `"200"` (trials), `"5000 epochs"` or `"200, 30m"` (whichever ends
        first).

        >>> Budget.parse("1h30m").seconds
        5400.0
        """
        if text is None or isinstance(text, Budget):
            return text or Budget()
        trials: int | None = None
        seconds: float | None = None
        epochs: float | msgspec.UnsetType = msgspec.UNSET
        for part in str(text).replace(" ", "").lower().split(","):
            if trials is None and re.fullmatch(r"[0-9]{1,99}(trials?)?", part):
                trials = int(part.rstrip("trials"))
            elif epochs is msgspec.UNSET and re.fullmatch(r"[0-9]{1,99}epochs?", part):
                epochs = int(part.rstrip("epochs"))
            # Bounded digits, here and above: int() refuses texts of thousands, and a float overflows.
            elif seconds is None and re.fullmatch(r"([0-9]{1,99}(\.[0-9]+)?[smhd])+", part):
                amounts = re.findall(r"([0-9]+(?:\.[0-9]+)?)([smhd])", part)
                seconds = sum(float(n) * _UNITS[unit] for n, unit in amounts)
            else:
                raise UsageError(
                    f"cannot read the budget {text!r}: write a time such as 90s, 30m, 2h or 1h30m,"
                    " a number of trials such as 200, of epochs such as 5000epochs, or several: 200,30m"
                )
        return Budget(trials, seconds, epochs)

    def __str__(self) -> str:
        parts = [f"{self.trials} trial" + "s" * (self.trials != 1)] if self.trials else []
        if self.seconds:
            rest, words = self.seconds, []
            for unit in "dhm":
                count, rest = divmod(rest, _UNITS[unit])
                words += [f"{int(count)}{unit}"] if count else []
            words += [f"{rest:.3g}s"] if rest >= 0.001 or not words else []
            parts.append(" ".join(words))
        if self.most_epochs is not None:
            parts.append(f"{self.most_epochs:.15g} epoch" + "s" * (self.most_epochs != 1))
        return ", ".join(parts) or "until the strategy stops"
