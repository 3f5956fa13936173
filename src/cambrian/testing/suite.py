"""A conformance suite: a list of checks, each a function of the component that raises where the
component breaks its contract.

`Suite.violations` runs them without any test framework; `Conformance` lets pytest run each as a test of its
own: subclass a suite's class, define its case, inherit the tests.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from cambrian.spaces.knowledge import know

Case = TypeVar("Case")
Known = TypeVar("Known")


class Violation(AssertionError):
    """The component breaks its contract."""


class NotApplicable(unittest.SkipTest):
    """The check does not concern this component; pytest counts it as skipped."""


def expect(ok: object, sentence: str) -> None:
    """Raise Violation with `sentence` unless `ok`; stays in force under `python -O`."""
    if not ok:
        raise Violation(sentence)


def applies(ok: object, sentence: str) -> None:
    """End a check that does not concern the component, unless `ok`."""
    if not ok:
        raise NotApplicable(sentence)


def know_or_skip(space: object, protocol: type[Known], sentence: str) -> Known:
    """The object that knows `space` by `protocol`; ends the check where there is none."""
    known = know(space, protocol)
    if known is None:
        raise NotApplicable(sentence)
    return known


@dataclass(frozen=True)
class Suite(Generic[Case]):
    """`checks` in the order run; their docstrings are the promises."""

    name: str
    checks: tuple[Callable[[Case], None], ...]

    def violations(self, case: Case, only: Iterable[str] = ()) -> list[str]:
        """One line, "check: reason", for each check that `case` fails; any exception counts. `only` names the
        checks to run, all by default."""
        wanted = set(only)
        lines = []
        for check in self.checks:
            if wanted and check.__name__ not in wanted:
                continue
            try:
                check(case)
            except NotApplicable:
                continue
            # A component that raises where a check calls it breaks its contract too: the others still run.
            except Exception as error:
                kind = "" if isinstance(error, Violation) else f"{type(error).__name__}: "
                lines.append(f"{check.__name__}: {kind}{error}")
        return lines


class Conformance:
    """The base of the suites' pytest classes. `case` makes the case, fresh for every check."""

    suite: ClassVar[Suite[Any]]

    def case(self) -> Any:
        raise NotImplementedError("a conformance test says what it tests: define `case(self)`")

    def pytest_generate_tests(self, metafunc: Any) -> None:
        if "check" in metafunc.fixturenames:
            checks = self.suite.checks
            metafunc.parametrize("check", checks, ids=[c.__name__.removeprefix("check_") for c in checks])

    def test_keeps_its_contract(self, check: Callable[[Any], None]) -> None:
        """The promise is the check's own docstring."""
        check(self.case())
