"""The number of paths with each sequence of labels between a graph's inputs and outputs.

This is the path encoding of White et al., "BANANAS" (AAAI 2021, Sec. 4), with counts in place of bits: two
cells that are the same sum of the same paths are the same point. `IDENTITIES` are operations that do nothing;
a path without them is the same function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from cambrian.spaces.space import Graph

Path = tuple[str, ...]

IDENTITIES = frozenset({"identity", "skip", "skip_connect"})


def path_counts(graph: Graph, limit: int = 1000, silent: Container[str] = ()) -> Counter[Path]:
    """The label sequences from nodes without inputs to nodes without outputs, each with its number of paths;
    `silent` labels are left out. If more than `limit` sequences end at one node, only their last three labels
    are kept, so that the counts stay exact and the work bounded.

    >>> dict(path_counts(Graph(("in", "a", "out"), ((0, 1), (1, 2), (0, 2)))))
    {('in', 'a', 'out'): 1, ('in', 'out'): 1}
    """
    before: list[list[int]] = [[] for _ in graph.labels]
    feeding = set()
    for source, to in graph.edges:
        before[to].append(source)
        feeding.add(source)
    ending: list[Counter[Path]] = []  # at each node, the sequences that end there
    for label, sources in zip(graph.labels, before, strict=True):
        last = () if label in silent else (label,)
        paths: Counter[Path] = Counter() if sources else Counter({last: 1})
        # Nodes are in topological order: those that feed this one have their counts already.
        for source in sources:
            for path, count in ending[source].items():
                paths[path + last] += count
        ending.append(_shorten(paths) if len(paths) > limit else paths)
    total: Counter[Path] = Counter()
    for node, paths in enumerate(ending):
        if node not in feeding:
            total.update(paths)
    return total


def _shorten(paths: Counter[Path]) -> Counter[Path]:
    ends: Counter[Path] = Counter()
    for path, count in paths.items():
        ends[path[-3:]] += count
    return ends
