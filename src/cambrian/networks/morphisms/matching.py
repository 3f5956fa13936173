"""Which of the parent's channels each of the child's has the weights of, by what the channels are."""

from __future__ import annotations

import torch

from cambrian.networks.morphisms.channels import ZERO, Value
from cambrian.networks.morphisms.following import find_places
from cambrian.networks.morphisms.transfers import Column, share_columns


def find_columns(x: Value, before: Value, generator: torch.Generator, spread: float) -> list[Column]:
    """Where the child's input channels find their weights."""
    mine, theirs = find_places(x), find_places(before)
    columns: list[Column] = []
    for symbol, sources in theirs.items():
        for i, k, share in (
            share_columns(mine[symbol], sources, generator, spread) if (symbol in mine) else ()
        ):
            columns.append((i, k, share * before.scales[k] / x.scales[i]))
    # What is missing is taken from the same place, if that has nothing of the parent's.
    columns += [
        (k, k, 1.0)
        for k, s in enumerate(before.symbols)
        if s not in mine and s != ZERO and k < len(x) and x.symbols[k] not in theirs
    ]
    return columns


def match_channels(x: Value, before: Value) -> list[int | None]:
    """The parent's channel of each of the child's: the same function, else the one in the same place."""
    theirs, used = find_places(before), dict[int, int]()
    rows: list[int | None] = []
    for i, symbol in enumerate(x.symbols):
        places = theirs.get(symbol)
        if places is None:
            rows.append(None if symbol == ZERO else i % len(before))
            continue
        rows.append(places[used.get(symbol, 0) % len(places)])
        used[symbol] = used.get(symbol, 0) + 1
    return rows
