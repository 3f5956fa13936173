"""An engine: work is piled up, and what came last is done first."""

from __future__ import annotations

from dataclasses import dataclass, field

from cambrian.search.engines.engine import Engine, Report
from cambrian.search.engines.serial import Serial


@dataclass(eq=False)
class Stack(Engine):
    """Holds `slots` assignments, of which a serial engine does one at a time."""

    slots: int = 3
    inner: Serial = field(default_factory=Serial, init=False)
    pile: list = field(default_factory=list, init=False)
    running: bool = field(default=False, init=False)
    cancelled: list = field(default_factory=list, init=False)

    def start(self, work):
        self.pile, self.running, self.cancelled = [], False, []
        self.inner.start(work)

    def submit(self, assignment):
        self.pile.append(assignment)

    def wait(self, timeout=None):
        if self.pile and not self.running:
            self.inner.submit(self.pile.pop())
        reports = [*self.cancelled, *self.inner.wait(timeout)]
        self.running = any(not report.last for report in reports)
        self.cancelled = []
        return reports

    def cancel(self, number):
        for assignment in [a for a in self.pile if a.trial.number == number]:
            self.pile.remove(assignment)
            self.cancelled.append(Report(number, assignment.attempt, lost="cancelled"))
        self.inner.cancel(number)

    def close(self):
        self.pile, self.running, self.cancelled = [], False, []
        self.inner.close()
