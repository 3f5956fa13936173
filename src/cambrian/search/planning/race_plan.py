"""The plan of a budget of time for which nobody names a strategy: a portfolio of networks, sized to the
budget, is raced at a low resolution for a part of the time; the winner goes on learning until the end.

A budget of minutes trains one network well or several badly. So little of it is spent on the choice, and
nothing that the chosen network learned meanwhile is thrown away. All amounts follow the time continuously.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cambrian.architecture import Architecture, sample
from cambrian.choices import Scalar
from cambrian.errors import UsageError
from cambrian.estimators.build import signature
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.search.planning.forked import Failed, call_each
from cambrian.search.planning.pretrained import fit_portfolio
from cambrian.search.planning.speed import measure_speed, one_thread
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.knowledge import know
from cambrian.spaces.space import Space

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

BASE, WIDE = 16, 48
"""Filters at which the speed is measured."""
PATIENCE = 10.0
"""Seconds that measuring one network may take."""
GUESSED = 1e-3
"""Seconds per image of a network whose speed could not be measured."""
COARSE, FINE = 16, 32
"""Pixels a side from which images are halved for the race, and below which they are never scaled."""
OVERHEAD = 1.0
"""Seconds of a trial besides its training: its process, its images, its network, its score."""
FEWEST_STEPS = 200
"""Steps below which a network has learned too little to be judged."""
BATCH, LEAST_BATCH = 128, 32
ETA = 3


class RacePlan(msgspec.Struct, frozen=True):
    """The amounts of a race: entrants with their names, architectures and skeletons, favourites first;
    the `seconds` of each in the first heat; `challengers` of each heat after the race; the resolutions of
    the race and of the final training (None: that of the images); `share` of the time for the race; the
    images of a `batch`; and `passes` over the data that the final training is expected to make."""

    entrants: tuple[dict[str, Any], ...]
    seconds: float
    challengers: int
    coarse: int | None
    fine: int | None
    share: float
    batch: int
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
    pretrained: str = "",
    seed: int = 0,
) -> RacePlan:
    """The race of `space`'s portfolio, or of its first `entrants`, within `seconds`; for "random", of as many
    random architectures; for a name, of that network alone. The network that the weights in the file
    `pretrained` fit becomes the favourite, with as many filters as they have. Measures the machine's speed
    for some seconds."""
    portfolio, size = _choose_portfolio(space, entrants, seed), _read_size(space, task, seconds)
    fit = fit_portfolio(Path(pretrained), task, space, portfolio, FILTERS, size) if pretrained else None
    if fit is not None:
        portfolio = {fit.name: portfolio[fit.name], **portfolio}
    share = share_of_race(seconds)
    fine = choose_resolution(task, seconds)
    coarse = choose_coarse(task, fine)
    training = seconds * (1 - share) * _speed_up(workers, device)
    with one_thread():
        speed = _measure(task, space, next(iter(portfolio.values())), size, coarse, fine, workers, device)
        images = len(task.train) + len(task.validation)
        batch = choose_batch(images)
        step = speed.fine if coarse == fine else lambda f: GROWTH * speed.fine(f)
        passes = {f: training / (step(f) * images) for f in FILTERS}
        width = fit.filters if fit else filters or choose_filters(passes, images, batch)
        costs = {name: count_macs(space, task, network) for name, network in portfolio.items()}
    count, first = size_race(seconds * share * workers, speed.coarse(width) * batch, len(portfolio))
    names = list(portfolio)[:count]
    runners = tuple(
        {
            "name": name,
            "architecture": dict(portfolio[name]),
            "skeleton": {"filters": match_filters(width, costs[names[0]], costs[name]), **size},
        }
        for name in names
    )
    expected = training / (step(width) * images)
    challengers = 2 if seconds >= LONG else 0
    return RacePlan(runners, first, challengers, coarse, fine, share, batch, expected, speed.notice)


LONG = 1200.0
"""Seconds from which there is time to search beyond the portfolio."""
GROWTH = 0.41
"""The cost of a step of a training whose images grow, on average: of one at full size."""
FILTERS = (8, 12, 16, 20, 24, 32, 40, 48, 64)
LEAST_STEPS = 1500
"""Steps of the last training that a network needs, however few images there are."""
SMALL_DATA, MOST_FOR_SMALL = 10_000, 32
"""Training images below which no network has more filters: it would learn them by heart."""


def share_of_race(seconds: float) -> float:
    """The share of the time for the race: more where there is more of it, since what a longer training gains
    becomes less and less.

    >>> [round(share_of_race(60.0 * minutes), 2) for minutes in (1, 2, 8, 30, 120, 1440)]
    [0.1, 0.1, 0.18, 0.26, 0.34, 0.48]
    """
    return min(0.5, max(0.1, 0.1 + 0.04 * math.log2(seconds / 120)))


def choose_batch(images: int) -> int:
    """The images of a step: fewer where a pass over the data would have less than a dozen steps.

    >>> choose_batch(500), choose_batch(1_000), choose_batch(50_000)
    (32, 64, 128)
    """
    # Few images are learned better in many small steps (Brigato et al. 2021, "Tune It or Don't Use It"); on
    # 500 images of five classes, batches of 32 gained two points over 128, and those of 16 lost one again.
    return max(LEAST_BATCH, min(BATCH, 2 ** round(math.log2(max(1, images) / 16))))


def choose_filters(passes: Mapping[int, float], images: int, batch: int = BATCH) -> int:
    """The most filters with which a training of `images` images takes enough steps and passes over the data;
    `passes` are those of each number of filters.

    >>> choose_filters({8: 9.0, 16: 6.0, 32: 2.0}, 50_000), choose_filters({8: 1e4, 32: 1e4, 64: 1e4}, 500)
    (16, 32)
    >>> choose_filters({8: 150.0, 16: 60.0, 32: 20.0}, 1_400)
    8
    """
    # Measured on CIFAR-10: 14 filters are good from 4 passes on, and a larger network needs more of them.
    most = MOST_FOR_SMALL if images < SMALL_DATA else max(passes)
    enough = [
        f
        for f, count in passes.items()
        if f <= most and count * images >= LEAST_STEPS * batch and count >= 4 * math.pow(f / 14, 1.28)
    ]
    return max(enough, default=min(passes))


def size_race(seconds: float, step: float, most: int) -> tuple[int, float]:
    """The number of entrants, and the seconds of each in the first heat, so that all heats end within
    `seconds` of one worker; the first heat has at least FEWEST_STEPS steps of `step` seconds. One entrant is
    no race, and then its first training takes all of them.

    >>> size_race(192.0, 0.02, 9), size_race(84.0, 0.02, 9), size_race(2.0, 0.02, 9)
    ((9, 10.0), (9, 4.0), (1, 1.0))
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
    if isinstance(entrants, str) and entrants in known.portfolio:
        return {entrants: known.portfolio[entrants]}
    if entrants is not None and (not isinstance(entrants, int) or entrants < 1):
        names = f"1 to {len(known.portfolio)}, random, or one of {', '.join(known.portfolio)}"
        raise UsageError(f"entrants is {names}; got {entrants!r}")
    return dict(list(known.portfolio.items())[:entrants])


