"""The largest and the smallest architecture of a supernet, and the order of its answers by their cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cambrian.architecture import Architecture
from cambrian.choices import Answer, Choice, OneOf, Scalar
from cambrian.errors import Rejected
from cambrian.networks.measure.macs import macs
from cambrian.networks.sharing.supernet import Supernet

if TYPE_CHECKING:
    from cambrian.networks.sharing.methods.method import Draw

Shape = tuple[int, int, int]


Costs = dict[Architecture, tuple[int, int]]
"""Multiply-accumulates and weights that are measured already: many walks end in the same architecture."""


def find_extreme(
    supernet: Supernet, draw: Draw, shape: Shape, sign: int, costs: Costs | None = None
) -> Architecture:
    """The architecture of the most multiply-accumulates (sign 1) or the fewest (-1), and of several alike the
    one of most or fewest weights: each question in turn has its best answer, given those to the others."""
    answers: dict[str, Answer] = {}
    costs = {} if costs is None else costs
    best, value = _walk(draw, answers, sign), None
    for path, choice in supernet.choices.items():
        for option in choice.options if isinstance(choice, OneOf) else ():
            other = _walk(draw, answers | {path: option}, sign)
            reached = None if other is None else _weigh(supernet, other, shape, sign, costs)
            if reached is not None and (value is None or reached > value):
                best, value = other, reached
        if best is not None and path in best:
            answers[path] = best[path]
    return best if best is not None else draw(0)


def rank_options(supernet: Supernet, draw: Draw, shape: Shape) -> dict[str, list[Scalar]]:
    """The options of each question, the dearest first, where the other answers are those of the largest
    architecture."""
    costs: Costs = {}
    largest = find_extreme(supernet, draw, shape, 1, costs)
    ranked: dict[str, list[Scalar]] = {}
    for path, choice in supernet.choices.items():
        if isinstance(choice, OneOf):
            prices = {
                n: _price(supernet, draw, largest, path, n, choice, shape, costs)
                for n in range(len(choice.options))
            }
            order = sorted(prices, key=lambda n: prices[n], reverse=True)
            ranked[path] = [choice.options[n] for n in order]
    return ranked


def _price(
    supernet: Supernet,
    draw: Draw,
    largest: Architecture,
    path: str,
    n: int,
    choice: OneOf,
    shape: Shape,
    costs: Costs,
) -> tuple[int, int, int]:
    """The cost of option n; of options alike the largest's own is the dearest."""
    option = choice.options[n]
    other = _walk(draw, {**largest, path: option}, 1)
    macs_and_weights = (-1, -1) if other is None else _weigh(supernet, other, shape, 1, costs)
    return *macs_and_weights, int(largest.get(path) == option)


def _weigh(
    supernet: Supernet, architecture: Architecture, shape: Shape, sign: int, costs: Costs
) -> tuple[int, int]:
    if architecture not in costs:
        supernet.choose(architecture)
        names = supernet.list_parameters(architecture)
        weights = sum(supernet.get_parameter(name).numel() for name in names)
        costs[architecture] = macs(supernet, shape, computed=True), weights
    operations, weights = costs[architecture]
    return sign * operations, sign * weights


def _walk(draw: Draw, answers: Mapping[str, Answer], sign: int) -> Architecture | None:
    """The architecture with these answers, where they are legal; of other questions the last options or,
    for the smallest, the first."""
    rng = draw.stream(0)

    def decide(choice: Choice) -> Answer:
        if not isinstance(choice, OneOf):
            return choice.draw(rng)
        answer = answers.get(choice.path)
        return answer if answer in choice.options else choice.options[-1 if sign > 0 else 0]

    try:
        return draw.walk(decide)
    except Rejected:
        return None
