"""The epochs and the schedule of a planned search whose strategy climbs a ladder of fidelities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.effort import read_axis
from cambrian.outcome import Fidelity
from cambrian.search.assembly import make_problem
from cambrian.search.planning.preset.workload import Workload
from cambrian.strategies.inner import find_trait
from cambrian.strategies.strategy import Strategy
from cambrian.weights import Continue

if TYPE_CHECKING:
    from cambrian.estimators.train import Train
    from cambrian.search.loop.final import Final
    from cambrian.search.search import Search

SCHEDULE = {"schedule", "decay_epochs"}


def lengthen_training(work: Workload, strategy: Strategy | None, changes: Mapping[str, Any]) -> Workload:
    """The workload whose epochs are those of the highest rung: a power of the strategy's factor, near twice
    the preset's, since over all its rungs an architecture is trained for about half of the highest one."""
    if "epochs" not in getattr(strategy, "axes", ()) or "epochs" in changes:
        return work
    eta = int(find_trait(strategy, "eta", 3))
    rungs = max(1, round(math.log(2 * work.epochs) / math.log(eta)))
    return msgspec.structs.replace(work, epochs=eta**rungs)


def finish_climb(final: Final, strategy: Strategy | None, epochs: int, changes: Mapping[str, Any]) -> Final:
    """The final stage of a search whose rungs have compared its networks already: the best alone, for no
    fewer epochs than the highest rung has, unless somebody names their number."""
    if "epochs" not in getattr(strategy, "axes", ()):
        return final
    longest = final.fidelity.epochs if "final_epochs" in changes else max(final.fidelity.epochs, epochs)
    fidelity = msgspec.structs.replace(final.fidelity, epochs=longest)
    return msgspec.structs.replace(final, fidelity=fidelity, top=1)


def schedule_to_the_top(
    train: Train, strategy: Strategy | None, epochs: int, recipe: Mapping[str, Any]
) -> Train:
    """The training with its schedule told from the start to the end of the highest rung, so that a promoted
    network goes on from where it was. A schedule that somebody named stays."""
    goes_on = Continue in getattr(strategy, "requests", ())
    return train if not goes_on or SCHEDULE & set(recipe) else replace(train, decay_epochs=float(epochs))


def list_levels(search: Search) -> Sequence[Fidelity]:
    """The fidelities of the strategy's rungs, the lowest first; none for a strategy of one fidelity."""
    asked = find_trait(search.strategy, "list_fidelities")
    return () if asked is None else asked(make_problem(search, None))


def describe_rungs(search: Search) -> str:
    """The rungs along the strategy's axes, as a phrase; empty for a strategy of one fidelity."""
    fidelities = list_levels(search)
    axes = getattr(search.strategy, "axes", ()) if fidelities else ()
    return ", ".join(describe_axis(n, [read_axis(f, n) or 0.0 for f in fidelities]) for n in axes)


def describe_axis(name: str, values: Sequence[float]) -> str:
    """
    >>> describe_axis("epochs", [1, 3, 9])
    'rungs of 1, 3 and 9 epochs'
    """
    texts = [f"{value:.3g}" for value in values]
    listed = f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else "".join(texts)
    return f"rungs of {listed} {name}"
