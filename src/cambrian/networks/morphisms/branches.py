"""Branches of a child that its parent has once: paths of the same layers, side by side, whose results are
added, averaged or concatenated (Net2Branch; Cai et al. 2018, "Path-Level Network Transformation", Sec. 3.1).

Those that are added are copies, each for a share of the parent's result, and shares sum to one; those that
are concatenated have a part of the parent's units each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from cambrian.networks.morphisms.alignment import (
    DENSE,
    NORMS,
    count_groups,
    describe_kind,
    is_depthwise,
    is_layer,
)
from cambrian.networks.morphisms.following import Network, holds_kernel, read_geometry
from cambrian.networks.morphisms.function_kinds import (
    HOMOGENEOUS,
    IDENTITIES,
    NORMALISATIONS,
    SUMS,
    read_affine,
    read_factor,
    reduces_stack,
)
from cambrian.networks.morphisms.recording import Call, Record
from cambrian.networks.morphisms.transfers import spread_units, strongest_units

TINY = 1e-9


class Copy(NamedTuple):
    """How a layer of a branch is a copy of its partner: its results times `share`; of its units those in
    `units`, None for all. `part`: it reads a part of the channels that its partner reads."""

    share: float = 1.0
    units: tuple[int, ...] | None = None
    part: bool = False


class Merge(NamedTuple):
    """Paths of calls, each reading the result of the one before it, whose last results are added with these
    `factors`, or concatenated where there are none."""

    paths: tuple[tuple[int, ...], ...]
    factors: tuple[float, ...] = ()


@dataclass
class Branches:
    """The partners of all of a child's calls, and how those of branches are copies."""

    matches: dict[int, int]
    copies: dict[int, Copy] = field(default_factory=dict)

    def copy(self, n: int) -> Copy:
        """How call n is a copy of its partner: whole, unless it stands in a branch."""
        return self.copies.get(n, Copy())


def copy_branches(parent: Network, child: Network, matches: Mapping[int, int], spread: float) -> Branches:
    """These partners, and those of each path that has none beside one of the same layers that has some: the
    same. `spread` is the random part of shares, without which copies would have equal gradients for ever."""
    branches = Branches(dict(matches))
    factors = {layers[-1]: factor for layers, factor in _list_added(parent)}
    generator = torch.Generator().manual_seed(0)
    for merge in find_merges(child.record):
        for alike in _group_paths(child, merge):
            paths = [merge.paths[i] for i in alike]
            partners = _assign_partners(parent, child, paths, matches)
            for partner in dict.fromkeys(partners):
                same = [n for n, theirs in enumerate(partners) if theirs == partner]
                copied = [paths[n] for n in same]
                if merge.factors:
                    own = [merge.factors[alike[n]] for n in same]
                    whole = factors.get(partner[-1], 1.0)
                    copies = _share_result(child, copied, [whole / f for f in own], generator, spread)
                else:
                    copies = _cut_units(parent, child, copied, partner)
                branches.copies |= copies
                if copies:
                    layers = (weighted_calls(child.record, path) for path in copied)
                    branches.matches |= {n: m for path in layers for n, m in zip(path, partner, strict=True)}
    return branches


# Merges


def find_merges(record: Record) -> list[Merge]:
    """The additions, means and concatenations of a network, of nested ones the outermost."""
    return list(_Merges(record).find())


