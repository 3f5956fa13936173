"""The plan of a budget of time for which nobody names a strategy: a portfolio of networks, sized to the
budget, is raced at a low resolution for a part of the time; the winner goes on learning until the end.

A budget of minutes trains one network well or several badly. So little of it is spent on the choice, and
nothing that the chosen network learned meanwhile is thrown away. All amounts follow the time continuously.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.randomness import stream
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.speed import measure_speed, one_thread
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

BASE = 16
"""Filters at which the speed is measured."""
PATIENCE = 10.0
"""Seconds that measuring one network may take."""
GUESSED = 1e-3
"""Seconds per image of a network whose speed could not be measured."""
COARSE, FINE = 16, 32
"""Pixels a side from which images are halved for the race, and below which they are never scaled."""
OVERHEAD = 1.0
"""Seconds of a trial besides its training: its process, its images, its network, its score."""
FEWEST_STEPS = 100
"""Steps below which a network has learned too little to be judged."""
BATCH = 128
ETA = 3


class Race(msgspec.Struct, frozen=True):
    """The amounts of a race: entrants with their names, architectures and skeletons, favourites first;
    the `seconds` of each in the first heat; `challengers` of each heat after the race; the resolutions of
    the race and of the final training (None: that of the images); `share` of the time for the race; and
    `passes` over the data that the final training is expected to make."""

    entrants: tuple[dict[str, Any], ...]
    seconds: float
    challengers: int
    coarse: int | None
    fine: int | None
    share: float
    passes: float
    notice: str | None = None


def plan_race(
    task: Task,
    space: Space,
    seconds: float,
    *,
    workers: int,
    device: str,
    filters: int | None = None,
    entrants: int | str | None = None,
    seed: int = 0,
) -> Race:
    """The race of `space`'s portfolio, or of its first `entrants`, within `seconds`; for "random", of as many
    random architectures. Measures the machine's speed for some seconds."""
    portfolio = _choose_portfolio(space, entrants, seed)
    share = share_of_race(seconds)
    fine = choose_resolution(task, seconds)
    coarse = choose_coarse(task, fine)
    favourite = next(iter(portfolio.values()))
    with one_thread():
        speed, notice = _measure(task, space, favourite, (coarse or fine, fine), workers, device)
        training = seconds * (1 - share) * _speed_up(workers, device)
        passes = training / (speed[1] * GROWTH * max(1, len(task.train) + len(task.validation)))
        width = filters or choose_filters(passes)
        costs = {name: _count_macs(space, task, a) for name, a in portfolio.items()}
    step = speed[0] * BATCH * (width / BASE) ** EXPONENT
    count, first = size_race(seconds * share * workers, step, len(portfolio))
    names = list(portfolio)[:count]
    runners = tuple(
        {
            "name": name,
            "architecture": dict(portfolio[name]),
            "skeleton": {"filters": match_filters(width, costs[names[0]], costs[name])},
        }
        for name in names
    )
    return Race(
        runners,
        first,
        2 if seconds >= LONG else 0,
        coarse,
        fine,
        share,
        passes * (BASE / width) ** EXPONENT,
        notice,
    )


LONG = 1200.0
"""Seconds from which there is time to search beyond the portfolio."""
GROWTH = 0.6
"""The cost of a step of growing resolution, of that at full resolution, on average."""
EXPONENT = 1.5
"""The growth of a step's seconds with the filters: between that of memory (1) and that of products (2)."""


def share_of_race(seconds: float) -> float:
    """The share of the time for the race: more where there is more of it, since what a longer training gains
    becomes less and less.

    >>> [round(share_of_race(60.0 * minutes), 2) for minutes in (1, 2, 8, 30, 120, 1440)]
    [0.15, 0.15, 0.23, 0.31, 0.39, 0.5]
    """
    return min(0.5, max(0.15, 0.15 + 0.04 * math.log2(seconds / 120)))


def choose_filters(passes: float) -> int:
    """The filters for a training that would pass over the data so many times with BASE of them.

    >>> [choose_filters(passes) for passes in (1, 3, 12, 40, 150, 10_000)]
    [8, 12, 20, 32, 48, 64]
    """
    # A longer training pays for more capacity, of which the larger part of the time is the price: measured.
    return min(64, max(8, 4 * round(3 * math.pow(passes / 3, 0.36))))


