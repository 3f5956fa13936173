"""The final stage: what is chosen, on what, and in which order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cambrian.architecture import Architecture, sample
from cambrian.outcome import Artifact, Crashed, Done, Fidelity, Infeasible, Outcome, Trial
from cambrian.randomness import stream
from cambrian.recommendation import rank_trials
from cambrian.search.ledger.rows import Row
from cambrian.search.loop.baselines import HELD, draw_of_size
from cambrian.search.loop.candidates import Candidate, best_distinct, find_candidates
from cambrian.search.loop.deadlines import FinalDeadlines
from cambrian.search.loop.final import Final
from cambrian.search.loop.final_stage import FinalStage
from cambrian.spaces.cells.pnas import PNAS
from cambrian.spaces.published import find_published_in
from cambrian.strategies.strategy import Stop, Wait
from cambrian.weights import Inherit

SPACE = PNAS()


def cells(count: int, blocks: int = 2) -> list[Architecture]:
    pool = SPACE.grow((), stream(0, "cells"))
    parents = [pool.architecture(i) for i in range(count)]
    return [SPACE.architecture([*SPACE.cell(p), (0, 1, 0, n)]) for n, p in enumerate(parents)][:count]


def stage(candidates: list[Architecture], baselines: tuple[str, ...] = ("random", "pnasnet-5")) -> FinalStage:
    settings = Final(Fidelity(), top=3, baselines=baselines)
    published = find_published_in(PNAS())
    return FinalStage(SPACE, settings, fresh(candidates), [], seed=0, recipe="r", published=published)


def fresh(architectures: list[Architecture]) -> list[Candidate]:
    return [Candidate(architecture, Fidelity()) for architecture in architectures]


def resume(candidates: list[Architecture], rows: list[Row], **settings: Any) -> FinalStage:
    """The stage in another session, of whose rows these are known."""
    final = Final(Fidelity(), top=3, baselines=())
    common = {"seed": 0, "recipe": "r", "published": {}}
    return FinalStage(SPACE, final, fresh(candidates), rows, **common, **settings)


def end(row: Row, outcome: Outcome | None, number: int | None = None) -> Row:
    """The row as the ledger has it after that outcome."""
    trial = msgspec.structs.replace(row.trial, outcome=outcome)
    return msgspec.structs.replace(row, trial=trial if number is None else renumber(trial, number))


def renumber(trial: Trial, number: int) -> Trial:
    return msgspec.structs.replace(trial, number=number)


def claim(found: FinalStage) -> Row:
    row = found.next()
    assert isinstance(row, Row)
    found.claim(row)
    return row


def test_the_winner_is_the_best_finalist_on_validation() -> None:
    """Finalists first; nothing is delivered before all have ended; then the best of them, then baselines."""
    found = stage(cells(3))
    rows = [claim(found) for _ in range(3)]
    assert {r.trial.role for r in rows} == {"finalist"}
    assert [r.trial.number for r in rows] == [0, 1, 2]
    for row, value in zip(rows, (0.4, 0.9, 0.6)):
        assert isinstance(found.next(), Wait)
        found.finish(row.trial.number, Done(value))
    winner, *others = [claim(found) for _ in range(3)]
    assert winner.trial.role == "winner"
    assert winner.trial.architecture == rows[1].trial.architecture
    assert [r.trial.role for r in others] == ["baseline random", "baseline pnasnet-5"]
    for row in (winner, *others):
        found.finish(row.trial.number, Done(0.5))
    assert isinstance(found.next(), Stop)
    assert found.winner().value == 0.5


def test_the_random_baseline_is_of_the_winners_size() -> None:
    """A random cell drawn freely would nearly always have five blocks; the one compared has as many as
    the winner."""
    for blocks in (1, 2, 3):
        pool = sample(PNAS(blocks=blocks), stream(1, blocks))
        found = stage([pool], baselines=("random",))
        rows = {claim(found).trial.role: None for _ in range(1)}
        baseline = claim(found).trial
        assert list(rows) == ["winner"]
        assert baseline.architecture["blocks"] == pool["blocks"]


def test_the_random_baseline_is_one_that_keeps_the_limits() -> None:
    """Of the draws without limits the first that keeps them; where none of so many does, one sentence, and
    the stage goes on without it."""
    said: list[str] = []
    free = draw_of_size(SPACE, cells(1)[0], 0)
    assert draw_of_size(SPACE, cells(1)[0], 0, lambda drawn: drawn == free) == free
    assert draw_of_size(SPACE, cells(1)[0], 0, lambda drawn: drawn != free) != free
    settings = Final(Fidelity(), baselines=("random",))
    none = FinalStage(
        SPACE,
        settings,
        fresh(cells(1)),
        [],
        seed=0,
        recipe="r",
        published={},
        keeps=lambda _: False,
        warn=said.append,
    )
    none.finish(claim(none).trial.number, Done(0.5))
    assert isinstance(none.next(), Stop)
    assert said == [
        f"no random architecture is trained beside the winner: none of {HELD} networks of the winner's size"
        " that were drawn keeps the limits"
    ]


def test_the_winner_does_not_wait_for_a_baseline() -> None:
    """None is looked for before the winner's training has begun, nor for longer than a twentieth of what is
    left, nor where there is no time to train it."""
    now, held = [10.0], []

    def keep_none(architecture: Architecture) -> bool:
        held.append(architecture)
        now[0] += 1.0
        return False

    def begin(each: float) -> FinalStage:
        settings = Final(Fidelity(), baselines=("random",))
        known: Any = {"published": {}, "keeps": keep_none, "warn": lambda sentence: None}
        found = FinalStage(SPACE, settings, fresh(cells(1)), [], seed=0, recipe="r", **known)
        found.within(FinalDeadlines(110.0, 10.0, each=each), lambda: now[0])
        assert claim(found).trial.role == "winner"
        assert not held
        assert isinstance(found.next(), Wait)
        return found

    begin(each=200.0)
    assert not held
    found = begin(each=1.0)
    assert len(held) == 5
    assert isinstance(found.next(), Wait)
    found.finish(0, Done(0.5))
    assert isinstance(found.next(), Stop)
    assert len(held) == 5


def test_another_winner_has_the_same_baseline() -> None:
    """The one of the first winner's size: a run that is resumed after that one has failed knows both."""
    first, second = cells(1)[0], sample(PNAS(blocks=1), stream(1, 1))
    baselines = []
    for failed in (False, True):
        found = FinalStage(
            SPACE,
            Final(Fidelity(), top=1, baselines=("random",)),
            fresh([first, second]),
            [],
            seed=0,
            recipe="r",
            published={},
        )
        winner = claim(found)
        if failed:
            found.finish(winner.trial.number, Infeasible("nan"))
            assert claim(found).trial.architecture == second
        baselines.append(claim(found).trial.architecture)
    assert baselines[0] == baselines[1]


