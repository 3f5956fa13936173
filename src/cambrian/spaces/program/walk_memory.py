"""A memory of the walks of a program whose body is slow to run: which question follows which answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cambrian.architecture import Architecture, Decide
from cambrian.choices import Answer, Choice
from cambrian.errors import Rejected

MOST = 20_000
"""Ends of walks that are kept; later ones are walked anew."""


class _Question:
    """A question, and its successor by answer: a question, a reason for rejecting, or None for the end."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.after: dict[str, Any] = {}


class WalkMemory:
    """Replays the questions of a program without running it, as far as the answers were given before."""

    def __init__(self) -> None:
        self._begin: dict[str, Any] = {}  # the first question under ""
        self._ends = 0

    def walk(self, decide: Decide, run: Callable[[Decide], Architecture]) -> Architecture:
        """As `run(decide)`, which is called only where the answers are new; each question is decided once."""
        asked: list[tuple[Choice, Answer]] = []
        after, key = self._begin, ""
        while isinstance(question := after.get(key), _Question):
            answer = question.choice.check(decide(question.choice))
            asked.append((question.choice, answer))
            after, key = question.after, repr(answer)
        if key not in after:
            return self._run(decide, run, asked)
        if question is not None:
            raise Rejected(question)
        return Architecture({choice.path: answer for choice, answer in asked})

    def _run(
        self, decide: Decide, run: Callable[[Decide], Architecture], before: list[tuple[Choice, Answer]]
    ) -> Architecture:
        asked: list[tuple[Choice, Answer]] = []

        def repeat(choice: Choice) -> Answer:
            n = len(asked)
            # A decision is made once: a second call of `decide` would draw another answer.
            known = n < len(before) and before[n][0] == choice
            answer = before[n][1] if known else choice.check(decide(choice))
            asked.append((choice, answer))
            return answer

        try:
            architecture = run(repeat)
        except Rejected as reason:
            self._keep(asked, str(reason))
            raise
        self._keep(asked, None)
        return architecture

    def _keep(self, asked: list[tuple[Choice, Answer]], end: str | None) -> None:
        # A bound on memory: 20,000 ends cover a search, and later walks only run the body again.
        if self._ends >= MOST:
            return
        after, key = self._begin, ""
        for choice, answer in asked:
            question = after.setdefault(key, _Question(choice))
            if not isinstance(question, _Question) or question.choice != choice:
                return  # the program asks another question than before: nothing to rely on
            after, key = question.after, repr(answer)
        after[key] = end
        self._ends += 1