def _read_size(space: Space, task: Task, seconds: float) -> dict[str, Scalar]:
    """The settings that follow from the size of the images in the end, which the race has from the start."""
    known = know(space, HasPortfolio)
    assert known is not None
    return dict(known.read_size(signature(task, Fidelity(resolution=choose_resolution(task, seconds)))))


class Speed(msgspec.Struct, frozen=True):
    """Seconds per image of the favourite: at the resolution of the race with BASE filters, and at that of the
    end with BASE and with WIDE ones. `notice` is a sentence where they are guesses."""

    race: float
    base: float
    wide: float
    notice: str | None = None

    def fine(self, filters: int) -> float:
        # A power of the filters, between 0 (overheads alone) and 2 (products alone).
        exponent = math.log(max(self.wide / self.base, 1.0)) / math.log(WIDE / BASE)
        return self.base * float((filters / BASE) ** min(exponent, 2.0))

    def coarse(self, filters: int) -> float:
        return self.fine(filters) * self.race / self.base


def _measure(
    task: Task,
    space: Space,
    architecture: Architecture,
    size: Mapping[str, Scalar],
    coarse: int | None,
    fine: int | None,
    workers: int,
    device: str,
) -> Speed:
    measured = ((coarse or fine, BASE), (fine, BASE), (fine, WIDE))
    jobs = [
        partial(_measure_at, task, space, architecture, r, {"filters": filters, **size}, device)
        for r, filters in measured
    ]
    if device.startswith("cuda"):  # which a forked process cannot use
        race, base, wide = (job() for job in jobs)
        return Speed(race, base, wide)
    speeds = call_each(jobs, max(workers, 1), PATIENCE)
    failures = [speed for speed in speeds if isinstance(speed, Failed)]
    notice = f"the speed could not be measured and was guessed: {failures[0]}" if failures else None
    race, base, wide = (GUESSED if isinstance(s, Failed) else float(s) for s in speeds)
    return Speed(race, base, wide, notice)


def _measure_at(
    task: Task,
    space: Space,
    architecture: Architecture,
    resolution: int | None,
    skeleton: Mapping[str, Scalar],
    device: str,
) -> float:
    seen = signature(task, Fidelity(resolution=resolution))
    network = space.build(architecture, seen, **skeleton)
    return measure_speed(network, (seen.channels, seen.height, seen.width), device)


def count_macs(space: Space, task: Task, architecture: Architecture) -> float:
    """Multiply-accumulates of the network with BASE filters, on an image of the task."""
    import torch

    from cambrian.networks.measure.sizes import sizes

    skeleton: dict[str, Scalar] = {"filters": BASE}
    with torch.device("meta"):
        network = space.build(architecture, task, **skeleton)
    return float(sizes(network, (task.channels, task.height, task.width)).get("macs", 1.0))


def _speed_up(workers: int, device: str) -> float:
    """The gain of a single training from as many threads as there are workers."""
    return 1.0 if device.startswith("cuda") else workers**0.6