def test_a_single_candidate_is_delivered_at_once() -> None:
    """Of one there is nothing to choose."""
    assert claim(stage(cells(1))).trial.role == "winner"


def test_when_time_is_spent_only_the_winner_is_trained() -> None:
    """Once the time is too short no further finalist and no baseline is begun; what has been measured
    decides, and where nothing has, the search's best is delivered."""
    now = [0.0]
    found = stage(cells(3))
    found.within(FinalDeadlines(100.0, 0.0, each=30.0), lambda: now[0])
    first = claim(found)
    now[0] = 41.0  # room for the winner, and for no finalist before it
    assert isinstance(found.next(), Wait)
    found.finish(first.trial.number, Done(0.3, seconds=41.0))
    winner = claim(found)
    assert winner.trial.role == "winner"
    assert winner.trial.architecture == first.trial.architecture
    now[0] = 82.0
    assert isinstance(found.next(), Wait), "a baseline is begun that will not be ready"
    found.finish(winner.trial.number, Done(0.3))
    assert isinstance(found.next(), Stop)


@pytest.mark.parametrize("ended", [None, Infeasible("timeout")])
def test_without_time_to_choose_the_searchs_best_is_delivered(ended: Infeasible | None) -> None:
    """No finalist was begun, or none was ready."""
    candidates = cells(3)
    late = stage(candidates)
    late.within(FinalDeadlines(100.0, 0.0, each=40.0), lambda: 30.0 if ended is None else 10.0)
    while ended is not None and not isinstance(row := late.next(), Wait) and row.trial.role == "finalist":
        late.claim(row)
        late.finish(row.trial.number, ended)
    assert claim(late).trial.architecture == candidates[0]


