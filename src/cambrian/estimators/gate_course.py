"""The course of a supernet's gates, read with the knowledge of its space: how many skip connections the
derived architecture has after each epoch, and whether the search has collapsed.

A collapse is a derived cell of skip connections, which are good for the supernet's own training and poor
alone. Three signs announce it, each of which is enough (Zela et al. 2020, arXiv 1909.09656, Sec. 3 and 4):
the skips themselves, curvature that grows, and a validation loss that rises while skips do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cambrian.choices import Answer
from cambrian.spaces.gates import SKIPS
from cambrian.spaces.knowledge import Mixes, Site, know

if TYPE_CHECKING:
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.spaces.space import Space

WINDOW = 5
"""Epochs of a local mean."""
BEFORE = 5
"""Epochs between the two means that are compared."""
LASTING = 3
"""Epochs for which there have to be too many skips: at first all options are nearly alike, and the choice
between them is chance."""
GROWTH = 1.3
"""The factor of the eigenvalue's mean beyond which the search stops, as in the released code."""
RISE = 1.02
"""The factor of the loss's mean from which on it has risen: less is the noise of batches."""


def show_sites(space: Space, supernet: Supernet) -> None:
    """Let the supernet know where it can be mixed, if its space does."""
    from cambrian.networks.sharing.supernet import MixedSite

    mixes = know(space, Mixes)
    if mixes is not None:
        sites = mixes.list_sites(supernet.outer)
        # A network of few cells may be without one of the two kinds.
        there = {getattr(module, "gate", "") for module in supernet.modules()}
        supernet.sites = {
            name: MixedSite(len(site.options), site.edges, find_skips(site), site.nothing)
            for name, site in sites.items()
            if name in there
        }
        supernet.whole = mixes.find_whole(supernet.outer)


def find_skips(site: Site) -> tuple[int, ...]:
    return tuple(i for i, option in enumerate(site.options) if option in SKIPS)


def judge_course(space: Space, outer: Mapping[str, Answer], data: dict[str, Any]) -> dict[str, Any]:
    """The data of a training, with its skips by epoch and its collapse added, if it has a course."""
    mixes, course = know(space, Mixes), data.get("course")
    if mixes is None or not course:
        return data
    epochs = range(len(course["loss"]))
    gates = [{name: table[e] for name, table in course["gates"].items()} for e in epochs]
    skips = [mixes.count_skips(mixes.derive(each, outer)) for each in gates]
    weights = [mean_skip_weight(mixes.list_sites(outer), each) for each in gates]
    course = course | {"skips": [s.count for s in skips], "skip_weight": weights}
    if skips:
        course |= {"operations": skips[-1].operations, "most_skips": skips[-1].most}
    collapse = find_collapse(course)
    return data | {"course": course} | ({"collapse": collapse} if collapse else {})


def mean_skip_weight(sites: Mapping[str, Site], gates: Mapping[str, Sequence[float]]) -> float:
    """The mean probability of a skip connection, over the sites that have one."""
    places = [(name, i) for name, s in sites.items() for i, option in enumerate(s.options) if option in SKIPS]
    found = [gates[name][i] for name, i in places if name in gates]
    return round(sum(found) / len(found), 6) if found else 0.0


def find_collapse(course: Mapping[str, Any]) -> dict[str, Any]:
    """The first sign of a collapse: the `epoch` at which it is seen and the last one `before` it, both from
    1 (before: 0 where it was there from the start), and the `sign` as a phrase. Empty if there is none."""
    for epoch in range(1, len(course["loss"]) + 1):
        for look in (_see_skips, _see_curvature, _see_loss):
            before, sign = look(course, epoch)
            if sign:
                return {"epoch": epoch, "before": before, "sign": sign}
    return {}


def _see_skips(course: Mapping[str, Any], epoch: int) -> tuple[int, str]:
    lately = course["skips"][max(0, epoch - LASTING) : epoch]
    if epoch < LASTING or min(lately) < course["most_skips"]:
        return 0, ""
    return epoch - LASTING, f"{lately[-1]} of {course['operations']} operations are skip connections"


def _see_curvature(course: Mapping[str, Any], epoch: int) -> tuple[int, str]:
    """The early stop of R-DARTS: the local mean of the eigenvalue against that of some epochs before."""
    earlier, now = _means(course["eigenvalue"], epoch)
    if earlier is None or now is None or earlier <= 0 or now / earlier <= GROWTH:
        return 0, ""
    return epoch - BEFORE, f"the largest eigenvalue grew by {now / earlier:.2f} within {BEFORE} epochs"


def _see_loss(course: Mapping[str, Any], epoch: int) -> tuple[int, str]:
    earlier, now = _means(course["loss"], epoch)
    less, more = _means(course["skip_weight"], epoch)
    if earlier is None or now is None or less is None or more is None:
        return 0, ""
    if now <= RISE * earlier or more <= less:
        return 0, ""
    return epoch - BEFORE, "the validation loss and the skip connections' weights rise together"


def _means(series: Sequence[float | None], epoch: int) -> tuple[float | None, float | None]:
    """The local means some epochs before `epoch`, counted from 1, and at it; None where one is not known."""
    return _mean(series, epoch - BEFORE), _mean(series, epoch)


def _mean(series: Sequence[float | None], epoch: int) -> float | None:
    if epoch < WINDOW:
        return None
    window = [value for value in series[epoch - WINDOW : epoch] if value is not None]
    return sum(window) / len(window) if len(window) == WINDOW else None
