"""Which call of the parent a call of the child corresponds to: the one with the same weights by name, or the
one of an alignment of both networks' calls (Needleman & Wunsch 1970), in which those that were put in or
taken out have no partner."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from cambrian.networks.morphisms.recording import Call, Record, Weight

DENSE = {"conv1d", "conv2d", "conv3d", "linear"}
NORMS = {"batch_norm"}
Tensors = Mapping[str, tuple[int, ...]]
"""Shapes of a network's tensors by name."""


def is_layer(call: Call) -> bool:
    """Whether the call is a layer whose weights are the network's own: not one whose weight is computed in
    each pass, as by weight or spectral normalisation."""
    if not call.slots:
        return False
    weight = call.named.get("weight", call.args[1] if len(call.args) > 1 else None)
    return call.function in NORMS or (call.function in DENSE and isinstance(weight, Weight))


def count_groups(call: Call) -> int:
    """The groups of a convolution."""
    return int(call.named.get("groups", call.args[6] if len(call.args) > 6 else 1))


def is_depthwise(call: Call, weight: Sequence[int]) -> bool:
    """Whether the call convolves each channel alone."""
    return len(weight) > 2 and weight[1] == 1 and count_groups(call) == weight[0] > 1


def match_by_names(parent: Record, child: Record, ours: Tensors, theirs: Tensors) -> dict[int, int]:
    """The parent's call of the same kind with the weights of the same name, for each of the child's calls
    with weights that has one."""
    places: dict[tuple[object, ...], list[int]] = {}
    for n, call in enumerate(parent.calls):
        if call.weights:
            places.setdefault((call.weights[0], *describe_kind(call, ours)), []).append(n)
    matches: dict[int, int] = {}
    for n, call in enumerate(child.calls):
        # A module that is called several times has as many calls under one name, in the same order.
        same = places.get((call.weights[0], *describe_kind(call, theirs))) if call.weights else None
        if same:
            matches[n] = same.pop(0)
    return matches


def describe_kind(call: Call, shapes: Tensors) -> tuple[str, str, int]:
    """The function, of a convolution or linear layer how it is grouped, and the dimensions of its weight."""
    weight = shapes.get(call.weights[0], ()) if call.weights else ()
    grouping = ""
    if call.function in DENSE:
        grouped = "grouped" if count_groups(call) > 1 else "dense"
        grouping = "depthwise" if is_depthwise(call, weight) else grouped
    return call.function, grouping, len(weight)


def match_by_order(
    parent: Record,
    child: Record,
    ours: Tensors,
    theirs: Tensors,
    forbidden: Collection[tuple[int, int]] = (),
) -> dict[int, int]:
    """The partners of the child's calls with weights in the best alignment of all calls that has none of
    these pairs (child's call, parent's)."""
    return {j: i for j, i in _align(parent, child, ours, theirs, forbidden).items() if child.calls[j].weights}


def match_by_both(parent: Record, child: Record, ours: Tensors, theirs: Tensors) -> dict[int, int]:
    """Partners by name where they follow each other in the same order, and between those by order."""
    named = _keep_order(match_by_names(parent, child, ours, theirs))
    matches, at, before = dict(named), 0, 0
    for j, i in [*sorted(named.items()), (len(child.calls), len(parent.calls))]:
        some, others = (
            replace(record, calls=record.calls[a:b]) for record, a, b in ((parent, before, i), (child, at, j))
        )
        between = match_by_order(some, others, ours, theirs)
        matches |= {at + mine: before + partner for mine, partner in between.items()}
        at, before = j + 1, i + 1
    return matches


def _keep_order(matches: Mapping[int, int]) -> dict[int, int]:
    """The largest part of the pairs in which both numbers grow."""
    chains: list[dict[int, int]] = []
    for j, i in sorted(matches.items()):
        before = [c for c in chains if next(reversed(c.values())) < i]
        chains.append({**_longest(before), j: i})
    return _longest(chains)


def _longest(chains: Sequence[dict[int, int]]) -> dict[int, int]:
    return max(chains, key=lambda chain: len(chain)) if chains else {}


def _align(
    parent: Record, child: Record, ours: Tensors, theirs: Tensors, forbidden: Collection[tuple[int, int]]
) -> dict[int, int]:
    """The pairs of the best alignment, calls without weights being among them."""
    parents = [_describe(call, parent, ours) for call in parent.calls]
    children = [_describe(call, child, theirs) for call in child.calls]
    known: dict[tuple[object, object], float] = {}

    def compare(i: int, j: int) -> float:
        if (j, i) in forbidden:
            return 0.0
        pair = (parents[i], children[j])
        if pair not in known:
            known[pair] = _compare(*pair)
        return known[pair]

    best = [[0.0] * (len(children) + 1) for _ in range(len(parents) + 1)]
    for i in range(len(parents) - 1, -1, -1):
        for j in range(len(children) - 1, -1, -1):
            alike, score = compare(i, j), max(best[i + 1][j], best[i][j + 1])
            best[i][j] = max(score, alike + best[i + 1][j + 1]) if alike else score
    matches, i, j = dict[int, int](), 0, 0
    while i < len(parents) and j < len(children):
        alike = compare(i, j)
        # Partners as early as possible: what is new comes after what it was put in behind.
        if alike and best[i][j] == alike + best[i + 1][j + 1]:
            matches[j] = i
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return matches


Description = tuple[str, str, tuple[int, ...], tuple[int, ...]]


def _describe(call: Call, record: Record, shapes: Tensors) -> Description:
    """The function, its settings, the sizes of its output's images, and the shape of its weights."""
    weight = shapes.get(call.weights[0], ()) if call.weights else ()
    own = "" if call.function in NORMS | DENSE else call.settings
    settings = own + "".join(map(str, describe_kind(call, shapes)[1:]))
    return call.function, settings, record.shapes[call.output][2:], weight


def _compare(one: Description, other: Description) -> float:
    """How alike two calls are; 0 where they cannot be partners."""
    if one[:2] != other[:2]:
        return 0.0
    if one[0] not in DENSE:
        return (2.0 if one[3] else 1.0) + (one[2] == other[2]) + 0.5 * (one[3] == other[3])
    # Weights count most: a partner gives its own.
    same = sum(a == b for a, b in zip(one[3], other[3])) if len(one[3]) == len(other[3]) else 0
    return 4.0 + 4.0 * (one[2] == other[2]) + same
