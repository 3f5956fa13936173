"""Validation of a question's options: they must be distinct, writable as JSON, and countable.

A program may pass any object. The functions below check it before anything is allocated, and name the
question's path in their errors.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from cambrian.errors import SpaceError

Scalar = str | int | float | bool

MOST = 10_000
"""The largest number of options of a question, and of questions of a walk. A program with more has a mistake,
or wants `pick.integer`."""

MANY = 1e300
"""The largest number of answers to a question for several options: the counts of each size are weights, and
so floats."""

LONGEST = 200  # characters of a value in a sentence


def shorten(value: object) -> str:
    """Any value as text for people: on one line, at most LONGEST characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # an object of the user's own, or a number with more digits than Python writes
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def list_options(options: Sequence[Scalar], most: int = 16) -> str:
    """Options as text for people; of many, the first few and their number."""
    names = ", ".join(map(repr, options[:most]))
    return names if len(options) <= most else f"{names}, ... ({len(options)} in all)"


def check_path(path: object) -> None:
    if type(path) is str and path.isascii():  # nearly all are: paths are checked at every question
        return
    if not isinstance(path, str):
        raise SpaceError(f"a question's path is text, got {shorten(path)}")
    if not _writable(path):
        raise SpaceError(f"question {path!r}: a path is text that can be written as UTF-8")


def check_distinct(path: str, options: tuple[Scalar, ...]) -> None:
    """Raises SpaceError unless there is at least one option, no two are the same, and all are of Python's own
    types: only these come back from a file unchanged."""
    if not options:
        raise SpaceError(f"question {path!r} has no options: give it at least one")
    for option in options:
        if type(option) is str and option.isascii():  # most are
            continue
        wrong = _find_fault(option)
        if wrong:
            raise SpaceError(f"question {path!r}: {wrong}, got {shorten(option)}")
    # By text, since a file holds text, and by value, since 1 and 1.0 compare equal.
    if len(set(map(repr, options))) != len(options) or len(set(options)) != len(options):
        raise SpaceError(f"question {path!r} offers an option twice: {shorten(list(options))}")


def check_weights(path: str, weights: tuple[float, ...], count: int) -> None:
    if (
        len(weights) != count
        or not all(0 <= w < math.inf for w in weights)
        or not 0 < sum(weights) < math.inf  # finite ones may not add up to a finite one
    ):
        raise SpaceError(
            f"question {path!r}: weights must be {count} finite numbers >= 0 "
            f"with a positive sum, got {shorten(weights)}"
        )


def check_some(path: str, least: Any, most: Any, count: int) -> None:
    whole = isinstance(least, int) and isinstance(most, int)
    if not whole or not 0 <= least <= most <= count:
        raise SpaceError(
            f"question {path!r}: cannot pick between {shorten(least)} and {shorten(most)} of {count} options"
        )
    if count < 990:  # 2 to that power is less than MANY
        return
    if any(answers > MANY for answers in accumulate(subsets(count, least, most))):
        raise SpaceError(
            f"question {path!r}: picks of {least} to {most} of {count} options are more than {MANY:g} answers"
        )


def subsets(count: int, least: int, most: int) -> Iterator[int]:
    """The number of subsets of `count` options for each size from `least` to `most`."""
    return (math.comb(count, k) for k in range(least, most + 1))


def check_whole(path: str, low: Any, high: Any) -> None:
    if not (isinstance(low, int) and isinstance(high, int) and low <= high):
        raise SpaceError(f"question {path!r}: no whole numbers from {shorten(low)} to {shorten(high)}")
    if low < -(1 << 63) or high >= 1 << 63:
        raise SpaceError(
            f"question {path!r}: whole numbers have 64 bits at most, got {shorten(low)} to {shorten(high)}"
        )


def check_bound(path: str, value: object) -> float:
    """A bound of another numeric type, such as NumPy's, as a float."""
    if isinstance(value, numbers.Real):
        return float(value)
    raise SpaceError(f"question {path!r}: a bound is a number, got {shorten(value)}")


def check_real(path: str, low: float, high: float, log: bool) -> None:
    between = f"from {shorten(low)} to {shorten(high)}"
    if not (_finite(low) and _finite(high) and low <= high):
        raise SpaceError(f"question {path!r}: no numbers {between}")
    if log and low <= 0:
        raise SpaceError(f"question {path!r}: a logarithmic range must start above 0")
    if not _finite(high / low if log else high - low):
        raise SpaceError(f"question {path!r}: numbers {between} are too wide a range for floats")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def check_options(path: str, options: Any) -> tuple[Any, ...]:
    """The options that a program passed, as a tuple. Raises SpaceError if they are not a list or too many."""
    if type(options) in (list, tuple) and len(options) <= MOST:
        return tuple(options)
    if isinstance(options, str):
        raise SpaceError(f"question {path!r}: options are a list, got the text {shorten(options)}")
    count = _count(options)
    if count is None:
        raise SpaceError(f"question {path!r}: options are a list, got {shorten(options)}")
    if count > MOST:
        raise SpaceError(
            f"question {path!r} offers {count} options: at most {MOST}; use pick.integer for whole numbers"
        )
    return tuple(options)


def validate_weights(path: str, weights: Any) -> tuple[float, ...] | None:
    """The weights that a program passed, as floats; None stands for equal weights."""
    if weights is None:
        return None
    count = None if isinstance(weights, str) else _count(weights)
    try:
        if count is not None and count <= MOST:
            return tuple(float(w) for w in weights)
    except (TypeError, ValueError, OverflowError):
        pass
    raise SpaceError(f"question {path!r}: weights are a list of numbers, got {shorten(weights)}")


def count_range(path: str, low: Any, high: Any) -> range:
    """The range of a count, from `low` to `high`. Raises SpaceError if it is negative, empty or too long."""
    if not (isinstance(low, int) and isinstance(high, int) and 0 <= low <= high):
        raise SpaceError(
            f"question {path!r}: there cannot be between {shorten(low)} and {shorten(high)} of something"
        )
    if high - low >= MOST:
        raise SpaceError(
            f"question {path!r} offers {shorten(high - low + 1)} options: at most {MOST}; use pick.integer "
            f"for a whole number"
        )
    return range(low, high + 1)


def _count(options: Any) -> int | None:
    """The number of options, without reading any; None if it is unknown, as for a generator."""
    try:
        iter(options)
        count: int = len(options)
        return count
    except TypeError:
        return None
    except OverflowError:  # of a range longer than memory
        return (int(options[-1]) - int(options[0])) // int(options.step) + 1


def _find_fault(option: object) -> str:
    """The reason why this is not an option; empty if it is one."""
    if type(option) not in (str, int, float, bool):
        mend = "; convert it first, as .item() or .tolist() do" if hasattr(option, "item") else ""
        if callable(option):  # a module, its class or what makes one
            mend = "; of modules say pick.module(path, {'relu': nn.ReLU, ...}), which gives the chosen one"
        return f"an option is text, a number or a truth value{mend}"
    if isinstance(option, float) and not math.isfinite(option):
        return "a number among the options is finite"
    if isinstance(option, str) and not _writable(option):
        return "a text among the options can be written as UTF-8"
    # The range of int64, which NumPy and most readers of JSON have.
    if isinstance(option, int) and not -(1 << 63) <= option < 1 << 63:
        return "a whole number among the options has 64 bits at most"
    return ""


def _writable(text: str) -> bool:
    """Whether the text has no half of a surrogate pair, which a file cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
