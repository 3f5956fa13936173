"""Networks of cells that are motifs of motifs (Liu et al., ICLR 2018, arXiv 1711.00436, Sec. 2 and 4.1): a
stem, three stages of cells, between them a separable convolution of stride 2 that doubles the filters,
and a linear classifier on pooled features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cambrian.networks.operations import conv_bn
from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, check_numbers

STAGES = 3
WEIGHTLESS = ("identity", "max3x3", "avg3x3")
MIXES = ("conv1x1", "sep3x3")  # these may give another number of channels than they read


@dataclass(frozen=True)
class Plan:
    """A motif: edges (from, to, name of a primitive or a motif, like), those to a node before those from it,
    and the motifs by name. Node 1 is the input, the last edge ends in the output."""

    edges: tuple[tuple[int, int, str, int], ...]
    motifs: Mapping[str, Plan] = field(default_factory=dict)

    def name(self, source: int, to: int) -> str | None:
        """The operation on an edge, or None without the edge."""
        return next((name for a, b, name, _ in self.edges if (a, b) == (source, to)), None)

    def widths(self, channels: int, filters: int) -> dict[int, int]:
        """Channels of every node, where edges that meet are concatenated. Convolutions give `filters`, or as
        many as node `like` has, other primitives and motifs as many as they read."""
        widths = {1: channels}
        for source, to, name, like in self.edges:
            mixed = widths[like] if like else filters
            widths[to] = widths.get(to, 0) + (mixed if name in MIXES else widths[source])
        return widths

    @property
    def output(self) -> int:
        return self.edges[-1][1]


@dataclass(frozen=True)
class Form:
    """The motifs that a supernet holds: edges (from, to, names there may be, like), the forms of the motifs
    among those, and the path under which its edges are asked for."""

    edges: tuple[tuple[int, int, tuple[str, ...], int], ...]
    inner: Mapping[str, Form] = field(default_factory=dict)
    path: str = ""

    def widest(self, channels: int, filters: int) -> dict[int, int]:
        """The most channels of every node."""
        widths = {1: channels}
        for source, to, names, like in self.edges:
            # A convolution gives the width it is made for, all else the width it reads.
            mixed = [widths[like] if like else filters] if set(names) & set(MIXES) else []
            kept = [widths[source]] if set(names) - set(MIXES) else []
            widths[to] = widths.get(to, 0) + max(mixed + kept)
        return widths


@dataclass(frozen=True)
class Width:
    """How many channels there are: `most`, or, by the plan of the cell, `of` them."""

    most: int
    of: Callable[[Plan], int | None] | None = None

    def count(self, plan: Plan) -> int | None:
        return self.most if self.of is None else self.of(plan)

    def fit(self, read: Reading[Plan], make: Callable[[int], nn.Module]) -> nn.Module:
        return make(self.most) if self.of is None else read.elastic(self.of, make, self.most)


def network(
    read: Reading[Plan],
    form: Form,
    channels: int,
    side: int,
    classes: int,
    *,
    filters: int = 16,
    cells: int = 1,
) -> nn.Module:
    """`cells` per stage, convolutions of `filters` channels in the first one. Takes float[n, channels, h,
    w] of which `side` is the shorter, gives float[n, classes]; an image of one pixel is not halved."""
    check_numbers(COUNT, filters=filters, cells=cells)
    layers: list[nn.Module] = [*conv_bn(channels, filters, 3, padding=1), nn.ReLU()]
    width = Width(filters)
    for stage in range(STAGES):
        own = filters * 2**stage
        if stage:
            # Filters double where the image is halved (Sec. 4.1), so that stages cost about the same.
            layers.append(width.fit(read, partial(_transition, own, 2 if side > 1 else 1)))
            side, width = -(-side // 2), Width(own)
        for _ in range(cells):
            make = Edges(read, lambda plan: plan, form, width, own)
            layers.append(Motif(make))
            width = make.gives()
    head = width.fit(read, lambda features: nn.Linear(features, classes))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def _transition(filters: int, stride: int, channels: int) -> nn.Module:
    return primitive("sep3x3", channels, filters, stride)


def primitive(name: str, channels: int, out: int, stride: int) -> nn.Module:
    """A primitive of the lowest level (Sec. 2.3): convolutions are followed by normalisation and ReLU."""
    if name == "identity":
        return nn.Identity()
    if name == "max3x3":
        return nn.MaxPool2d(3, stride, padding=1)
    if name == "avg3x3":
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    if name == "conv1x1":
        return nn.Sequential(*conv_bn(channels, out, stride=stride), nn.ReLU())
    depthwise = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    if name == "dw3x3":
        return nn.Sequential(depthwise, nn.BatchNorm2d(out), nn.ReLU())
    return nn.Sequential(depthwise, *conv_bn(channels, out), nn.ReLU())


class Edges:
    """The operations of a motif of that form, found by `of` in the cell's plan, for `width` channels.
    Shared, a narrower convolution has the first channels of the widest."""

    def __init__(
        self,
        read: Reading[Plan],
        of: Callable[[Plan], Plan | None],
        form: Form,
        width: Width,
        filters: int,
    ) -> None:
        self.read, self._of, self.form, self._width, self._filters = read, of, form, width, filters
        self._most = form.widest(width.most, filters)
        self._last: tuple[Plan | None, dict[int, int]] = None, {}

    def ends(self, plan: Plan) -> list[tuple[int, int]]:
        """(from, to) of the edges that the plan has."""
        motif = self._of(plan)
        return [] if motif is None else [(source, to) for source, to, _, _ in motif.edges]

    def gives(self) -> Width:
        """The channels of the output."""

        def of(plan: Plan) -> int | None:
            motif = self._of(plan)
            return None if motif is None else self._node(motif.output, plan)

        return Width(max(self._most.values()), of)

    def operation(self, source: int, to: int, names: Sequence[str], like: int) -> nn.Module:
        """The operation on an edge, one of the `names`."""
        makers = {name: partial(self._make, name, source, like) for name in names}

        def name_of(plan: Plan) -> str | None:
            motif = self._of(plan)
            return None if motif is None else motif.name(source, to)

        return self.read.fork(name_of, makers, f"{self.form.path}/node{to}/from{source}")

    def _make(self, name: str, source: int, like: int) -> nn.Module:
        most = self._most[source]
        if name in self.form.inner:
            width, form = Width(most, partial(self._node, source)), self.form.inner[name]
            return Motif(Edges(self.read, partial(self._inside, name), form, width, self._filters))
        # These work channel by channel: one module serves every width.
        if name in WEIGHTLESS:
            return primitive(name, most, most, 1)
        same = source if name not in MIXES else like  # the node that has as many channels as it gives
        most_given = self._most[same] if same else self._filters

        def size(plan: Plan) -> tuple[int, int] | None:
            reads, gives = self._node(source, plan), self._node(same, plan) if same else self._filters
            return None if reads is None or gives is None else (reads, gives)

        return self.read.elastic(size, lambda size: primitive(name, *size, 1), (most, most_given))

    def _inside(self, name: str, plan: Plan) -> Plan | None:
        """The motif of that name."""
        motif = self._of(plan)
        return None if motif is None else motif.motifs.get(name)

    def _node(self, node: int, plan: Plan) -> int | None:
        """The channels of a node, where the motif has it."""
        if self._last[0] is not plan:  # every operation asks, of one plan after the other
            motif, channels = self._of(plan), self._width.count(plan)
            known = motif is not None and channels is not None
            self._last = plan, motif.widths(channels, self._filters) if known else {}  # type: ignore
        return self._last[1].get(node)


class Motif(nn.Module):
    """A graph with an operation on every edge; edges that meet at a node are concatenated, in their order.
    (n, channels, h, w) -> (n, channels of the output, h, w)."""

    def __init__(self, make: Edges) -> None:
        super().__init__()
        makers = {(edge[0], edge[1]): partial(make.operation, *edge) for edge in make.form.edges}
        self.operations = make.read.parts(make.ends, makers)
        self.edges = make.read.live(make.ends)

    def forward(self, x: Tensor) -> Tensor:
        nodes: dict[int, list[Tensor]] = {1: [x]}
        edges = self.edges()
        for (source, to), operation in zip(edges, self.operations, strict=True):
            nodes.setdefault(to, []).append(operation(_join(nodes[source])))
        return _join(nodes[edges[-1][1]])


def _join(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def plan_of(motif: Sequence[tuple[int, int, Any, int]]) -> tuple[Plan, Form]:
    """The plan of a motif whose operations are names or motifs themselves, and the form of that alone."""
    inner = {f"{a}-{b}": plan_of(operation) for a, b, operation, _ in motif if not isinstance(operation, str)}
    edges = tuple((a, b, o if isinstance(o, str) else f"{a}-{b}", like) for a, b, o, like in motif)
    form = Form(
        tuple((a, b, (name,), like) for a, b, name, like in edges), {k: f for k, (_, f) in inner.items()}
    )
    return Plan(edges, {k: plan for k, (plan, _) in inner.items()}), form
