"""Which networks the final stage trains: of several objectives those at the front's knees, or that keep the
user's conditions; else the recommended ones, or the first that there was no time to measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from cambrian.architecture import Architecture, next_choice
from cambrian.errors import UsageError
from cambrian.outcome import Artifact, Trial
from cambrian.search.delivery.delivered_size import choose_fidelity, keep_delivered, names_measures
from cambrian.search.delivery.front_choice import KNEES, choose_knees, list_satisfying
from cambrian.search.delivery.recommended import find_winner, read_recommendation
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.loop.candidates import Candidate, continue_winner, find_candidates
from cambrian.search.loop.final import Final
from cambrian.search.planning.budget import Budget
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from cambrian.search.search import Search


def choose_of_front(search: Search, ledger: Ledger) -> list[Trial]:
    """Of several objectives the trials at the front's knees, or, best first, those that keep the user's
    conditions; else none. Raises UsageError where no network keeps these."""
    trials, objectives = [r.trial for r in ledger.rows() if not r.final], search.objectives
    if search.choose is not None:
        waiting = [t for t in trials if t.outcome is None and t.kind != "supernet"][:1]
        if waiting and all(t.value is None for t in trials) and names_measures(search.choose):
            # There was no time for a trial: the network that is handed over then keeps them as well.
            keep_delivered(search, waiting, measured=False)
            return []
        ranked = read_recommendation(trials, objectives, ledger.events("recommend"))
        return keep_delivered(search, list_satisfying(ranked, objectives, search.choose))
    top = KNEES if search.final is None else search.final.top
    return choose_knees(trials, objectives, top) if len(objectives) > 1 else []


def count_front(search: Search, chosen: Sequence[Trial]) -> int:
    """How many of the chosen networks are handed over: with conditions one, for which the others stand
    in."""
    return min(1, len(chosen)) if search.choose is not None else len(chosen)


def choose_finalists(
    search: Search,
    final: Final,
    ledger: Ledger,
    chosen: Sequence[Trial],
    kept: Callable[[Artifact], bool],
    warn: Callable[[str], object],
) -> list[Candidate]:
    """The networks `chosen` of the front, or recommended for the final stage; without any measured one, the
    first that there was no time to measure, since a run ends with a network. `kept` says which files there
    are still; `warn` gets a sentence about a network that nobody chose."""
    trials = [r.trial for r in ledger.rows() if not r.final]
    ranked = chosen or read_recommendation(trials, search.objectives, ledger.events("recommend"))
    candidates = find_candidates(search.space, final, ranked, trials, kept)
    candidates = candidates or _find_unmeasured(search.space, final, trials, warn)
    return _continue_winner(search, final, ledger, candidates)


def expect_retraining(
    search: Search, ranked: Sequence[Trial], trials: Sequence[Trial], kept: Callable[[Artifact], bool]
) -> float:
    """The seconds in which the networks that would be handed over by now were trained, the first of the
    `ranked` ones or those of the front; 0 where time is needed all the same: there is none yet, one has to be
    trained anew because its files are not `kept`, or finalists are to be compared."""
    assert search.final is not None
    if search.final.top > 1 and search.choose is None and len(search.objectives) == 1:
        return 0.0
    chosen = list(ranked[:1])
    try:
        if search.choose is not None:
            chosen = list_satisfying(ranked, search.objectives, search.choose)[:1]
        elif len(search.objectives) > 1:
            chosen = choose_knees(trials, search.objectives, search.final.top)
    except UsageError:  # none keeps the conditions by now
        return 0.0
    candidates = [
        each for one in chosen for each in find_candidates(search.space, search.final, [one], trials, kept)
    ]
    trained = [each.trained for each in candidates if each.trained is not None]
    return sum(each.seconds for each in trained) if len(trained) == len(candidates) else 0.0


def has_larger_budget(search: Search, ledger: Ledger) -> bool:
    """Whether the run ended under a smaller budget, so that trainings cut short by it are done anew."""
    ends = ledger.events("final")
    ended = msgspec.convert(ends[-1][2].get("budget") or {}, Budget) if ends else search.budget
    return search.budget.exceeds(ended)


def _continue_winner(
    search: Search, final: Final, ledger: Ledger, candidates: list[Candidate]
) -> list[Candidate]:
    """The candidates, before them the network that was handed over under a smaller budget, where it is
    still the best and the stage continues trainings."""
    finals = [r.trial for r in ledger.rows() if r.final]
    winner = find_winner(finals, ledger.events("final"))
    if not final.continues or winner is None or not candidates:
        return candidates
    if winner.architecture != candidates[0].architecture:
        return candidates
    continued = continue_winner(winner, has_larger_budget(search, ledger))
    return candidates if continued is None else [continued, *candidates]


def _find_unmeasured(
    space: Space, final: Final, trials: Sequence[Trial], warn: Callable[[str], object]
) -> list[Candidate]:
    """The first network that there was no time to measure; else a child of a supernet, with a warning."""
    waiting = [t for t in trials if t.outcome is None and t.kind != "supernet"]
    # The architecture of a supernet's row has its outer answers; one with all answers is a child.
    rows = [t for t in trials if t.kind == "supernet" and _is_whole(space, t.architecture)]
    if rows and not waiting:
        warn(
            "no architecture of the supernet was scored in time: the one that is trained now was drawn at"
            " random, so that there is a network; a larger budget chooses one"
        )
    return [Candidate(t.architecture, choose_fidelity(final, t)) for t in (*waiting, *rows)][:1]


def _is_whole(space: Space, architecture: Architecture) -> bool:
    try:
        return next_choice(space, architecture) is None
    except UsageError:
        return False
