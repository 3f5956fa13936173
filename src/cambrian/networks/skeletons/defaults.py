"""The default skeletons of networks of cells: for each family, the networks that its paper trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Skeleton:
    """`cells`: their number, strided ones included. `stem`: its channels, where 0 stands for `widen` times
    `filters`. `stem_cells`: strided cells before the counted ones, each with half the filters of the next.
    `watched`: the cell that the auxiliary head reads, counted from the last strided one. `rectifies`: a ReLU
    before the pooling of pixels. `even_drop`: paths of all cells are dropped at one rate, and not at rates
    that rise from cell to cell."""

    filters: int
    cells: int
    stem: int = 0
    stem_cells: int = 0
    dropout: float = 0.0
    epsilon: float = 1e-5  # of batch normalisation
    widen: int = 1
    watched: int = -1
    rectifies: bool = True
    even_drop: bool = False


Skeletons = Mapping[str, Skeleton]


# Two stem cells of stride 2 after a strided stem convolution; dropout and epsilon are the released code's.
def _imagenet(filters: int, cells: int, stem: int) -> Skeleton:
    return Skeleton(filters, cells, stem, stem_cells=2, dropout=0.5, epsilon=1e-3)


# Not from a paper: for small images and short budgets.
SMALL = Skeleton(filters=16, cells=3)

# (N, F) = (3, 48), (3, 54), (4, 216) (Liu et al. 2018, Tables 3 to 5): one cell, so 3 N in all.
PNAS: Skeletons = {
    "small": SMALL,
    "cifar": Skeleton(filters=48, cells=9),
    "imagenet-mobile": _imagenet(54, 9, stem=32),
    "imagenet-large": _imagenet(216, 12, stem=96),
}
# N normal cells between two reductions: 3 N + 2 in all.
NASNET: Skeletons = {  # 6 @ 768, 4 @ 1056, 6 @ 4032 (Zoph et al. 2018, Tables 1 to 3)
    "small": SMALL,
    "cifar": Skeleton(filters=32, cells=20, widen=3),
    "imagenet-mobile": _imagenet(44, 14, stem=32),
    "imagenet-large": _imagenet(168, 20, stem=96),
}
AMOEBANET: Skeletons = {  # (N, F) = (6, 36), (4, 50), (6, 190) (Real et al. 2019, Tables 1 and 2)
    "small": SMALL,
    "cifar": Skeleton(filters=36, cells=20, widen=3),
    "imagenet-mobile": _imagenet(50, 14, stem=32),
    "imagenet-large": _imagenet(190, 20, stem=96),
}
ENAS: Skeletons = {  # N = 6 has the 4.6M parameters of the paper's Table 2; the released script, N = 5
    "small": SMALL,
    "cifar": Skeleton(filters=36, cells=20, dropout=0.2, widen=3),
    "released": Skeleton(filters=36, cells=17, dropout=0.2, widen=3),
    "search": Skeleton(filters=20, cells=8, dropout=0.1, widen=3),
}


# As in the released code (quark0/darts, cnn/model.py), which differs in all three from NASNet's.
def _darts(filters: int, cells: int) -> Skeleton:
    return Skeleton(filters, cells, widen=3, watched=0, rectifies=False, even_drop=True)


DARTS: Skeletons = {  # evaluation and search (Liu et al. 2019, Sec. 3.1)
    "small": SMALL,
    "cifar": _darts(36, 20),
    "search": _darts(16, 8),
}

FAMILIES: Mapping[str, Skeletons] = {"nasnet": NASNET, "amoebanet": AMOEBANET, "enas": ENAS, "darts": DARTS}
