"""Chains from the literature: MetaQNN's, and mobile networks."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.spaces.chains.metaqnn.space import MetaQNN
from cambrian.spaces.chains.mobile.space import NOTHING, MnasNet, ProxylessNAS
from cambrian.spaces.published import Published


def _proxyless(text: str) -> Architecture:
    """The chain of a text: per layer "63" for expansion 6 and kernel 3, or "-" for nothing."""
    names = [NOTHING if layer == "-" else f"mb{layer[0]}_k{layer[1]}" for layer in text.split()]
    return Architecture({"layers": len(names), **{f"layer{n}": name for n, name in enumerate(names, 1)}})


def _mnasnet(blocks: Sequence[tuple[str, int, float, str]]) -> Architecture:
    """The network of (operation, kernel, squeeze, shortcut) per block; filters and layers are the
    reference's."""
    answers: dict[str, Scalar] = {"blocks": len(blocks)}
    for b, block in enumerate(blocks, 1):
        row: tuple[Scalar, ...] = (*block, 1.0, 0)
        answers |= {f"block{b}/{q}": a for q, a in zip(MnasNet.questions, row, strict=True)}
    return Architecture(answers)


_FIRST = ("sep", 3, 0.0, "nothing")
_PUBLISHED = {
    "metaqnn": Published(
        # The network of Table A1 has eight layers.
        MetaQNN(layers=8),
        MetaQNN.paper_network(),
        "Baker et al. 2017, MetaQNN, arXiv 1611.02167, Table A1",
        # As the paper trained it (Sec. 5): without batch normalisation.
        {"normalise": False, "dropout": 0.5},
    ),
    "mobilenet-v2": Published(
        MnasNet(),
        _mnasnet([("sep", 3, 0.0, "identity"), *[("mb6", 3, 0.0, "identity")] * 6]),
        "Sandler et al. 2018, MobileNetV2, arXiv 1801.04381, Table 2",
        {"activation": "relu6"},
    ),
    "mnasnet-a1": Published(
        MnasNet("mnasnet-a1"),
        _mnasnet(
            [
                _FIRST,
                ("mb6", 3, 0.0, "identity"),
                ("mb3", 5, 0.25, "identity"),
                ("mb6", 3, 0.0, "identity"),
                ("mb6", 3, 0.25, "identity"),
                ("mb6", 5, 0.25, "identity"),
                ("mb6", 3, 0.0, "identity"),
            ]
        ),
        "Tan et al. 2019, MnasNet, arXiv 1807.11626, Fig. 7a",
    ),
    "mnasnet-b1": Published(
        MnasNet("mnasnet-b1"),
        _mnasnet(
            [
                _FIRST,
                ("mb3", 3, 0.0, "identity"),
                ("mb3", 5, 0.0, "identity"),
                ("mb6", 5, 0.0, "identity"),
                ("mb6", 3, 0.0, "identity"),
                ("mb6", 5, 0.0, "identity"),
                ("mb6", 3, 0.0, "nothing"),
            ]
        ),
        "Tan et al. 2019, MnasNet, arXiv 1807.11626, Table 1",
    ),
    "proxylessnas-gpu": Published(
        ProxylessNAS(),
        _proxyless("35 - - -  37 - - 33  67 - - 35  65 - 33 35  67 67 67 65  67"),
        "Cai et al. 2019, ProxylessNAS, arXiv 1812.00332, Fig. 4",
        # The widths printed in Fig. 4 are 1.35 times those of the space, to eights.
        {"width": 1.35},
    ),
    "proxylessnas-mobile": Published(
        ProxylessNAS(widths=(32, 40, 80, 96, 192, 320)),
        _proxyless("35 33 - -  37 33 35 35  67 35 35 35  65 35 35 35  67 67 37 37  67"),
        "Cai et al. 2019, ProxylessNAS, arXiv 1812.00332, Fig. 4",
    ),
}


def entry(name: str) -> Published:
    return _PUBLISHED[name]
