"""The plan of a budget of time for which nobody names a strategy: a portfolio of networks, sized to the
budget, is raced at a low resolution for a part of the time; the winner goes on learning until the end.

A budget of minutes trains one network well or several badly. So little of it is spent on the choice, and
nothing that the chosen network learned meanwhile is thrown away. All amounts follow the time continuously.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.errors import Unread, UsageError, join_words
from cambrian.estimators.build import signature
from cambrian.one_thread import one_thread
from cambrian.outcome import Fidelity, Infeasible
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.search.planning.limited_size import STEP, describe_left_out, fit_filters
from cambrian.search.planning.precisions import FOR_DENSE, list_others
from cambrian.search.planning.pretrained import Fit, fit_portfolio
from cambrian.search.planning.race.amounts import (
    ETA,
    FILTERS,
    OVERHEAD,
    SCORING,
    START,
    Challenges,
    choose_coarse,
    choose_handicap,
    choose_resolution,
    list_heats,
    match_filters,
    share_of_challenges,
    share_of_race,
    size_challenges,
    size_race,
)
from cambrian.search.planning.race.last_training import LastTraining
from cambrian.search.planning.race.speed import Favourite, count_work, measure_favourite
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

PATIENCE, HASTE = 10.0, 2.0
"""Seconds that measuring one network may take: of a long budget at most, and of a short one at least."""
HASTY = 0.05
"""The share of the budget for one network between the two."""
HOLDING = 0.1
"""The share of the budget in which networks are held to limits: measuring a latency takes seconds."""


class RacePlan(msgspec.Struct, frozen=True):
    """The amounts of a race: entrants with their names, architectures and skeletons, favourites first;
    the `seconds` of each in the first heat; the `challenges` after the race; the resolutions of the race and
    of the final training (None: that of the images); of the seconds that are `left` after planning, the
    `share` for the race and what is `contested` in the challenges; the images of a `batch`; and `passes` over
    the data that the final training is expected to make, of images that grow to their full size where
    `grows`. `alone` says why there is one entrant only ("" where there are more)."""

    entrants: tuple[dict[str, Any], ...]
    seconds: float
    challenges: Challenges
    coarse: int | None
    fine: int | None
    share: float
    contested: float
    batch: int
    passes: float
    left: float
    alone: str = ""
    grows: bool = False
    notice: str | None = None
    fit: Fit | None = None
    """The network that pretrained weights are of."""
    handicap: float = 0.0
    """What a score has to lead by, since the last heat is short beside the last training."""
    precision: str = "auto"
    gain: float = 1.0
    """How many times as fast the favourite is in `precision`."""
    others: tuple[str, ...] = ()
    """The entrants that are trained in 32 bits all the same."""
    left_out: str = ""
    """The networks that limits leave out, and why."""


def plan_race(
    task: Task,
    space: Space,
    seconds: float,
    *,
    workers: int,
    threads: int,
    device: str,
    filters: int | None = None,
    entrants: int | str | None = None,
    pretrained: str = "",
    precision: str | None = None,
    limits: Mapping[str, float] | None = None,
    seed: int = 0,
    begun: Mapping[str, Architecture] | None = None,
) -> RacePlan:
    """The race of `space`'s portfolio, or of its first `entrants`, within `seconds`; for "random", of as many
    random architectures; for a name, of that network alone. Of the networks `begun` the first is the
    favourite, and the others come last. `workers` train at a time, and the last training
    has `threads`. The network that the weights in the file `pretrained` fit becomes the favourite, with as
    many filters as they have. Trainings have the `precision`, or the faster one here. Networks over one of
    the `limits` are made narrower, and left out where that does not suffice, or where one is found and the
    time for it is over. Measures the machine's speed for some seconds. Raises UsageError where no network
    keeps the limits, Unread for a precision that none is trained in."""
    began = time.monotonic()
    if filters is not None and (type(filters) is not int or filters < 1):
        raise UsageError(f"filters is a whole number, 1 or more; got {filters!r}")
    portfolio = _choose_portfolio(space, entrants, seed, begun or {})
    size = _read_size(space, task, seconds)
    # Filters that somebody names are kept: weights of other ones are then refused. A limit leaves fours.
    tried = range(STEP, 2 * FILTERS[-1] + 1, STEP) if filters is None else (filters,)
    fit = fit_portfolio(Path(pretrained), task, space, portfolio, tried, size) if pretrained else None
    if fit is not None:
        portfolio = {fit.name: portfolio[fit.name], **portfolio}
    share = share_of_race(seconds)
    fine = choose_resolution(task, seconds)
    coarse = choose_coarse(task, fine)
    with one_thread():
        favourite = Favourite(task, space, next(iter(portfolio.values())), size, device)
        patience = min(PATIENCE, max(HASTE, HASTY * seconds))
        speed = measure_favourite(favourite, coarse, fine, precision, workers, patience)
        last = LastTraining(task, seconds * (1 - share) * _speed_up(threads, device), speed, coarse != fine)
        width = fit.filters if fit else filters or last.choose_filters()
        widths = _match_widths(task, space, portfolio, width)
    misses: dict[str, str] = {}
    late: list[str] = []
    if limits:
        fidelity, allowed = Fidelity(resolution=fine, skeleton=size), HOLDING * seconds
        widths, misses = _keep_limits(task, space, portfolio, widths, fidelity, limits, device, allowed)
        late = [name for name in portfolio if name not in widths and name not in misses]
        width = next(iter(widths.values()))
        if fit is not None and widths.get(fit.name) != fit.filters:
            raise UsageError(
                f"{pretrained} has the weights of {fit.name} of {fit.filters} filters, which is over a limit:"
                " give weights of a smaller network, or a wider limit"
            )
    # The shares are of what planning has left.
    left = max(1.0, seconds - (time.monotonic() - began))
    step = speed.coarse(width) * last.batch
    overhead = OVERHEAD + SCORING * len(task.validation) * speed.coarse(width)
    challenges = Challenges(0, 0, 0.0)
    if len(portfolio) > 1:  # whoever names a single network wants that one
        challenges = size_challenges(share_of_challenges(seconds) * left, step, workers, overhead)
    contested = challenges.measure_time(workers, overhead)
    raced = max(0.0, share * left - contested - START)
    count, each = size_race(raced, step, len(widths), workers, overhead)
    runners = tuple(
        {
            "name": name,
            "architecture": dict(portfolio[name]),
            "skeleton": {"filters": widths[name], **size},
        }
        for name in list(widths)[:count]
    )
    others = tuple(list_others(space, task, runners, speed.precision, device))
    if precision is not None and len(others) == len(runners):
        raise Unread(["precision"], f"{precision} {FOR_DENSE}, of which {join_words(others)} is none")
    return RacePlan(
        runners,
        each,
        challenges,
        coarse,
        fine,
        share=share - contested / left,
        contested=contested / left,
        batch=last.batch,
        passes=last.expect_passes(width),
        left=left,
        alone="" if len(runners) > 1 else _explain_alone(len(portfolio), bool(late), len(widths)),
        grows=last.grows(width),
        notice=speed.notice,
        fit=fit,
        handicap=choose_handicap(each * ETA ** (len(list_heats(count)) - 1), last.seconds),
        precision=speed.precision,
        gain=speed.gain,
        others=others,
        left_out=describe_left_out(
            list(misses), f"with {STEP} filters too: {next(iter(misses.values()), '')}", late
        ),
    )


def _match_widths(
    task: Task, space: Space, portfolio: Mapping[str, Architecture], width: int
) -> dict[str, int]:
    """The filters of each network: `width` of the favourite, and as many of the others as cost the same."""
    costs = {name: count_work(space, task, network) for name, network in portfolio.items()}
    favourite = next(iter(portfolio))
    widths = {name: match_filters(width, costs[favourite], costs[name]) for name in portfolio}
    return {**widths, favourite: width}  # as it was asked for, not in eights


def _explain_alone(networks: int, late: bool, fitting: int) -> str:
    """Why there is one entrant of a portfolio of so many networks, of which so many keep the limits; `late`:
    some were not held to them."""
    if networks == 1:
        return "the only network that is asked for"
    if fitting > 1:
        return "the time is too short for a choice"
    if late:
        return "it keeps the limits, and there was no time to hold others to them"
    return "the only network that keeps the limits"


def _keep_limits(
    task: Task,
    space: Space,
    portfolio: Mapping[str, Architecture],
    widths: Mapping[str, int],
    fidelity: Fidelity,
    limits: Mapping[str, float],
    device: str,
    seconds: float,
) -> tuple[dict[str, int], dict[str, str]]:
    """The filters of the networks that keep the limits, none more than in `widths`, and what the others miss.
    All are held to them, or those before `seconds` were over, one of which keeps them."""
    kept: dict[str, int] = {}
    misses: dict[str, str] = {}
    until = time.monotonic() + seconds
    for name, network in portfolio.items():
        if kept and time.monotonic() >= until:
            break
        fitted = fit_filters(space, task, network, widths[name], fidelity, limits, device)
        if isinstance(fitted, Infeasible):
            misses[name] = f"{name} has {fitted.detail}"
        else:
            kept[name] = fitted
    if not kept:
        raise UsageError(f"no network of the portfolio keeps the limits: {next(iter(misses.values()))}")
    return kept, misses


def _choose_portfolio(
    space: Space, entrants: int | str | None, seed: int, begun: Mapping[str, Architecture]
) -> Mapping[str, Architecture]:
    known = know(space, HasPortfolio)
    if known is None or not known.portfolio:
        raise UsageError(f"{name_of(space)} has no portfolio to race: name a strategy, such as bayes")
    if entrants == "random":
        count, rng = len(known.portfolio), stream(seed, "entrants")
        return _begin_with(begun, {f"random {n}": sample(space, rng) for n in range(1, count + 1)})
    if isinstance(entrants, str) and entrants in known.portfolio:
        if begun:
            raise Unread(["begin_with"], f"for a race of several, and entrants is {entrants} alone")
        return {entrants: known.portfolio[entrants]}
    if entrants is not None and (not isinstance(entrants, int) or entrants < 1):
        names = f"1 to {len(known.portfolio)}, random, or one of {', '.join(known.portfolio)}"
        raise UsageError(f"entrants is {names}; got {entrants!r}")
    return dict(list(_begin_with(begun, known.portfolio).items())[:entrants])


def _begin_with(
    begun: Mapping[str, Architecture], portfolio: Mapping[str, Architecture]
) -> dict[str, Architecture]:
    """The first of the networks `begun`, those of the portfolio, and the other ones; what is in the portfolio
    keeps its name there. Raises UsageError for another network by a name of the portfolio."""
    names = {architecture: name for name, architecture in portfolio.items()}
    for name, architecture in begun.items():
        if portfolio.get(name, architecture) != architecture:
            raise UsageError(
                f"begin_with: the race has a network {name!r} itself: give another name to yours"
            )
    mixed = {names.get(each, name): each for name, each in begun.items()}
    return {**dict(list(mixed.items())[:1]), **portfolio, **mixed}


def _read_size(space: Space, task: Task, seconds: float) -> dict[str, Scalar]:
    """The settings that follow from the size of the images in the end, which the race has from the start."""
    known = know(space, HasPortfolio)
    assert known is not None
    return dict(known.read_size(signature(task, Fidelity(resolution=choose_resolution(task, seconds)))))


def _speed_up(threads: int, device: str) -> float:
    """The gain of a single training from so many threads."""
    return 1.0 if device.startswith("cuda") else threads**0.6