def size_race(seconds: float, step: float, most: int) -> tuple[int, float]:
    """The number of entrants, and the seconds of each in the first heat, so that all heats end within
    `seconds` of one worker; the first heat has at least FEWEST_STEPS steps of `step` seconds. One entrant is
    no race, and then its first training takes all of them.

    >>> size_race(100.0, 0.02, 9)
    (9, 4.833...)
    >>> size_race(18.0, 0.02, 9)
    (4, 3.25)
    >>> size_race(2.0, 0.02, 9)
    (1, 1.0)
    """
    for count in range(most, 1, -1):
        heats = list_heats(count)
        each = (seconds - OVERHEAD * sum(heats)) / sum(n * ETA**k for k, n in enumerate(heats))
        if each >= FEWEST_STEPS * step:
            return count, each
    return 1, max(1.0, seconds - OVERHEAD)


def list_heats(count: int) -> list[int]:
    """The runners of each heat of a race of `count`.

    >>> list_heats(9), list_heats(7), list_heats(2), list_heats(1)
    ([9, 3], [7, 2], [2], [1])
    """
    heats = [count]
    while heats[-1] // ETA > 1:
        heats.append(heats[-1] // ETA)
    return heats


def match_filters(filters: int, favourite: float, macs: float) -> int:
    """The filters, in fours, with which a network of `macs` at BASE costs about as much as the favourite at
    `filters`; at most twice and at least half as many.

    >>> match_filters(16, 10e6, 40e6), match_filters(16, 10e6, 1e6), match_filters(16, 10e6, 9e6)
    (8, 32, 16)
    """
    wanted = filters * math.sqrt(favourite / max(macs, 1.0))
    return max(4, 4 * round(min(2 * filters, max(filters / 2, wanted)) / 4))


def choose_resolution(task: Task, seconds: float) -> int | None:
    """The pixels a side at which images are read in the end; None for their own. Large images are scaled
    down where the time does not bear them."""
    side = min(task.height, task.width)
    pixels = len(task.train) * task.height * task.width
    # A small network on one core learns from some ten million pixels a second, and needs ten passes.
    bearable = math.sqrt(BEARABLE * seconds / max(1, pixels)) * side
    if side <= FINE or bearable >= side:
        return None
    return max(FINE, int(bearable) // 16 * 16)


BEARABLE = 4e5
"""Pixels of the training images for each second of the budget: about ten passes over them."""


def choose_coarse(task: Task, fine: int | None) -> int | None:
    """The pixels a side in the race: half of those in the end, where half of them still show something."""
    side = fine or min(task.height, task.width)
    if task.height != task.width or side < 2 * COARSE - 4:
        return fine
    return max(COARSE, side // 2)


def _choose_portfolio(space: Space, entrants: int | str | None, seed: int) -> Mapping[str, Architecture]:
    known = know(space, HasPortfolio)
    if known is None or not known.portfolio:
        raise UsageError(f"{type(space).__name__} has no portfolio to race: name a strategy, such as bayes")
    if entrants == "random":
        count, rng = len(known.portfolio), stream(seed, "entrants")
        return {f"random {n}": sample(space, rng) for n in range(1, count + 1)}
    if entrants is not None and (not isinstance(entrants, int) or entrants < 1):
        raise UsageError(f"entrants is 1 to {len(known.portfolio)}, or random, got {entrants!r}")
    return dict(list(known.portfolio.items())[:entrants])


def _measure(
    task: Task,
    space: Space,
    architecture: Architecture,
    resolutions: tuple[int | None, int | None],
    workers: int,
    device: str,
) -> tuple[list[float], str | None]:
    """Seconds per image at each resolution, of the network with BASE filters; and a sentence where they are
    guesses."""
    jobs = [partial(_measure_at, task, space, architecture, r, device) for r in resolutions]
    if device.startswith("cuda"):  # which a forked process cannot use
        return [job() for job in jobs], None
    speeds = call_each(jobs, max(workers, 1), PATIENCE)
    failures = [speed for speed in speeds if isinstance(speed, Failed)]
    notice = f"the speed could not be measured and was guessed: {failures[0]}" if failures else None
    return [GUESSED if isinstance(s, Failed) else float(s) for s in speeds], notice


def _measure_at(
    task: Task, space: Space, architecture: Architecture, resolution: int | None, device: str
) -> float:
    from cambrian.estimators.build import signature
    from cambrian.outcome import Fidelity

    seen = signature(task, Fidelity(resolution=resolution))
    network = space.build(architecture, seen, filters=BASE)
    return measure_speed(network, (seen.channels, seen.height, seen.width), device)


def _count_macs(space: Space, task: Task, architecture: Architecture) -> float:
    import torch

    from cambrian.networks.measure.sizes import sizes

    skeleton: dict[str, Scalar] = {"filters": BASE}
    with torch.device("meta"):
        network = space.build(architecture, task, **skeleton)
    return float(sizes(network, (task.channels, task.height, task.width)).get("macs", 1.0))


def _speed_up(workers: int, device: str) -> float:
    """The gain of a single training from as many threads as there are workers."""
    return 1.0 if device.startswith("cuda") else workers**0.6