class _Merges:
    def __init__(self, record: Record) -> None:
        self.record = record
        self.producers = {number: n for n, call in enumerate(record.calls) for number in call.outputs}
        self.readers: dict[int, int] = defaultdict(int)
        for call in record.calls:
            for slot in call.slots:
                self.readers[slot] += 1
        self.readers[record.result] += 1

    def find(self) -> Iterator[Merge]:
        inner: set[int] = set()
        for n in reversed(range(len(self.record.calls))):
            call = self.record.calls[n]
            if n in inner or len(call.outputs) != 1:
                continue
            if call.function in ("cat", "concat", "concatenate"):
                yield Merge(tuple(map(self.walk_back, call.slots)))
            elif self._is_linear(call):
                terms = list(self._list_terms(call.output, 1.0, inner, outermost=True))
                if len(terms) > 1 and len({number for number, _ in terms}) == len(terms):
                    yield Merge(tuple(self.walk_back(s) for s, _ in terms), tuple(f for _, f in terms))

    def _is_linear(self, call: Call) -> bool:
        return call.function in SUMS or read_factor(call) is not None or reduces_stack(call)

    def _list_terms(
        self, number: int, factor: float, inner: set[int], outermost: bool = False
    ) -> Iterator[tuple[int, float]]:
        """The values whose sum this one is, with their factors."""
        n = self.producers.get(number)
        call = None if n is None else self.record.calls[n]
        # What others read too is a result of its own.
        if n is None or call is None or not (outermost or self.readers[number] == 1):
            yield number, factor
            return
        scale, sources = read_factor(call), call.slots
        if reduces_stack(call):
            stack = self.producers.get(call.slots[0])
            if stack is not None and self.record.calls[stack].function == "stack":
                sources = self.record.calls[stack].slots
                scale = 1 / len(sources) if call.function == "mean" else 1.0
        elif call.function in SUMS and not call.weights and call.named.get("alpha", 1) == 1:
            scale = 1.0
        if not scale:
            yield number, factor
            return
        inner.add(n)
        for source in sources:
            yield from self._list_terms(source, factor * scale, inner)

    def walk_back(self, number: int) -> tuple[int, ...]:
        """The calls of one input each that lead to a value, up to where its path began."""
        path: list[int] = []
        while (n := self.producers.get(number)) is not None:
            call = self.record.calls[n]
            if len(call.slots) != 1 or len(call.outputs) != 1 or (path and self.readers[number] > 1):
                break
            path.append(n)
            number = call.slots[0]
        return tuple(reversed(path))


def _list_added(network: Network) -> Iterator[tuple[tuple[int, ...], float]]:
    """The layers of each path whose result is added, and its factor."""
    for merge in find_merges(network.record):
        for path, factor in zip(merge.paths, merge.factors, strict=False):
            layers = weighted_calls(network.record, path)
            if layers:
                yield layers, factor


# Paths


def weighted_calls(record: Record, path: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for n in path if record.calls[n].weights)


