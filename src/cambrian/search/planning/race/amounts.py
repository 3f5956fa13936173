"""The amounts of a race within a time: closed forms of the seconds, the images and the measured speed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cambrian.tasks.task import Task

COARSE, FINE = 16, 32
"""Pixels a side from which images are halved for the race, and below which they are never scaled."""
OVERHEAD = 1.0
"""Seconds of a trial besides its training and its score: its process, its images, its network."""
START = 3.0
"""Seconds until the first training of a worker begins: its process starts, and imports torch."""
SCORING = 0.35
"""The seconds of an image that is scored, as a share of those of one that is learned."""
FEWEST_STEPS = 200
"""Steps below which a network has learned too little to be judged."""
BATCH, LEAST_BATCH, DENSE_SHARE = 128, 32, 2
ETA = 3
FILTERS = (8, 16, 24, 32, 40, 48, 64)
"""In eights: vector kernels compute that many channels at once, and fill up what is left. On a processor with
AVX-512 a step of the pyramid with 16 filters takes 108 ms, with 20 189 and with 24 228."""
VECTOR = 8
"""Channels that a vector kernel computes at once, on every processor that has one."""
LEAST_STEPS = 1500
"""Steps of the last training that a network needs, however few images there are."""
SMALL_DATA, MOST_FOR_SMALL = 10_000, 24
"""Training images below which no network has more filters: it would learn them by heart."""


def share_of_race(seconds: float) -> float:
    """The share of the time for the race: more where there is more of it, since what a longer training gains
    becomes less and less.

    >>> [round(share_of_race(60.0 * minutes), 2) for minutes in (1, 2, 8, 30, 120, 1440)]
    [0.1, 0.1, 0.18, 0.26, 0.34, 0.48]
    """
    return min(0.5, max(0.1, 0.1 + 0.04 * math.log2(seconds / 120)))


def share_of_challenges(seconds: float) -> float:
    """The share of the time in which networks beside the winner challenge it: a part of that for the race,
    none up to LONG and a third of it from about six hours on. It is taken from the heats, whose longer
    trainings say less and less of the same few networks, and never from the last training.

    >>> [round(share_of_challenges(60.0 * minutes), 2) for minutes in (20, 30, 60, 240, 1440)]
    [0.0, 0.01, 0.04, 0.11, 0.16]
    """
    # Small, since it has not been seen to pay: in one pair of runs of a minute, at the cost of the last
    # training, the network alone was better (`benchmarks/challengers.py`); hours have not been measured.
    part = min(1 / 3, max(0.0, 0.08 * math.log2(seconds / LONG)))
    return part * share_of_race(seconds)


LONG = 1200.0
"""Seconds up to which there is time for the portfolio alone."""


class Challenges(NamedTuple):
    """`heats` after the race, each of its leader and `challengers` networks, all for `seconds`."""

    heats: int
    challengers: int
    seconds: float

    def measure_time(self, workers: int, overhead: float = OVERHEAD) -> float:
        """The seconds that all of them take."""
        return self.heats * math.ceil((1 + self.challengers) / workers) * (self.seconds + overhead)


def size_challenges(seconds: float, step: float, workers: int, overhead: float = OVERHEAD) -> Challenges:
    """The challenges that fit `seconds`: at most MOST_CHALLENGES, and no more than leave each training
    CHALLENGE_STEPS steps of `step` seconds, besides its `overhead`; none where not even one does.

    >>> size_challenges(99.0, 0.01, 1), size_challenges(9.0, 0.01, 1), size_challenges(416.0, 0.01, 4)
    (Challenges(heats=8, challengers=2, seconds=3.125), Challenges(heats=0, challengers=0, seconds=0.0), \
Challenges(heats=8, challengers=3, seconds=51.0))
    """
    challengers = count_challengers(workers)
    waves = math.ceil((1 + challengers) / workers)
    for count in range(MOST_CHALLENGES, 0, -1):
        each = seconds / (count * waves) - overhead
        if each >= CHALLENGE_STEPS * step:
            return Challenges(count, challengers, each)
    return Challenges(0, 0, 0.0)


MOST_CHALLENGES = 8
"""The steps of hill climbing in NASH's paper (Elsken et al. 2017, Sec. 4.1): a longer time trains each child
for longer."""
CHALLENGE_STEPS = 300
"""Steps below which a child has not learned to use what it has more than its parent."""


def count_challengers(workers: int) -> int:
    """The challengers of a heat: two or more, so that with the leader they keep all workers busy.

    >>> [count_challengers(workers) for workers in (1, 2, 3, 4, 8, 64)]
    [2, 3, 2, 3, 7, 15]
    """
    return min(MOST_CHALLENGERS, next(n for n in range(2, workers + 3) if (1 + n) % workers == 0))


MOST_CHALLENGERS = 15


def choose_batch(images: int, dense: bool = False) -> int:
    """The images of a step: fewer where a pass over the data would have less than some fifty steps, and
    half where their pixels have classes (`dense`), since each image is many examples then.

    >>> choose_batch(500), choose_batch(2_000), choose_batch(4_000), choose_batch(50_000)
    (32, 32, 64, 128)
    >>> choose_batch(500, True), choose_batch(50_000, True)
    (16, 64)
    """
    # Few images are learned better in many small steps (Brigato et al. 2021, "Tune It or Don't Use It"): in
    # batches of 32 instead of 128, 500 images of CIFAR-10 gained two points and 2,000 one; 16 lost one again.
    # On generated shapes with masks, 35 s of one core: batches of 16 .436, of 8 .386, whose steps cost more.
    batch = max(LEAST_BATCH, min(BATCH, int(2.0 ** round(math.log2(max(1, images) / 64)))))
    return batch // DENSE_SHARE if dense else batch


def choose_filters(passes: Mapping[int, float], images: int, batch: int = BATCH, targets: int = 1) -> int:
    """The most filters with which a training of `images` images takes enough steps and passes over the data;
    `passes` are those of each number of filters. Each image has so many `targets`, as the piece
    of a text has one at every place.

    >>> choose_filters({8: 9.0, 16: 6.0, 32: 2.0}, 50_000), choose_filters({8: 1e4, 24: 1e4, 64: 1e4}, 500)
    (16, 24)
    >>> choose_filters({8: 150.0, 16: 60.0, 32: 20.0}, 1_400)
    8
    >>> choose_filters({8: 9.0, 16: 6.0, 32: 2.0}, 50_000, 32, targets=64)
    32
    """
    # Measured on CIFAR-10: 14 filters are good from 4 passes on, and a larger network needs more of them.
    needed = 4.0 * min(1.0, MANY_TARGETS / targets)
    most = MOST_FOR_SMALL if images < SMALL_DATA else max(passes)
    enough = [
        f
        for f, count in passes.items()
        if f <= most and count * images >= LEAST_STEPS * batch and count >= needed * math.pow(f / 14, 1.28)
    ]
    return max(enough, default=min(passes))


MANY_TARGETS = 8
"""Targets of an image from which on fewer passes are enough: over pieces of 64 characters an eighth, since on
1.1 million characters, in 100 s of a core, 256 units (1.2 passes) were better than fewer."""


def size_race(
    seconds: float, step: float, most: int, workers: int = 1, overhead: float = OVERHEAD
) -> tuple[int, float]:
    """The number of entrants, and the seconds of each in the first heat, so that all heats end within
    `seconds`, with the `overhead` of each training; the first heat has at least FEWEST_STEPS steps of `step`
    seconds. One entrant is no race, and then its first training takes all of them.

    >>> size_race(192.0, 0.02, 9), size_race(84.0, 0.02, 9), size_race(2.0, 0.02, 9)
    ((9, 10.0), (9, 4.0), (1, 1.0))
    >>> size_race(117.0, 0.02, 9, workers=2), size_race(84.0, 1.0, 3, workers=2)
    ((9, 10.0), (1, 83.0))
    """
    for count in range(most, 1, -1):
        # A heat ends with its last training: of three runners and two workers one runs while the other waits.
        waves = [math.ceil(runners / workers) for runners in list_heats(count)]
        each = (seconds - overhead * sum(waves)) / sum(n * ETA**k for k, n in enumerate(waves))
        if each >= FEWEST_STEPS * step:
            return count, each
    return 1, max(1.0, seconds - overhead)


def list_heats(count: int) -> list[int]:
    """The runners of each heat of a race of `count`.

    >>> list_heats(9), list_heats(7), list_heats(2), list_heats(1)
    ([9, 3], [7, 2], [2], [1])
    """
    heats = [count]
    while heats[-1] // ETA > 1:
        heats.append(heats[-1] // ETA)
    return heats


MANY_PASSES = 40.0
"""Passes over the data from which they are learned by heart, unless they are varied more, and from which
small images save time that is not short."""


def choose_margin(images: int) -> float:
    """The score by which a favourite must be overtaken: a favourite is expected to lead by LEAD, true
    differences are about SPREAD, and so a measured one counts the less the noisier a validation of so many
    `images` is.

    >>> choose_margin(5_000), choose_margin(100)
    (0.001, 0.05)
    """
    return round(LEAD * 0.2 / max(1, images) / SPREAD**2, 4)


def choose_handicap(heat: float, training: float) -> float:
    """The same for the time: a difference after a last heat of `heat` seconds drifts by DRIFT until the end
    of a training of ten times as many, since some networks learn fast only at first.

    >>> choose_handicap(40.0, 400.0), choose_handicap(100.0, 100.0)
    (0.04, 0.0)
    """
    drift = DRIFT * max(0.0, math.log10(training / heat))
    return round(LEAD * (drift / SPREAD) ** 2, 4)


LEAD, SPREAD = 0.01, 0.02
DRIFT = 0.04
"""Of accuracies, the standard deviation: on CIFAR-10 the plain network leads the pyramid by .055 after 40 s
and by .0005 after 400 s, ResNet-9 by -.003 and .005, the deep residual one by -.050 and -.015 (RESULTS.md,
the portfolio; one seed)."""


def match_filters(filters: int, favourite: float, macs: float) -> int:
    """The filters, in eights or 4, with which a network of `macs` at BASE costs about as much as the
    favourite at `filters`; at most twice and at least half as many.

    >>> match_filters(16, 10e6, 40e6), match_filters(16, 10e6, 1e6), match_filters(16, 10e6, 9e6)
    (8, 32, 16)
    >>> match_filters(8, 10e6, 40e6), match_filters(8, 10e6, 20e6)
    (4, 8)
    """
    wanted = min(2 * filters, max(filters / 2, filters * math.sqrt(favourite / max(macs, 1.0))))
    return VECTOR * round(wanted / VECTOR) or VECTOR // 2


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
