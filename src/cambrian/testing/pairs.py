"""The suite for a space, a strategy and an estimator together: a search of twenty trials, killed once and
resumed, must leave the ledger of an undisturbed search.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambrian.errors import Incompatible
from cambrian.outcome import Fidelity, Trial
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.run_directory import LEDGER
from cambrian.search.loop.watch import Watch
from cambrian.search.search import Search
from cambrian.testing.suite import Conformance, Suite, applies, expect

PATIENCE = 600.0
"""Seconds that a search of a pair may take; after that it is killed, which fails the check."""


@dataclass(frozen=True)
class PairCase:
    """Objects, names or specs, as `Search` takes them; `killed` is the trial during which the search is
    killed."""

    space: Any
    strategy: Any
    estimator: Any
    task: Any = None
    fidelity: Fidelity = field(default_factory=Fidelity)
    trials: int = 20
    killed: int = 13

    def search(self) -> Search:
        """A new search. Raises Incompatible where the three declare that they cannot work together."""
        return Search(
            self.space,
            self.strategy,
            self.estimator,
            self.task,
            self.trials,
            fidelity=self.fidelity,
            seed=3,
            final=None,
        )


def refusal(case: PairCase) -> str | None:
    """The sentence by which the three are refused before anything runs; None where they are not."""
    try:
        case.search()
    except Incompatible as error:
        return str(error)
    return None


def check_a_kill_costs_nothing(case: PairCase) -> None:
    """Twenty trials, `kill -9` in the midst of one of them, and the same call again: the ledger is that of
    a search that was not killed."""
    applies(hasattr(os, "fork"), "searches are killed in forked processes, which this system does not have")
    why = refusal(case)
    applies(why is None, f"refused: {why}")
    with tempfile.TemporaryDirectory() as place:
        undisturbed, disturbed = Path(place) / "undisturbed", Path(place) / "disturbed"
        expect(_session(case, undisturbed) == 0, f"the search fails: {_last_words(undisturbed)}")
        expected = _contents(undisturbed)
        # A strategy may end sooner: the kill falls into its last trial then.
        ended = _session(case, disturbed, min(case.killed, len(expected) - 1))
        expect(ended == -signal.SIGKILL, f"the search ended by itself: {_last_words(disturbed)}")
        before = _contents(disturbed)
        expect(_session(case, disturbed) == 0, f"the search cannot be resumed: {_last_words(disturbed)}")
        after = _contents(disturbed)
        expect(len(before) <= len(after), "trials were lost")
        for ours, theirs in zip(after, expected, strict=True):
            expect(ours == theirs, f"a trial differs after the kill: {ours}, undisturbed {theirs}")


class _Kill(Watch):
    """Ends the process without a word once that trial is claimed."""

    def __init__(self, number: int) -> None:
        self._number = number

    def on_claim(self, trial: Trial) -> None:
        if trial.number == self._number:
            # Between claim and outcome, the moment at which a resumed search has most to put right.
            os.kill(os.getpid(), signal.SIGKILL)


def _session(case: PairCase, directory: Path, killed: int | None = None) -> int:
    """The exit status of the search's process; minus the signal's number where one ended it."""

    def work() -> None:
        watch = None if killed is None else _Kill(killed)
        case.search().run(directory, watch=watch, quiet=True)

    return _in_a_child(work, directory.with_suffix(".error"))


def _in_a_child(work: Callable[[], None], words: Path) -> int:
    """Forked, so that nothing has to be imported again. One thread: OpenMP does not survive a fork."""
    # Else the child would write the parent's buffered text once more.
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(1)
            work()
            os._exit(0)
        except BaseException:
            words.write_text(traceback.format_exc(), encoding="utf-8")
        finally:
            # Not `sys.exit`: the parent's test runner lives in this copy too and must not go on in it.
            os._exit(1)
    return _wait_for(child)


def _wait_for(child: int) -> int:
    until = time.monotonic() + PATIENCE
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)


def _last_words(directory: Path) -> str:
    words = directory.with_suffix(".error")
    return words.read_text().strip() if words.exists() else "without a word"


def _contents(directory: Path) -> list[Any]:
    ledger = Ledger.read(directory / LEDGER)
    try:
        return list(ledger.contents())
    finally:
        ledger.close()


PAIR = Suite[PairCase]("pair", (check_a_kill_costs_nothing,))


class PairSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> PairCase`."""

    suite = PAIR
