"""How many threads a training by the clock computes on: as many as make its steps fastest at present.

Threads of one step wait for each other hundreds of times. Where other work has a core, two threads are
slower than one by factors, and a small network is slower on two threads even on a machine that does nothing
else. What is right is measured, and measured again while the training lasts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

WARM_STEPS = 1
"""Steps after a change that are not counted: the first allocates."""
STEPS = 4
"""Steps by which a number of threads is judged, in each of two rounds: noise comes and goes."""
PAUSE = 30.0
"""A choice holds for so many times as long as it took, so that choosing costs little."""
LEAST_PAUSE = 10.0  # seconds
HOPELESS = (10.0, 10.0, 2.0)
"""How many times as slow as another a number is so that it is given up, after no, one and more counted
steps."""
LONG = 1.0
"""Seconds of a first step, which makes threads and memory anew, from which on it may be judged by alone."""
GAIN = 0.95
"""The share of the present time below which another number of threads is taken."""


class ThreadChoice:
    """Chooses among `most` threads, half as many, and so on down to one; after the first choice, among the
    present number and its two neighbours. One is the first to be tried: on a crowded machine, a step on more
    may take as long as a hundred. `after_step` is called at the end of each step, with the pixels of its
    images (any unit: the time of a step is taken to be proportional to them). `use` sets the number."""

    def __init__(
        self, most: int, use: Callable[[int], None], read: Callable[[], float] = time.perf_counter
    ) -> None:
        self._use, self._read = use, read
        self._numbers = [most]
        while self._numbers[-1] > 1:
            self._numbers.append(self._numbers[-1] // 2)
        self.number = self._numbers[-1]
        self._before = 0.0  # the end of the step before
        self._next = 0.0  # when to choose again, by `read`
        self._first = True
        self._order: list[int] = []  # the numbers still to be tried in the present choice
        self._spent: dict[int, float] = {}
        self._whole: dict[int, float] = {}  # the seconds of a step in the first round of each number
        self._warm = self._counted = 0  # steps of the number under trial: still to pass over, counted
        self._began = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Steps are taken inside, on the chosen number of threads."""
        with self._using(self._order[0] if self._order else self.number):
            self._before = self._read()  # what came between is no step
            yield

    def scoring(self) -> AbstractContextManager[None]:
        """The network is scored inside, on the number of threads that was the fastest for steps: where other
        work has a core, a score on all threads may take longer than the training."""
        return self._using(self.number)

    @contextmanager
    def _using(self, number: int) -> Iterator[None]:
        self._use(number)
        try:
            yield
        finally:
            self._use(self._numbers[0])

    def after_step(self, pixels: float) -> None:
        now = self._read()
        before, self._before = self._before, now
        if self._order:
            self._try(now, now - before, pixels)
        elif now >= self._next:
            self._begin(now)

    def _begin(self, now: float) -> None:
        place = self._numbers.index(self.number)
        near = self._numbers if self._first else self._numbers[max(0, place - 1) : place + 2]
        near = near[::-1]
        self._order, self._spent, self._whole = [*near, *near], dict.fromkeys(near, 0.0), {}
        self._began, self._first = now, False
        self._turn()

    def _turn(self) -> None:
        self._use(self._order[0])
        self._warm, self._counted = WARM_STEPS, 0

    def _try(self, now: float, seconds: float, pixels: float) -> None:
        number, each = self._order[0], seconds / pixels
        if self._warm:
            self._warm -= 1
        else:
            self._spent[number] += each
            self._counted += 1
            each = self._spent[number] / self._counted
        if (self._counted or seconds >= LONG) and self._is_hopeless(number, each):
            self._order = [each for each in self._order if each != number]
            self._spent[number] = math.inf
        elif self._counted < STEPS:
            return
        else:
            self._order.pop(0)
            self._whole.setdefault(number, each)
        if self._order:
            self._turn()
        else:
            self._decide(now)

    def _is_hopeless(self, number: int, seconds: float) -> bool:
        """Whether a number whose steps take so long on average is far behind another one."""
        others = [known for each, known in self._whole.items() if each != number]
        times = HOPELESS[min(self._counted, len(HOPELESS) - 1)]
        return bool(others) and seconds > times * min(others)

    def _decide(self, now: float) -> None:
        fastest = min(self._spent, key=lambda number: self._spent[number])
        if self._spent[fastest] < GAIN * self._spent[self.number]:
            self.number = fastest
        self._next = now + max(LEAST_PAUSE, PAUSE * (now - self._began))
        self._use(self.number)