def test_with_more_time_what_was_cut_short_is_trained_anew() -> None:
    """Resumed under another budget the shortened winner is none; under the same it is."""
    (candidate,) = cells(1)
    row = claim(stage([candidate]))
    cut = Done(0.5, {"epochs": 2.5, "planned_epochs": 15.0})
    row = msgspec.structs.replace(row, trial=msgspec.structs.replace(row.trial, outcome=cut))
    settings = Final(Fidelity(), top=3, baselines=())
    for again in (True, False):
        found = FinalStage(
            SPACE, settings, fresh([candidate]), [row], seed=0, recipe="r", published={}, again=again
        )
        assert isinstance(found.next(), Row if again else Stop)


FAILURES = [Infeasible("nan"), Infeasible("oom"), Crashed("boom")]
CUT = Done(0.5, {"epochs": 6.0, "planned_epochs": 8.0})
SHORTER = Done(0.4, {"epochs": 2.0, "planned_epochs": 8.0})


@pytest.mark.parametrize(
    ("outcomes", "handed_over"),
    [
        ([CUT, Done(0.8)], 1),
        ([Infeasible("timeout"), Done(0.8)], 1),
        ([Infeasible("timeout"), CUT, Done(0.8)], 2),
        ([CUT, SHORTER], 0),
        ([SHORTER, CUT], 1),
        ([CUT, Infeasible("nan")], 0),
        ([CUT, Crashed("boom"), Done(0.8)], 2),
    ],
)
def test_of_several_trainings_of_a_network_the_fullest_is_handed_over(
    outcomes: list[Outcome], handed_over: int
) -> None:
    """Whether the later ones were done in this session or in earlier ones."""
    (candidate,) = cells(1)
    row = claim(stage([candidate]))
    rows = [end(row, outcome, n) for n, outcome in enumerate(outcomes)]
    for again in (False, True):
        resumed = resume([candidate], rows, again=again)
        while isinstance(new := resumed.next(), Row):
            resumed.claim(new)
            resumed.finish(new.trial.number, Infeasible("oom"))
        assert resumed.winner() is not None
        assert resumed.winner().number == handed_over
    present = resume([candidate], rows[:1], again=True)
    for outcome in outcomes[1:]:
        present.claim(msgspec.structs.replace(row, trial=renumber(row.trial, len(outcomes) - 1)))
        present.finish(len(outcomes) - 1, outcome)
    assert present.winner() is None, "nothing is chosen before the stage has begun"
    assert isinstance(present.next(), Row | Stop)
    assert present.winner().outcome == outcomes[handed_over]


def test_a_front_that_was_cut_short_is_still_delivered_without_time_to_train_it_anew() -> None:
    """With a little more time the winner is trained once more, and the others stay as they are."""
    candidates = cells(2)
    settings = {"front": 2}
    before = resume(candidates, [], **settings)
    rows = [end(claim(before), CUT) for _ in candidates]
    later = resume(candidates, rows, again=True, **settings)
    later.within(FinalDeadlines(100.0, 100.0, each=30.0), lambda: 100.0)
    winner = claim(later)
    later.finish(winner.trial.number, Done(0.9))
    assert isinstance(later.next(), Stop)
    assert later.winner().number == winner.trial.number
    assert [trial.number for trial in later.front()] == [1]


def test_compared_networks_that_were_cut_short_keep_their_places() -> None:
    """Where there is no time to compare them anew the best of them wins, and not the first of the search."""
    candidates = cells(3)
    before = stage(candidates)
    values = (0.4, 0.9, 0.6)
    rows = [end(claim(before), Done(v, {"epochs": 1.0, "planned_epochs": 8.0})) for v in values]
    later = resume(candidates, rows, again=True)
    later.within(FinalDeadlines(100.0, 99.0, each=30.0), lambda: 99.0)
    assert claim(later).trial.architecture == candidates[1]


