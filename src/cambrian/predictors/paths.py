"""How often each sequence of labels is met between a graph's inputs and outputs.

The path encoding of White et al., "BANANAS" (AAAI 2021, Sec. 4), with counts in place of bits: two
cells that are the same sum of the same paths are the same point. `IDENTITIES` do nothing, and a path
without them is the same function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from cambrian.spaces.space import Graph

Path = tuple[str, ...]

IDENTITIES = frozenset({"identity", "skip", "skip_connect"})


def path_counts(graph: Graph, limit: int = 1000, silent: Container[str] = ()) -> Counter[Path]:
    """Label sequences from nodes nobody feeds to nodes that feed nobody, and how many paths have each;
    `silent` labels are passed over.
    Where more than `limit` sequences end at one node, those are told apart by their last three labels
    only, so that the count stays exact and the work bounded.

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
        found: Counter[Path] = Counter() if sources else Counter({last: 1})
        for source in sources:
            for path, count in ending[source].items():
                found[path + last] += count
        ending.append(_shorten(found) if len(found) > limit else found)
    total: Counter[Path] = Counter()
    for node, found in enumerate(ending):
        if node not in feeding:
            total.update(found)
    return total


def _shorten(paths: Counter[Path]) -> Counter[Path]:
    ends: Counter[Path] = Counter()
    for path, count in paths.items():
        ends[path[-3:]] += count
    return ends
