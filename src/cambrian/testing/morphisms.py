"""The promises of a space that knows network morphisms (`Morphs`): after an edit that enlarges, a network
begins with the function of its parent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.errors import Unbuildable
from cambrian.randomness import stream
from cambrian.spaces.knowledge import Morphs
from cambrian.testing.cases import SpaceCase
from cambrian.testing.networks import build_network
from cambrian.testing.suite import applies, expect, know_or_skip

if TYPE_CHECKING:
    from torch import nn

KEPT = 1e-5
"""The largest difference of outputs, relative to the largest one, in evaluation mode."""


def check_morphs_are_legal(case: SpaceCase) -> None:
    """An edit of every kind, one that enlarges or shrinks, leads to another architecture of the space or
    nowhere, and to the same one with the same random numbers; some kind that enlarges leads somewhere."""
    morphing = _morphs(case)
    expect(morphing.morphs, "the space names no kind of morphism")
    twice = set(morphing.morphs) & set(morphing.shrinks)
    expect(not twice, f"{sorted(twice)} both enlarge and shrink")
    enlarged = 0
    for kind in (*morphing.morphs, *morphing.shrinks):
        for n, architecture in enumerate(case.samples):
            one, other = (morphing.morph(kind, architecture, stream(1, "morph", kind, n)) for _ in range(2))
            expect(one == other, f"the morphism {kind!r} depends on more than what it draws")
            if one is not None:
                expect(replay(case.space, one) == one, f"the morphism {kind!r} leads to what is not legal")
                expect(one != architecture, f"the morphism {kind!r} changes nothing")
                enlarged += kind in morphing.morphs
    expect(enlarged, "no sample can be enlarged")


def check_morphs_keep_the_function(case: SpaceCase) -> None:
    """After an edit of each kind that enlarges, the child of a network whose statistics and biases are those
    of a trained one has its outputs within 1e-5, and the optimiser's state of all its weights; after one that
    shrinks it has a part of its parent's weights, and finite ones. An edit may insert what no numbers make
    the identity, such as a tanh, and name the layer that is lost: another of its kind has to keep all."""
    from cambrian.networks.morphisms.moments import carry_moments
    from cambrian.networks.morphisms.morphism import inherit_function

    morphing = _morphs(case)
    tried = 0
    for kind in (*morphing.morphs, *morphing.shrinks[:1]):
        losses = []
        for architecture, parent, child in _build_pairs(case, morphing, kind):
            tried += 1
            image = (case.task.channels, case.task.height, case.task.width)
            inherited = inherit_function(child, parent, image)
            where = f"after {kind!r} of {architecture!r}"
            expect(0 < inherited.share <= 1, f"{where}, the child has nothing of its parent")
            finite = all(t.isfinite().all() for t in child.state_dict().values())
            expect(finite, f"{where}, the child has weights that are not finite")
            if kind in morphing.shrinks:
                break
            apart = f"{where}, outputs differ by {inherited.difference:.2g} of the largest"
            if inherited.lost:
                losses.append(f"{apart}: {', '.join(inherited.lost[:3])} cannot be kept")
                continue
            expect(inherited.difference < KEPT, apart)
            learned = {str(n): p.detach() for n, p in enumerate(parent.parameters()) if p.requires_grad}
            moments = {f"{n}.momentum_buffer": p for n, p in learned.items()}
            carried = {t.source for t in inherited.transfers.values()}
            left = [name for name, p in parent.named_parameters() if p.requires_grad and name not in carried]
            expect(not left, f"{where}, the optimiser's state of {', '.join(left[:3])} is lost")
            state = carry_moments(moments, parent, child, inherited.transfers)
            expect(state or not moments, f"{where}, the optimiser's state is lost")
            break
        else:
            expect(not losses, "; ".join(losses[:1]))
    applies(tried, "no sampled architecture can be enlarged and built for this task")


def _build_pairs(
    case: SpaceCase, morphing: Morphs, kind: str
) -> Iterator[tuple[Architecture, nn.Module, nn.Module]]:
    """(architecture, its network with the numbers of a trained one, its child's network), where both can be
    built."""
    for n, architecture in enumerate(case.samples):
        larger = morphing.morph(kind, architecture, stream(1, "morph", kind, n))
        if larger is None:
            continue
        try:
            parent, child = (build_network(case, each) for each in (architecture, larger))
        except Unbuildable:
            continue
        yield architecture, _disturb(parent), child


def _disturb(network: Any) -> nn.Module:
    """The network with statistics, weights and biases of which none is 0 or 1: those of a new network hide
    what an edit loses."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0, generator=generator)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
    disturbed: nn.Module = network
    return disturbed


def _morphs(case: SpaceCase) -> Morphs:
    return know_or_skip(case.space, Morphs, "the space has no network morphisms")


CHECKS = (check_morphs_are_legal, check_morphs_keep_the_function)
