"""A child that begins as its parent: `inherit_function` gives a network the function of another, as far as
its shapes allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from cambrian.networks.morphisms.alignment import match_by_names, match_by_order
from cambrian.networks.morphisms.carrying import SPREAD, Carrier, Undecided
from cambrian.networks.morphisms.channels import Symbols, Value
from cambrian.networks.morphisms.following import Carried, Network, follow_parent
from cambrian.networks.morphisms.new_layers import Norm
from cambrian.networks.morphisms.recording import record_forward
from cambrian.networks.morphisms.transfers import Transfer


@dataclass(frozen=True)
class Inherited:
    """What a child has of its parent. `share` is the share of its numbers that are not random ones of its
    own; `difference` the largest difference between its outputs and the parent's, relative to the largest
    output, on random images. `exact` says that it keeps the function by its structure, `lost` names the
    parent's weights that it could not keep. `norms` are new normalisations, which pass their input on."""

    share: float
    difference: float
    exact: bool
    lost: tuple[str, ...] = ()
    norms: tuple[Norm, ...] = ()
    transfers: Mapping[str, Transfer] = field(default_factory=dict)


def inherit_function(
    child: nn.Module, parent: nn.Module, image: tuple[int, ...], spread: float = SPREAD
) -> Inherited:
    """Give `child`, a new network, the function of `parent`, for images of shape (channels, height, width).
    `spread` is the random part of the shares of copied units. Deterministic."""
    theirs = Network(record_forward(parent, image), _tensors(parent))
    ours = Network(record_forward(child, image), _tensors(child))
    shapes = [{name: tuple(t.shape) for name, t in n.tensors.items()} for n in (theirs, ours)]
    symbols = Symbols()
    expected = follow_parent(theirs, symbols)
    best: Carried | None = None
    for match in (match_by_names, match_by_order):
        matches = match(theirs.record, ours.record, *shapes)
        carried = _carry(partial(Carrier, theirs, ours, symbols, matches, spread=spread), expected)
        # Of two that lose something, the one in which more of the child's numbers are its parent's.
        if best is None or (carried.exact, _count(carried)) > (best.exact, _count(best)):
            best = carried
        if best.exact:
            break
    assert best is not None
    own = child.state_dict()
    tensors = {name: t for name, t in best.tensors.items() if name in own}
    child.load_state_dict({**own, **tensors})
    share = sum(t.numel() for t in tensors.values()) / max(1, sum(t.numel() for t in own.values()))
    difference = compare(child, parent, image)
    lost = tuple(dict.fromkeys(best.lost))
    return Inherited(share, difference, best.exact, lost, tuple(best.norms), best.transfers)


def _count(carried: Carried) -> int:
    return sum(t.numel() for t in carried.tensors.values())


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers, also those that are not part of the state."""
    return {name: t.detach() for name, t in (*network.named_parameters(), *network.named_buffers())}


def _carry(make: Callable[[Mapping[int, str]], Carrier], expected: Value) -> Carried:
    parts: dict[int, str] = {}
    while True:
        try:
            return make(parts).follow(expected)
        except Undecided as needed:
            # Each call is decided once, and a part that does not serve is not taken back: this ends.
            parts[needed.call] = needed.part


def compare(one: nn.Module, other: nn.Module, image: tuple[int, ...], count: int = 8) -> float:
    """The largest difference between two networks' outputs in evaluation mode on `count` random images,
    relative to the largest output of `other`."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, *image, generator=generator)
    mine, theirs = (_outputs(network, images) for network in (one, other))
    if mine.shape != theirs.shape:
        return float("inf")
    return float((mine - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12))


def _outputs(network: nn.Module, images: Tensor) -> Tensor:
    training = network.training
    device = next((p.device for p in network.parameters()), images.device)
    with torch.no_grad():
        outputs = network.eval()(images.to(device))
    network.train(training)
    first: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
    return first.float().cpu()