@pytest.mark.parametrize("failure", FAILURES)
def test_the_next_finalist_stands_in_for_a_winner_that_fails(failure: Outcome) -> None:
    """By their values on validation, one after the other; at last one that was not compared. The same in a
    resumed session, which trains none of them again."""
    candidates = cells(5)
    found = stage(candidates, baselines=())
    rows = []
    for value in (0.4, None, 0.9):
        row = claim(found)
        rows.append(end(row, failure if value is None else Done(value)))
        found.finish(row.trial.number, rows[-1].trial.outcome)
    for place in (2, 0, 3):
        row = claim(found)
        assert (row.trial.role, row.trial.architecture) == ("winner", candidates[place])
        rows.append(end(row, failure))
        found.finish(row.trial.number, failure)
    assert claim(resume(candidates, rows)).trial.architecture == candidates[4]
    last = claim(found)
    assert last.trial.architecture == candidates[4]
    found.finish(last.trial.number, Done(0.3))
    assert isinstance(found.next(), Stop)
    assert found.winner().architecture == candidates[4]
    again = resume(candidates, [*rows, end(last, Done(0.3))])
    assert isinstance(again.next(), Stop)
    assert again.winner().architecture == candidates[4]


def test_a_network_beyond_the_compared_ones_stands_in() -> None:
    """Also for a single one; a few of them, not the whole search."""
    settings = Final(Fidelity(), top=1, baselines=())
    trials = [Trial(n, a, Fidelity(), outcome=Done(1 - n / 10)) for n, a in enumerate(cells(5))]
    candidates = find_candidates(SPACE, settings, trials, trials)
    found = FinalStage(SPACE, settings, candidates, [], seed=0, recipe="r", published={})
    tried = []
    while isinstance(row := found.next(), Row):
        found.claim(row)
        found.finish(row.trial.number, Crashed("boom"))
        tried.append((row.trial.role, row.trial.architecture))
    assert tried == [("winner", trial.architecture) for trial in trials[:3]]


def test_a_network_that_was_not_begun_stands_in_for_a_finalist_that_failed() -> None:
    """Time allows one finalist alone, which fails."""
    candidates = cells(3)
    now = [0.0]
    found = stage(candidates, baselines=())
    found.within(FinalDeadlines(100.0, 0.0, each=30.0), lambda: now[0])
    first = claim(found)
    now[0] = 90.0
    found.finish(first.trial.number, Infeasible("nan"))
    assert claim(found).trial.architecture == candidates[1]


def test_a_network_that_stands_in_has_the_least_seconds_of_a_winner() -> None:
    """From its own beginning on, though the one before took all the time."""
    now = [90.0]
    deadlines = FinalDeadlines(100.0, 90.0, each=10.0)
    found = stage(cells(2), baselines=())
    found.within(deadlines, lambda: now[0])
    first = claim(found)
    assert deadlines.of(first.trial) == 100.0
    now[0] = 100.0
    found.finish(first.trial.number, Infeasible("nan"))
    second = claim(found)
    assert second.trial.role == "winner"
    assert deadlines.of(second.trial) == 103.0


def test_a_network_that_had_no_time_in_a_front_is_trained_once_it_is_chosen() -> None:
    """That it was given up is no evidence against it; trained, it is handed over at once."""
    candidates = cells(2)
    before = resume(candidates, [], front=2)
    rows = [end(claim(before), Done(0.5)), end(claim(before), Infeasible("timeout"))]
    trials = [row.trial for row in rows]
    assert resume(candidates, rows, front=2).find_another(trials) is None
    chosen = resume(candidates[1:], rows, front=1)
    assert chosen.find_another(trials) == candidates[1]
    row = claim(chosen)
    assert (row.trial.role, row.trial.architecture) == ("winner", candidates[1])
    trained = resume(candidates[1:], [*rows, end(row, Done(0.7))], front=1)
    assert trained.find_another([*trials, end(row, Done(0.7)).trial]) is None
    assert isinstance(trained.next(), Stop)
    assert trained.winner().number == row.trial.number


