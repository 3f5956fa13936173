"""Recurrent cells and transformers from the literature."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.spaces.published import Published
from cambrian.spaces.sequences.autoformer.space import AutoFormer
from cambrian.spaces.sequences.recurrent.darts_rnn import DARTS_V1, DARTS_V2, DARTSRNN, ENAS
from cambrian.spaces.sequences.recurrent.nascell import PUBLISHED, NASCell

_DARTS = "Liu et al. 2019, DARTS, arXiv 1806.09055"


def entry(name: str) -> Published:
    return _PUBLISHED[name]


def _autoformer(space: AutoFormer, width: int, heads: str, ratios: Sequence[float], size: str) -> Published:
    """A transformer by the heads of every layer in hexadecimal ("A" is ten), and the ratios."""
    layers = [(int(h, 16), r) for h, r in zip(heads, ratios, strict=True)]
    source = f"Chen et al. 2021, AutoFormer, arXiv 2107.00651, AutoFormer-{size} (microsoft/Cream)"
    return Published(space, space.architecture(width, layers), source)


_PUBLISHED = {
    "autoformer-s": _autoformer(
        AutoFormer.small(),
        384,
        "6657555667767",
        (3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0),
        "S",
    ),
    "autoformer-b": _autoformer(
        AutoFormer.base(),
        576,
        "99999A99A9A99A",
        (3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5),
        "B",
    ),
    "darts-rnn-v1": Published(DARTSRNN(), DARTSRNN().architecture(DARTS_V1), f"{_DARTS}, first order"),
    "darts-rnn-v2": Published(DARTSRNN(), DARTSRNN().architecture(DARTS_V2), f"{_DARTS}, Fig. 6"),
    "enas-rnn": Published(
        DARTSRNN.enas(),
        DARTSRNN.enas().architecture(ENAS),
        "Pham et al. 2018, Efficient Neural Architecture Search, arXiv 1802.03268, Fig. 6",
    ),
    "nascell": Published(
        NASCell(),
        NASCell().architecture(PUBLISHED),
        "Zoph & Le 2017, Neural Architecture Search, arXiv 1611.01578, Fig. 8, as released in TensorFlow",
    ),
}
