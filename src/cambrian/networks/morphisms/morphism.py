"""A child that begins as its parent: `inherit_function` gives a network the function of another, as far as
its shapes allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError
from cambrian.networks.morphisms.alignment import (
    Tensors,
    match_by_both,
    match_by_names,
    match_by_order,
)
from cambrian.networks.morphisms.branches import Branches, copy_branches
from cambrian.networks.morphisms.carrying import SPREAD, Carrier
from cambrian.networks.morphisms.channels import Symbols, Value
from cambrian.networks.morphisms.following import Carried, Network, follow_parent
from cambrian.networks.morphisms.layers import Undecided
from cambrian.networks.morphisms.norms import Norm
from cambrian.networks.morphisms.recording import Record, record_forward
from cambrian.networks.morphisms.transfers import Transfer

PAIRINGS = (match_by_names, match_by_order, match_by_both)
"""The ways to pair calls, the surest first."""
TRIES = 24
"""Alignments that are tried where none of the plain ones keeps everything."""
SUSPECTS = 3
"""Pairs up to the first that fails of which one may be wrong."""


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
    `spread`, from 0 to less than 1, is the random part of the shares of copied units. Deterministic."""
    if not 0 <= spread < 1:
        raise UsageError(f"inherit_function: spread must be from 0 to less than 1, as 0.2, not {spread:g}")
    theirs = Network(record_forward(parent, image), _tensors(parent))
    ours = Network(record_forward(child, image), _tensors(child))
    symbols = Symbols()
    expected = follow_parent(theirs, symbols)
    best: Carried | None = None
    records = (theirs.record, ours.record, _shapes(theirs), _shapes(ours))
    add_copies = partial(_list_branches, theirs, ours, spread)
    for branches in (b for match in PAIRINGS for b in add_copies(match(*records))):
        carried = _carry(partial(Carrier, theirs, ours, symbols, branches, spread=spread), expected)
        # Of two that lose something, the one in which more of the child's numbers are its parent's.
        if best is None or (carried.exact, _count(carried)) > (best.exact, _count(best)):
            best = carried
        if best.exact:
            break
    assert best is not None
    if not best.exact and _numbers(ours) >= _numbers(theirs):
        make = partial(Carrier, theirs, ours, symbols, spread=spread)
        best = _pair_again(records, add_copies, make, expected) or best
    own = child.state_dict()
    tensors = {name: t for name, t in best.tensors.items() if name in own}
    child.load_state_dict({**own, **tensors})
    share = sum(t.numel() for t in tensors.values()) / max(1, sum(t.numel() for t in own.values()))
    difference = compare(child, parent, image)
    lost = tuple(dict.fromkeys(best.lost))
    return Inherited(share, difference, best.exact, lost, tuple(best.norms), best.transfers)


Records = tuple[Record, Record, Tensors, Tensors]
"""The parent's and the child's, and the shapes of their tensors."""


def _list_branches(
    parent: Network, child: Network, spread: float, matches: Mapping[int, int]
) -> Iterator[Branches]:
    """With these partners, branches beside others of the same layers as copies of those, and as new ones."""
    branches = copy_branches(parent, child, matches, spread)
    if branches.copies:
        yield branches
    yield Branches(dict(matches))


def _pair_again(
    records: Records,
    add_copies: Callable[[Mapping[int, int]], Iterator[Branches]],
    make: Callable[..., Carrier],
    expected: Value,
) -> Carried | None:
    """What is carried in another alignment, in which nothing is lost: where a layer cannot be kept, it or
    the one before it has the wrong partner. None where TRIES alignments have no such one."""
    todo, tried = deque([frozenset[tuple[int, int]]()]), set[frozenset[tuple[int, int]]]()
    while todo and len(tried) < TRIES:
        forbidden = todo.popleft()
        if forbidden in tried:
            continue
        tried.add(forbidden)
        matches = match_by_order(*records, forbidden)
        for branches in add_copies(matches):
            carried = _carry(partial(make, branches), expected)
            if carried.exact:
                return carried
        # Without a layer that is lost it is the last one that is wrong.
        failed = carried.failed[0] if carried.failed else max(matches, default=-1)
        suspects = sorted((j for j in matches if j <= failed), reverse=True)[:SUSPECTS]
        todo.extend(forbidden | {(j, matches[j])} for j in suspects)
    return None


def _shapes(network: Network) -> Tensors:
    return {name: tuple(t.shape) for name, t in network.tensors.items()}


def _numbers(network: Network) -> int:
    return sum(t.numel() for t in network.tensors.values())


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
