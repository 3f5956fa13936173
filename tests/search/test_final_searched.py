"""Searches with a final stage, end to end: who is chosen on what, and what sees the test."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest

import mocks
from cambrian.architecture import Architecture
from cambrian.errors import UsageError
from cambrian.outcome import Done, Fidelity
from cambrian.search.loop.candidates import best_distinct
from cambrian.search.loop.final import Final
from cambrian.search.search import Search
from cambrian.spaces.chains.tiny_chain import TinyChain

CALLS: list[tuple[str, int, Architecture]] = []


@dataclasses.dataclass(frozen=True)
class Stages:
    """Notes the stage of each call. Longer training turns the ranking round; testing says nothing of
    either: whoever chose by test scores, or by those of the search, would choose another."""

    needs: ClassVar[tuple[type, ...]] = ()
    delivers: ClassVar[bool] = True

    def run(self, job):
        CALLS.append((job.stage, job.number, job.architecture))
        yield from ()
        truth = mocks.truth(job.architecture, 0)
        if job.stage == "deliver":
            return Done(mocks.truth(job.architecture, 1))
        return Done(1 - truth if job.fidelity.epochs > 1 else truth)


def run(directory, top=3, baselines=("random",), budget=30):
    CALLS.clear()
    final = Final(Fidelity(epochs=2), top=top, baselines=baselines)
    return Search(TinyChain(3), "random", Stages(), budget=budget, final=final).run(directory)


def test_the_winner_is_chosen_on_validation(tmp_path):
    """Finalists are the best of the search; of them the best on validation, longer trained, is delivered,
    whatever the test says; nothing but the deliveries sees the test."""
    result = run(tmp_path)
    finalists = [t for t in result.finals if t.role == "finalist"]
    assert [t.architecture for t in finalists] == best_distinct(TinyChain(3), result.recommended, 3)
    chosen = max(finalists, key=lambda t: t.value)
    assert chosen is finalists[2]
    assert result.winner.architecture == chosen.architecture
    assert [t.role for t in result.finals] == ["finalist"] * 3 + ["winner", "baseline random"]
    assert [t.number for t in result.finals] == list(range(5))
    assert [number for stage, number, _ in CALLS if stage == "deliver"] == [3, 4]


def test_a_single_candidate_is_delivered_at_once(tmp_path):
    """There is nothing to choose."""
    result = run(tmp_path, top=1, baselines=())
    assert [t.role for t in result.finals] == ["winner"]
    assert result.winner.architecture == result.best.architecture


def test_train_is_a_final_stage_alone(tmp_path):
    """`Search.train` delivers one architecture and tests it once."""
    CALLS.clear()
    architecture = Architecture({"layers": 1, "layer1/operation": "skip"})
    search = Search(TinyChain(3), "random", Stages(), final=Final(Fidelity(2), baselines=()))
    result = search.train(architecture, tmp_path)
    assert [stage for stage, _, _ in CALLS] == ["deliver"]
    assert result.trials == []
    assert result.winner.architecture == architecture


def test_a_final_stage_that_would_train_nothing_is_refused():
    """Where it is asked for: a table leaves no network. One by another estimator is taken."""
    stage = Final(Fidelity(2))
    with pytest.raises(UsageError, match=r"by the estimator proxy, which leaves no trained network: give"):
        Search(TinyChain(3), "random", "naswot", "digits", final=stage)
    assert Search(TinyChain(3), "random", "naswot", "digits").final is None
    later = Final(Fidelity(2), estimator="train")
    search = Search(TinyChain(3), "random", "naswot", "digits", final=later, estimators={"train": "train"})
    assert search.final == later
