"""Cells from the literature: those of PNAS, NASNet, AmoebaNet, ENAS and DARTS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cambrian.spaces import SPACES
from cambrian.spaces.cells.blocks import Blocks
from cambrian.spaces.cells.isomorphism import Block
from cambrian.spaces.published import Published


class _Cells(NamedTuple):
    """`cells`: the only one, or the normal and the reduction cell. A block is two operands with a plus in
    between, an operand the state it reads (pp, p: previous-previous and previous; 1, 2, ...: a block) and
    the operation on it."""

    space: str
    cells: tuple[str, ...]
    source: str
    arguments: Mapping[str, Any] = {}


_PUBLISHED = {
    "pnasnet-5": _Cells(
        "pnas",
        ("pp.sep5x5+pp.max3x3 p.sep7x7+p.max3x3 p.sep5x5+p.sep3x3 3.sep3x3+p.max3x3 pp.sep3x3+p.identity",),
        "Liu et al. 2018, Progressive Neural Architecture Search, arXiv 1712.00559, Fig. 1",
    ),
    "nasnet-a": _Cells(
        "nasnet",
        (
            "p.sep5x5+pp.sep3x3 pp.sep5x5+pp.sep3x3 p.avg3x3+pp.identity pp.avg3x3+pp.avg3x3"
            " p.sep3x3+p.identity",
            "p.sep5x5+pp.sep7x7 p.max3x3+pp.sep7x7 p.avg3x3+pp.sep5x5 2.identity+1.avg3x3 1.sep3x3+p.max3x3",
        ),
        "Zoph et al. 2018, Learning Transferable Architectures, arXiv 1707.07012, Fig. 4, with the outputs of"
        " the released code (tensorflow/models, research/slim/nets/nasnet)",
        # The released code concatenates these although a block reads them.
        {"also": ["normal/previous-previous", "reduction/block2"]},
    ),
    "amoebanet-a": _Cells(
        "amoebanet",
        (
            "p.avg3x3+p.max3x3 pp.sep3x3+pp.identity p.identity+pp.avg3x3 p.sep3x3+1.sep5x5"
            " 4.avg3x3+p.sep3x3",
            "pp.sep3x3+p.avg3x3 p.max3x3+1.sep7x7 pp.max3x3+p.max3x3 3.sep3x3+p.bottleneck1x7-7x1"
            " pp.avg3x3+p.sep7x7",
        ),
        "Real et al. 2019, Regularized Evolution, arXiv 1802.01548, Fig. 5, as in the released code"
        " (tensorflow/tpu, models/official/amoeba_net)",
        {"also": ["normal/previous-previous", "reduction/block1", "reduction/block3"]},
    ),
    "enas": _Cells(
        "enas-micro",
        (
            "pp.avg3x3+pp.sep3x3 pp.skip+pp.sep5x5 pp.skip+p.sep5x5 p.sep3x3+pp.sep5x5 pp.avg3x3+p.sep5x5",
            "p.sep3x3+p.sep3x3 pp.max3x3+pp.avg3x3 p.sep5x5+2.sep5x5 p.sep3x3+pp.skip pp.max3x3+p.sep5x5",
        ),
        "Pham et al. 2018, Efficient Neural Architecture Search, arXiv 1802.03268, as in the released script"
        " (melodyguan/enas, scripts/cifar10_micro_final.sh)",
    ),
    "darts-v1": _Cells(
        "darts",
        (
            "pp.sep3x3+p.sep3x3 pp.skip+p.sep3x3 pp.skip+p.sep3x3 pp.sep3x3+1.skip",
            "pp.max3x3+p.max3x3 pp.max3x3+1.skip pp.max3x3+1.skip pp.avg3x3+1.skip",
        ),
        "Liu et al. 2019, DARTS, arXiv 1806.09055, first order, as released (quark0/darts, cnn/genotypes.py)",
    ),
    "darts-v2": _Cells(
        "darts",
        (
            "pp.sep3x3+p.sep3x3 pp.sep3x3+p.sep3x3 pp.skip+p.sep3x3 pp.skip+1.dilsep3x3",
            "pp.max3x3+p.max3x3 p.max3x3+1.skip pp.max3x3+1.skip p.max3x3+1.skip",
        ),
        "Liu et al. 2019, DARTS, arXiv 1806.09055, Fig. 4 and 5, second order, as released (quark0/darts,"
        " cnn/genotypes.py)",
    ),
}


def entry(name: str) -> Published:
    cited = _PUBLISHED[name]
    space = SPACES.make({"name": cited.space, "arguments": cited.arguments})
    cells = [_tokens(space.form, text) for text in cited.cells]
    return Published(space, space.architecture(*cells), cited.source)


def _tokens(form: Blocks, text: str) -> list[Block]:
    """A cell's blocks, which all add."""
    blocks = []
    for block in text.split():
        (i1, o1), (i2, o2) = (_operand(form, operand) for operand in block.split("+"))
        blocks.append((i1, i2, o1, o2))
    return blocks


def _operand(form: Blocks, text: str) -> tuple[int, int]:
    state, _, operation = text.partition(".")
    # States 0 and 1 are the inputs, so that block 1 is state 2.
    at = ("pp", "p").index(state) if state in ("pp", "p") else int(state) + 1
    return at, form.operations.index(operation)
