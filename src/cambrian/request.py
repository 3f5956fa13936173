"""The proposals of a strategy: a measurement, a supernet's training, to wait, or to stop.

A request names the architecture, the fidelity, the source of the weights, and one of the run's estimators.
It is plain JSON: the ledger keeps it, and an engine carries it to a worker.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from cambrian.architecture import Architecture
from cambrian.codec import encode
from cambrian.outcome import Fidelity, Trial
from cambrian.records import Record
from cambrian.weights import Continue, Fresh, Weights

LATER_ON = {"darts-ada": "rises"}
"""Supernet methods with an argument that says what is done from some epoch on."""


class Evaluate(msgspec.Struct, frozen=True, tag="evaluate", metaclass=Record):
    """Measure this architecture.

    `fidelity=None` is the problem's own. `estimator` names one of the run's estimators, "" the first.
    `parent` is the number of the trial that it descends from. `replicate` numbers further, independent
    measurements of the same architecture.

    `reason` is JSON for reports and people: why this architecture (level, predicted, rank, rung, ...).
    `memory` is JSON of the strategy's own: it comes back with the trial, and nothing else reads it.
    `prefers` are the numbers of the trials that the strategy would recommend now, best first, if it has a
    better criterion than the highest value (see `cambrian.recommendation`)."""

    architecture: Architecture
    fidelity: Fidelity | None = None
    parent: int | None = None
    replicate: int = 0
    weights: Weights = Fresh()
    estimator: str = ""
    reason: dict[str, Any] = {}
    memory: dict[str, Any] = {}
    prefers: tuple[int, ...] = ()


class TrainSupernet(msgspec.Struct, frozen=True, tag="supernet", metaclass=Record):
    """Train the supernet that holds every architecture with the `outer` answers (see `Shares`).

    `outer` is an architecture of which only the outer answers count; `method` is the spec of the training as
    JSON: a name and arguments. `weights` says whether the training starts or continues. The request becomes
    a row like any other: its outcome has a value, artifacts and data."""

    outer: Architecture
    method: dict[str, Any] = {}
    fidelity: Fidelity | None = None
    weights: Fresh | Continue = Fresh()
    estimator: str = ""
    replicate: int = 0
    reason: dict[str, Any] = {}
    memory: dict[str, Any] = {}


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """The strategy proposes nothing until it has learned another pending trial."""


class Stop(msgspec.Struct, frozen=True, tag="stop", metaclass=Record):
    """The strategy is finished; `reason` is a phrase."""

    reason: str


Request = Evaluate | TrainSupernet
Proposal = Request | Wait | Stop


def request_of(trial: Trial) -> Request:
    """The request that a row of the ledger records, with its fidelity filled in."""
    if trial.kind == "supernet":
        # A damaged or foreign ledger may say otherwise: a supernet inherits from no other network.
        if not isinstance(trial.weights, Fresh | Continue):
            raise ValueError(f"row {trial.number}: a supernet has its own weights, got {trial.weights}")
        return TrainSupernet(
            trial.architecture,
            trial.method,
            trial.fidelity,
            trial.weights,
            trial.estimator,
            trial.replicate,
            trial.reason,
            trial.memory,
        )
    return Evaluate(
        trial.architecture,
        trial.fidelity,
        trial.parent,
        trial.replicate,
        trial.weights,
        trial.estimator,
        trial.reason,
        trial.memory,
        trial.prefers,
    )


def trial_of(number: int, request: Request, fidelity: Fidelity) -> Trial:
    """The row that records `request`; `fidelity` is used if the request does not name one."""
    # Facts go through JSON once, so that a row is the same whether it was just made or read back.
    supernet = isinstance(request, TrainSupernet)
    return Trial(
        number=number,
        architecture=request.outer if isinstance(request, TrainSupernet) else request.architecture,
        fidelity=request.fidelity or fidelity,
        kind="supernet" if supernet else "trial",
        parent=None if isinstance(request, TrainSupernet) else request.parent,
        replicate=request.replicate,
        weights=request.weights,
        estimator=request.estimator,
        method=_plain(request.method) if isinstance(request, TrainSupernet) else {},
        reason=_plain(request.reason),
        memory=_plain(request.memory),
        prefers=() if isinstance(request, TrainSupernet) else tuple(request.prefers),
    )


def identity_of(request: Request) -> int:
    """A number of 60 bits that names the randomness of a measurement: a hash of the architecture and its
    replicate, or of a supernet's outer answers, method and replicate."""
    # The fidelity is left out: a longer training of the same network starts from the same weights.
    if isinstance(request, TrainSupernet):
        facts: list[Any] = ["supernet", request.outer.key, _from_the_start(request.method), request.replicate]
    else:
        facts = [request.architecture.key, request.replicate]
    return int(hashlib.sha256(encode(facts)).hexdigest()[:15], 16)


def _from_the_start(method: dict[str, Any]) -> dict[str, Any]:
    """The method without what it does only from some epoch on: until then two trainings are one."""
    later = LATER_ON.get(method.get("name", ""))
    arguments = {k: v for k, v in method.get("arguments", {}).items() if k != later}
    return method if later is None else {**method, "arguments": arguments}


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as they are when read back from JSON: NumPy's numbers become plain ones."""
    return msgspec.json.decode(encode(facts)) if facts else {}