def test_whether_another_network_than_before_is_to_be_trained() -> None:
    """Where the first that has not failed has no training, and another one has, or had begun; not once any
    was compared."""
    one, two, three = cells(3)
    running = claim(stage([one]))
    winner, failed = end(running, Done(0.5)), end(claim(stage([two])), Infeasible("nan"), 1)
    compared = end(claim(stage([one, two])), Done(0.5))

    def find(candidates: list[Architecture], rows: list[Row], front: int = 1) -> Architecture | None:
        return resume(candidates, rows, front=front).find_another([row.trial for row in rows])

    for first in (running, winner):
        assert find([one], [first]) is None
        assert find([two, one], [first]) == two
        assert find([two, three], [first, failed]) == three
    assert find([two, one], [winner, failed]) is None
    assert find([one, two], []) is None
    assert find([one, two], [failed]) is None
    assert find([two], [failed]) is None
    assert find([one, two], [winner], front=0) is None
    assert find([two, three], [winner], front=0) == two
    assert find([one, two], [end(winner, Done(0.5), 2), compared], front=0) is None


def test_failed_finalists_are_never_chosen() -> None:
    """Infeasible finalists lose; where all fail the stage ends without a winner."""
    found = stage(cells(2))
    one, two = claim(found), claim(found)
    found.finish(one.trial.number, Infeasible("nan"))
    found.finish(two.trial.number, Done(0.1))
    assert claim(found).trial.architecture == two.trial.architecture
    lost = stage(cells(2))
    for row in (claim(lost), claim(lost)):
        lost.finish(row.trial.number, Infeasible("limit"))
    assert isinstance(lost.next(), Stop)
    assert lost.winner() is None


def test_a_killed_stage_goes_on_from_its_rows() -> None:
    """Given the rows of the ledger, nothing is trained twice and the choice is the same."""
    candidates = cells(3)
    found = stage(candidates)
    rows = []
    for value in (0.4, 0.9, 0.6):
        row = claim(found)
        found.finish(row.trial.number, Done(value))
        rows.append(
            msgspec.structs.replace(row, trial=msgspec.structs.replace(row.trial, outcome=Done(value)))
        )
    settings = Final(Fidelity(), top=3, baselines=())
    again = FinalStage(SPACE, settings, fresh(candidates), rows, seed=0, recipe="r", published={})
    winner = claim(again)
    assert winner.trial.role == "winner"
    assert winner.trial.architecture == candidates[1]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_best_distinct_is_a_sorted_prefix(count: int) -> None:
    """Highest values first, earlier trials first among equals, the same function once."""
    one, two, three = cells(3)
    swapped = SPACE.architecture([(i2, i1, o2, o1) for i1, i2, o1, o2 in SPACE.cell(one)])
    values = [(one, 0.5), (two, 0.7), (swapped, 0.9), (three, 0.7)]
    trials = [Trial(n, a, Fidelity(), outcome=Done(v)) for n, (a, v) in enumerate(values)]
    assert best_distinct(SPACE, rank_trials(trials), count) == [swapped, two, three][:count]


def test_a_stage_that_continues_begins_with_the_latest_weights() -> None:
    """The winner goes on from the last trial of its architecture, in that trial's skeleton; should it fail,
    the next best does; no finalist is trained."""
    one, two = cells(2)
    file = Artifact("0" * 64, 1, "store/0")

    def trial(number: int, architecture: Architecture, value: float, filters: int) -> Trial:
        fidelity = Fidelity(skeleton={"filters": filters})
        outcome = Done(value, artifacts={"weights.safetensors": file})
        return Trial(number, architecture, fidelity, outcome=outcome)

    trials = [trial(0, one, 0.3, 8), trial(1, two, 0.4, 12), trial(2, one, 0.6, 8)]
    settings = Final(Fidelity(epochs=9), top=2, baselines=(), continues=True, estimator="final")
    candidates = find_candidates(SPACE, settings, rank_trials(trials), trials)
    found = FinalStage(SPACE, settings, candidates, [], seed=0, recipe="r", published={})
    first = claim(found)
    assert (first.trial.role, first.trial.architecture, first.trial.estimator) == ("winner", one, "final")
    assert first.trial.weights == Inherit(2)
    assert first.trial.fidelity == Fidelity(epochs=9, skeleton={"filters": 8})
    assert found.artifacts(first.trial) == {"weights.safetensors": file}
    found.finish(first.trial.number, Infeasible("nan"))
    second = claim(found)
    assert (second.trial.role, second.trial.weights) == ("winner", Inherit(1))
    found.finish(second.trial.number, Done(0.5))
    assert isinstance(found.next(), Stop)
    assert found.winner() is not None
