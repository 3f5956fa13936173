"""Cells of blocks by brute force, sharing nothing with `cambrian.spaces.cells.isomorphism`."""

import itertools


def brute(cell):
    """The least rewriting of a cell over all renamings of its blocks: equal exactly for isomorphic cells."""
    forms = []
    for order in itertools.permutations(range(len(cell))):
        name = {0: 0, 1: 1, **{b + 2: new + 2 for b, new in enumerate(order)}}
        blocks = {new: cell[b] for b, new in enumerate(order)}
        forms.append(
            tuple(
                tuple(sorted([(name[i1], o1), (name[i2], o2)]))
                for i1, i2, o1, o2 in (blocks[k] for k in range(len(cell)))
            )
        )
    return min(forms)


def bottom_up(cell):
    """What every block computes, written out: the tempting key that is not exact."""
    nodes = ["prev-prev", "prev"]
    for i1, i2, o1, o2 in cell:
        nodes.append(str(sorted([(o1, nodes[i1]), (o2, nodes[i2])])))
    return tuple(sorted(nodes[2:]))


def all_cells(blocks, operations):
    """Every cell, operands within a block in one order."""
    levels = []
    for b in range(1, blocks + 1):
        operands = list(itertools.product(range(b + 1), range(operations)))
        pairs = itertools.combinations_with_replacement(operands, 2)
        levels.append([(i1, i2, o1, o2) for (i1, o1), (i2, o2) in pairs])
    return itertools.product(*levels)


def renamed(cell, rng):
    """The same cell, its blocks in another legal order and operands swapped at random."""
    left, names, out = set(range(len(cell))), {0: 0, 1: 1}, []
    while left:
        ready = [b for b in sorted(left) if {cell[b][0], cell[b][1]} <= names.keys()]
        b = ready[rng.integers(len(ready))]
        i1, i2, o1, o2 = cell[b]
        block = (names[i1], names[i2], o1, o2)
        out.append(block if rng.random() < 0.5 else (block[1], block[0], block[3], block[2]))
        names[b + 2] = len(out) + 1
        left.remove(b)
    return tuple(out)
