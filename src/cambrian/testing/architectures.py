"""The promises of a space that knows particular architectures: those that it begins with, all of them, the
one that contains all others, trees, and maps of memory banks."""

from __future__ import annotations

from collections.abc import Iterator

from cambrian.architecture import replay
from cambrian.spaces.knowledge import Begins, ContainsAll, Lists, MapsBanks, Narrows, Tree, Trees, know
from cambrian.testing.cases import SpaceCase
from cambrian.testing.suite import expect, know_or_skip

MOST = 200
"""Listed architectures that are examined one by one."""


def check_first_architectures_are_legal(case: SpaceCase) -> None:
    """What every search begins with is legal. Narrowed to all networks the space begins with legal ones of
    the same names, to no network with none."""
    begins = know_or_skip(case.space, Begins, "the space does not say what a search begins with")
    narrows = know(case.space, Narrows)
    all_of_them = None if narrows is None else know(narrows.narrow(lambda _: True), Begins)
    for known in filter(None, (begins, all_of_them)):
        for name, architecture in known.begins.items():
            legal = replay(case.space, architecture) == architecture
            expect(legal, f"{name!r}, with which a search begins, is not legal")
    if narrows is not None:
        expect(all_of_them is not None, "narrowed, the space does not say what a search begins with")
        assert all_of_them is not None
        expect(all_of_them.begins.keys() == begins.begins.keys(), "narrowed to all networks, it has others")
        none = know(narrows.narrow(lambda _: False), Begins)
        expect(none is None or not none.begins, "narrowed to no network, it begins with one")


def check_listed_architectures_are_all(case: SpaceCase) -> None:
    """Architectures are listed once, are as many as is said, legal, and every sample is among them."""
    lists = know_or_skip(case.space, Lists, "the space does not list its architectures")
    listed = lists.list_architectures()
    expect(len(listed) == lists.count, f"{len(listed)} architectures are listed, {lists.count} counted")
    names = set(listed)
    expect(len(names) == len(listed), "an architecture is listed twice")
    for architecture in listed[:: max(1, len(listed) // MOST)]:
        expect(replay(case.space, architecture) == architecture, f"{architecture!r} is listed and not legal")
    missing = [sample for sample in case.samples if sample not in names]
    expect(not missing, f"{missing[:1]} is not listed")


def check_one_architecture_contains_all(case: SpaceCase) -> None:
    """The architecture that contains all others is legal and has every input that a sample has; cut to the
    inputs of a sample it is that sample."""
    contains = know_or_skip(case.space, ContainsAll, "the space has no architecture that contains all others")
    everything = contains.find_all()
    expect(replay(case.space, everything) == everything, "the architecture that contains all is not legal")
    expect(contains.cut({}) == everything, "cut nowhere, it is another architecture")
    for architecture in case.samples:
        answers = architecture.items()
        inputs = {path: tuple(map(str, a)) for path, a in answers if isinstance(a, tuple)}
        for path, answer in inputs.items():
            whole = everything.get(path, ())
            held = isinstance(whole, tuple) and set(answer) <= set(whole)
            expect(held, f"it lacks inputs of {path!r} that {architecture!r} has")
        expect(contains.cut(inputs) == architecture, f"cut to the inputs of {architecture!r}, it is another")


def check_trees_are_read(case: SpaceCase) -> None:
    """The tree of a sample has the answers of its questions; where answers are missing there is a tree too,
    and operations without weights are answers."""
    trees = know_or_skip(case.space, Trees, "the space's cells are no trees")
    answers = {answer for sample in case.samples for answer in sample.values()}
    for name in trees.weightless:
        expect(isinstance(name, str), f"{name!r} without weights is not the name of an operation")
    for architecture in case.samples:
        for node in _walk(trees.tree(architecture)):
            at = f"{node.path}operation"
            said = architecture.get(at)
            expect(said == node.operation, f"at {at!r} is {said!r}, and {node.operation!r} in the tree")
            expect(node.merge == architecture.get(f"{node.path}merge", node.merge), f"{node.path!r}: merge")
    expect(isinstance(trees.tree({}), Tree), "without answers there is no tree")
    expect(answers, "no sample has an answer")


def check_maps_of_banks_are_of_one_size(case: SpaceCase) -> None:
    """Maps have one size for all architectures and hold finite numbers; what differs has other maps."""
    maps = know_or_skip(case.space, MapsBanks, "the space has no memory banks")
    sizes = {tuple(tuple(map(len, layers)) for layers in maps.map_banks(a)) for a in case.samples}
    expect(len(sizes) == 1, f"maps have {len(sizes)} sizes")
    texts = {repr(maps.map_banks(a)) for a in case.samples}
    expect(len(texts) > 1, "all architectures have the same map")


def _walk(tree: Tree) -> Iterator[Tree]:
    yield tree
    for branch in tree.branches:
        yield from _walk(branch)


CHECKS = (
    check_first_architectures_are_legal,
    check_listed_architectures_are_all,
    check_one_architecture_contains_all,
    check_trees_are_read,
    check_maps_of_banks_are_of_one_size,
)
