"""All errors that cambrian raises on purpose, as one tree.

CambrianError
├── UsageError                 the user's input cannot be used: one sentence, exit code 2
│   ├── UnknownName            a name that does not exist; carries the nearest valid one
│   ├── Unread                 settings that would do nothing; carries their names
│   ├── SpaceError             the program of a space is at fault (a path asked twice, no options, ...)
│   ├── StrategyError          a strategy is at fault (a proposal or a state that is none, ...)
│   ├── IllegalArchitecture    answers that a space does not accept
│   ├── Unbuildable            an architecture whose shapes do not fit; carries the question's path
│   ├── Incompatible           a space, strategy and estimator that cannot work together
│   ├── DataError              a data set that cannot be used, with file and remedy; also a ValueError
│   └── MissingExtra           an optional dependency; says which `pip install` mends it
├── RunError                   a run directory that cannot be used: exit code 3
│   ├── LedgerCorrupt          the ledger is damaged
│   ├── DiskRefused            a file could not be written, for a reason outside of its content
│   ├── NothingSucceeded       no trial of a search has a value; carries the result and the first reason
│   ├── RunChanged             resumed with other settings than it was started with
│   └── RunBusy                a process is at work in it
├── ExportMismatch             the exported program does not give the network's outputs
└── Rejected                   `pick.require` refused a walk: not a mistake, the walk is drawn again

Every message names the fault and its place, the value that was given and the one expected, and a remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class CambrianError(Exception):
    """Root of the tree: catching it catches every error that cambrian raises on purpose."""

    exit_code = 1


class UsageError(CambrianError):
    exit_code = 2


class UnknownName(UsageError):
    """`UnknownName("strategy", "progresive", ["progressive", "random"])`."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        self.kind, self.name, self.valid = kind, name, sorted(valid)
        super().__init__(f"unknown {kind} {name!r}{did_you_mean(name, self.valid)}")


class Unread(UsageError):
    """`Unread(["keep"], "for progressive search, and the strategy is random")`. The command line says it
    again with its options in place of the `names`."""

    def __init__(self, names: Sequence[str], reason: str) -> None:
        self.names, self.reason = list(names), reason
        verb, pronoun = ("is", "it") if len(self.names) == 1 else ("are", "them")
        super().__init__(f"{join_words(self.names)} {verb} {reason}: leave {pronoun} out")


class SpaceError(UsageError):
    pass


class StrategyError(UsageError):
    pass


class IllegalArchitecture(UsageError):
    """`wrong` and `valid` add the nearest valid name to the sentence where it is read, not where it is
    raised: walks try answers by the thousand and catch this error."""

    def __init__(self, sentence: str, wrong: str | None = None, valid: Sequence[object] = ()) -> None:
        super().__init__(sentence, wrong, valid)

    def __str__(self) -> str:
        sentence, wrong, valid = self.args
        return str(sentence) if wrong is None else f"{sentence}{did_you_mean(wrong, valid)}"


class Unbuildable(UsageError):
    pass


class Incompatible(UsageError):
    pass


class DataError(UsageError, ValueError):  # scikit-learn, and who uses it, expects that of bad X and y
    places: tuple[str, ...] = ()
    """Of several files that were read, those that cannot be: without them the others are of use."""


class MissingExtra(UsageError):
    """`MissingExtra("onnx", "export", "exporting to ONNX")`."""

    def __init__(self, module: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {module!r}, which is not installed: pip install 'cambrian[{extra}]'"
        )


class RunError(CambrianError):
    exit_code = 3


class LedgerCorrupt(RunError):
    pass


class DiskRefused(RunError):
    pass


class NothingSucceeded(RunError):
    """`result` is that of the search, whose trials say why each of them failed."""

    def __init__(self, sentence: str, result: Any = None) -> None:
        super().__init__(sentence)
        self.result = result


class RunChanged(RunError):
    pass


class RunBusy(RunError):
    pass


class ExportMismatch(CambrianError):
    pass


class Rejected(CambrianError):
    pass


def join_words(words: Sequence[str]) -> str:
    """The words with commas, and an "and" before the last.

    >>> join_words(["--space", "--epochs", "--workers"])
    '--space, --epochs and --workers'
    """
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


MOST_NAMES = 100
"""So many valid names are all listed, which is all there are of a kind; a longer list would bury the
suggestion."""


def did_you_mean(name: str, valid: Iterable[object]) -> str:
    """The end of a sentence about a wrong name: the nearest valid name, and all of them when they are few."""
    names = [str(v) for v in valid]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    tail = f"; did you mean {near[0]!r}?" if near else ""
    if len(names) <= MOST_NAMES:
        tail += f" (valid: {', '.join(names)})"
    return tail
