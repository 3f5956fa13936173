"""The answers of spaces of layers, layer by layer: `layer{n}/...` are the questions of layer n, counted
from 1, of which `layers` says how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cambrian.choices import Answer

Layer = dict[str, Answer]
DEPTH = "layers"
MOST = 30  # layers: papers have up to 15, and a layer may read all earlier ones


def split(architecture: Mapping[str, Answer]) -> list[Layer]:
    """The answers of each layer under their names within it."""
    depth = int(architecture[DEPTH])  # type: ignore[arg-type]
    layers: dict[str, Layer] = {f"layer{n}": {} for n in range(1, depth + 1)}
    for path, answer in architecture.items():
        place, _, name = path.partition("/")
        if place in layers and name:
            layers[place][name] = answer
    return list(layers.values())


def together(layers: Sequence[Layer]) -> dict[str, Answer]:
    """The inverse of `split`."""
    answers: dict[str, Answer] = {DEPTH: len(layers)}
    for n, layer in enumerate(layers, 1):
        answers |= {f"layer{n}/{name}": answer for name, answer in layer.items()}
    return answers


def number(layer: Layer, name: str, otherwise: int = 0) -> int:
    """The whole number a layer answers, or `otherwise` where it was not asked."""
    return int(layer.get(name, otherwise))  # type: ignore[arg-type]


def numbers(layer: Layer, name: str) -> list[int]:
    """The whole numbers a layer chose, none where it was not asked."""
    return [int(n) for n in layer.get(name, ())]  # type: ignore[union-attr]
