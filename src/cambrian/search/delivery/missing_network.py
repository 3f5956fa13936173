"""Why a run has no trained network, in one sentence for all who ask for it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from cambrian.errors import CambrianError
from cambrian.outcome import Trial
from cambrian.search.parts.components import component

if TYPE_CHECKING:
    from cambrian.search.result import Result


def explain_missing(result: Result, trial: Trial | None = None) -> str:
    """Why there is no trained network of the run, or of this `trial`, and how to get one."""
    place, facts = result.directory, result.facts
    if place is None:
        return "the weights of a run in memory went with it: run it in a directory to keep them"
    if result.task is None:
        return f"{place} is a search without images, as in a table: it trains no network"
    if facts.get("final") is None:
        return _explain_stage(result)
    if trial is not None and trial.kind != "final":
        return (
            f"the weights of trial {trial.number} of {place} are not kept: those of result.finals are, and"
            " search.train(trial.architecture, DIRECTORY) trains any"
        )
    if any(name == "final" and value["winner"] is None for _, name, value in result.events):
        return f"every training of the final stage of {place} failed: cambrian report {place} says why"
    if trial is not None and trial.outcome is not None:
        return f"the final training {trial.number} of {place} failed: cambrian report {place} says why"
    return (
        f"{place} holds no trained network yet: resume it to its end, or with a smaller budget, which ends it"
        " with the best so far"
    )


def _explain_stage(result: Result) -> str:
    """Of a search without a final stage, where networks are trained to be kept."""
    settings = result.facts.get("settings", {})
    estimators = {"": settings.get("estimator", {}), **settings.get("estimators", {})}
    able = [name for name, spec in estimators.items() if _delivers(spec)]
    if not able:
        return (
            f"the estimator of {result.directory} leaves no trained network: search in another directory with"
            ' estimators={"train": "train"} and final=Final(Fidelity(20), estimator="train")'
        )
    named = f', estimator="{able[0]}"' if able[0] else ""
    return (
        f"the search of {result.directory} had no final stage, which trains a network: run the same search"
        f" there once more with final=Final(Fidelity(20){named})"
    )


def _delivers(spec: dict[str, object]) -> bool:
    """Whether the estimator keeps trained networks; one without a name is not known, and most do not."""
    with suppress(CambrianError):  # a module of the user's that is not there any more
        return "name" in spec and bool(component("estimator", spec).delivers)
    return False
