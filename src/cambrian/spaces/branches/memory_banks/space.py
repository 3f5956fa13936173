"""Networks as memory banks that are read and written (Brock et al., "SMASH", ICLR 2018, arXiv 1708.05344,
Sec. 3.1): each layer reads some banks, concatenated, and adds its output to others. A residual
network reads and writes one bank; a densely connected one writes to a bank that none has written before,
and reads all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, replay
from cambrian.spaces.bounds import check_bounds
from cambrian.spaces.branches.layered import MOST, Layer, numbers, split, together
from cambrian.spaces.budgets import list_sizes
from cambrian.spaces.graphs.canonical import canonical_graph
from cambrian.spaces.graphs.sized import build_graph
from cambrian.spaces.growth.depth_growth import DepthGrowth
from cambrian.spaces.space import Graph, Pick, Signature, Space

if TYPE_CHECKING:
    from torch import nn

    from cambrian.choices import Answer
    from cambrian.networks.sharing.reading import Reading
    from cambrian.networks.sharing.supernet import Supernet
    from cambrian.spaces.branches.memory_banks.network import Row

OPERATIONS = ("conv3x3", "conv5x5", "dil3x3", "dil5x5")
BANKS = 16
SETTINGS = ("filters",)


@dataclass(frozen=True)
class MemoryBanks(Space):
    """1 to `layers` layers over `banks` banks of equal width, the first of which holds the stem's output.
    A layer reads and writes at least one bank; one that nobody has written to yet cannot be read, and all
    that have been written to go to the classifier.

    All questions are shared: an operation has weights for every bank that a layer may read."""

    skeleton = SETTINGS
    sizes = list_sizes(filters=(8, 16, 32))
    shared = ("layers", "layer#/operation", "layer#/reads", "layer#/writes")

    layers: int = 5
    banks: int = 4

    measure = "uniform over the number of layers, then over answers"

    def __post_init__(self) -> None:
        check_bounds("memory-banks", MOST, layers=self.layers)
        check_bounds("memory-banks", BANKS, banks=self.banks)

    @property
    def knowledge(self) -> tuple[object, ...]:
        return (DepthGrowth(self),)

    def program(self, pick: Pick) -> None:
        written = {1}
        for n in range(1, pick.depth("layers", 1, self.layers) + 1):
            inside = pick.inside("layer", n)
            inside("operation", OPERATIONS)
            # Only banks with content can be read, so that every answer makes a network.
            inside.some("reads", sorted(written), 1, len(written))
            written |= set(inside.some("writes", range(1, self.banks + 1), 1, self.banks))

    def plan(self, architecture: Architecture) -> list[Row]:
        """Operation, banks read and banks written of every layer."""
        return self._list_rows(architecture)

    def _list_rows(self, architecture: Mapping[str, Answer]) -> list[Row]:
        layers = split(architecture)
        return [(str(a["operation"]), numbers(a, "reads"), numbers(a, "writes")) for a in layers]

    def make(self, read: Reading[Sequence[Row]], task: Signature, **skeleton: Any) -> nn.Module:
        """The skeleton has one setting, `filters` of a bank (16)."""
        from cambrian.spaces.branches.memory_banks.network import Most, network

        most = Most(self.layers, self.banks)
        return network(read, most, self._halves, task.channels, task.classes, **skeleton)

    def map_banks(self, architecture: Mapping[str, Answer]) -> list[list[list[float]]]:
        """Where a layer reads and where it writes, and for each operation where a layer has it. A layer that
        the architecture lacks is a row of zeros."""
        rows = self._list_rows(architecture)
        rows += [("", [], [])] * (self.layers - len(rows))
        banks = range(1, self.banks + 1)
        read = [[float(b in reads) for b in banks] for _, reads, _ in rows]
        write = [[float(b in writes) for b in banks] for _, _, writes in rows]
        has = [[[float(name == operation)] * self.banks for operation, _, _ in rows] for name in OPERATIONS]
        return [read, write, *has]

    def list_reading(self, supernet: Supernet) -> list[tuple[int, Any]]:
        from cambrian.spaces.branches.memory_banks.network import list_reading

        return list(list_reading(supernet))

    @property
    def _halves(self) -> tuple[int, int]:
        return self.layers // 3, 2 * (self.layers // 3)

    def canonical(self, architecture: Architecture) -> str:
        """Equal for isomorphic graphs: names of banks, and the order of layers that share none, make no
        difference."""
        graph = self.graph(architecture)
        inputs: list[list[int]] = [[] for _ in graph.labels]
        for source, node in graph.edges:
            inputs[node].append(source)
        return canonical_graph(graph.labels, inputs)

    def graph(self, architecture: Architecture) -> Graph:
        """The layers, and every bank's content after each write; two banks with the same content are two
        nodes."""
        labels, groups, edges = ["input"], ["input"], list[tuple[int, int]]()

        def node(label: str, group: str, read: Sequence[int]) -> int:
            edges.extend((s, len(labels)) for s in read)
            labels.append(label)
            groups.append(group)
            return len(labels) - 1

        banks = {1: node("bank", "stem", [0])}
        for n, layer in enumerate(split(architecture), 1):
            # The size of the image is part of the label: the operation computes something else there.
            halved = sum(n > h for h in self._halves if h)
            read = [banks[b] for b in numbers(layer, "reads")]
            layer_node = node(
                f"{layer['operation']}" + f" at 1/{2**halved}" * (halved > 0), f"layer {n}", read
            )
            for b in numbers(layer, "writes"):
                banks[b] = node("bank", f"layer {n}", [*([banks[b]] if b in banks else []), layer_node])
        node("output", "output", sorted(banks.values()))
        return build_graph(tuple(labels), tuple(edges), tuple(groups))

    # The special cases

    def resnet(self, layers: int, operation: str = OPERATIONS[0]) -> Architecture:
        """One bank: each layer adds to the sum of all before it."""
        return self._compose([((1,), (1,))] * layers, operation)

    def densenet(self, operation: str = OPERATIONS[0]) -> Architecture:
        """One layer fewer than banks: each writes to a bank of its own and reads all before."""
        # Layer n reads banks 1 to n and writes bank n + 1.
        reads = [tuple(range(1, n + 1)) for n in range(1, self.banks)]
        return self._compose([(read, (len(read) + 1,)) for read in reads], operation)

    def _compose(
        self, rows: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], operation: str
    ) -> Architecture:
        layers: list[Layer] = [{"operation": operation, "reads": r, "writes": w} for r, w in rows]
        return replay(self, together(layers))