def _group_paths(network: Network, merge: Merge) -> list[list[int]]:
    """The indices of paths of the same layers, of modules that are called nowhere else: such a one would have
    its share of a result there, too."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    shapes = {name: tuple(t.shape) for name, t in network.tensors.items()}
    uses = Counter(name for call in network.record.calls for name in call.weights)
    for i, path in enumerate(merge.paths):
        calls = [network.record.calls[n] for n in path]
        names = [name for call in calls for name in call.weights]
        if names and all(uses[name] == 1 for name in names):
            kinds = (describe_kind(c, shapes) if c.weights else (c.function, c.settings) for c in calls)
            groups[tuple(kinds)].append(i)
    return [group for group in groups.values() if len(group) > 1]


def _assign_partners(
    parent: Network, child: Network, paths: Sequence[Sequence[int]], matches: Mapping[int, int]
) -> list[tuple[int, ...]]:
    """The parent's layers for those of each path. Empty where each path has its own already, where none has
    any, or where one that has none cannot be a copy."""
    layers = [weighted_calls(child.record, path) for path in paths]
    own = [tuple(matches[n] for n in path if n in matches) for path in layers]
    known = [n for n, (path, theirs) in enumerate(zip(layers, own, strict=True)) if len(theirs) == len(path)]
    if len(known) == len(layers):
        return []
    starts = [child.record.calls[path[0]].slots[0] for path in paths]
    for n in set(range(len(layers))) - set(known):
        fitting = [m for m in known if _fits(parent, child, layers[n], own[m])]
        # Rather a copy of what reads the same value.
        fitting = [m for m in fitting if starts[m] == starts[n]] or fitting
        if not fitting:
            return []
        own[n] = own[fitting[n % len(fitting)]]
    return own


def _fits(parent: Network, child: Network, path: Sequence[int], partner: Sequence[int]) -> bool:
    """Whether each layer can be a copy of its partner: strides are equal, kernels no smaller, and both have
    the same weights."""
    for n, theirs in zip(path, partner, strict=True):
        call, other = child.record.calls[n], parent.record.calls[theirs]
        if call.function != other.function or len(call.weights) != len(other.weights):
            return False
        if len(read_affine(call)) != len(read_affine(other)):
            return False
        layers = is_layer(call) and is_layer(other) and call.function in DENSE
        if layers and not holds_kernel(read_geometry(child, call), read_geometry(parent, other)):
            return False
    return True


# Shares and parts


def _share_result(
    network: Network,
    paths: Sequence[Sequence[int]],
    factors: Sequence[float],
    generator: torch.Generator,
    spread: float,
) -> dict[int, Copy]:
    """How the layers of paths are copies so that their results, divided by `factors`, sum to the parent's.
    Empty where that is impossible."""
    parts = 1.0 + spread * (2 * torch.rand(len(paths), generator=generator) - 1)
    uneven = [float(part) * factor for part, factor in zip(parts / parts.sum(), factors, strict=True)]
    uneven[0] = (1.0 - sum(s / f for s, f in zip(uneven[1:], factors[1:], strict=True))) * factors[0]
    equal = [factor / len(paths) for factor in factors]
    if all(_find_last(network, path) is not None for path in paths):
        shares = uneven
    elif all(abs(share - 1) < TINY for share in equal):
        shares = [1.0] * len(paths)
    else:
        return {}
    copies: dict[int, Copy] = {}
    for path, share in zip(paths, shares, strict=True):
        last = _find_last(network, path)
        copies |= {n: Copy(share if n == last else 1.0) for n in weighted_calls(network.record, path)}
    return copies


def _find_last(network: Network, path: Sequence[int]) -> int | None:
    """The layer that multiplies the path's result when its weights are multiplied: the last one, if what
    comes after it keeps factors. None where it does not."""
    record, n = network.record, weighted_calls(network.record, path)[-1]
    call = record.calls[n]
    if call.function in NORMALISATIONS | NORMS:
        scaled = bool(read_affine(call)) and len(call.slots) == 1
    else:
        scaled = is_layer(call) and len(call.slots) == 1
    homogeneous = all(record.calls[m].function in HOMOGENEOUS | IDENTITIES for m in path if m > n)
    return n if scaled and homogeneous else None


def _cut_units(
    parent: Network, child: Network, paths: Sequence[Sequence[int]], partner: Sequence[int]
) -> dict[int, Copy]:
    """How the layers of paths are copies whose results are concatenated: of the last dense layer each has the
    units after those of the one before it. Empty where one has them all already."""
    layers = [weighted_calls(child.record, path) for path in paths]
    dense = [place for place, n in enumerate(layers[0]) if _is_dense(child, child.record.calls[n])]
    if not dense or not _is_dense(parent, parent.record.calls[partner[dense[-1]]]):
        return {}
    place = dense[-1]
    weight = parent.tensors[parent.record.calls[partner[place]].weights[0]]
    counts = [len(child.tensors[child.record.calls[path[place]].weights[0]]) for path in layers]
    if max(counts) >= len(weight):
        return {}
    total = sum(counts)
    units = spread_units(len(weight), total) if total >= len(weight) else strongest_units(weight, total)
    copies: dict[int, Copy] = {}
    for path, count in zip(layers, counts, strict=True):
        part, units = tuple(units[:count]), units[count:]
        kinds = [Copy()] * place + [Copy(units=part)] + [Copy(part=True)] * (len(path) - place - 1)
        copies |= dict(zip(path, kinds, strict=True))
    return copies


def _is_dense(network: Network, call: Call) -> bool:
    """Whether each of the layer's units reads all channels."""
    if call.function not in DENSE or not is_layer(call):
        return False
    return count_groups(call) == 1 and not is_depthwise(call, network.tensors[call.weights[0]].shape)
