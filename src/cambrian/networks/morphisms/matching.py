"""Which of the parent's channels each of the child's has the weights of, by what the channels are."""

from __future__ import annotations

import torch

from cambrian.networks.morphisms.channels import ZERO, Value, find_places
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


def match_channels(x: Value, before: Value, complete: bool) -> list[int | None]:
    """The parent's channel of each of the child's: the same function. Where all functions of the parent are
    there (`complete`), others are new ones and have no channel; else they may stand for those that are
    missing, each for the one in its place."""
    theirs, used = find_places(before), dict[int, int]()
    theirs[ZERO] = [i for i, symbol in enumerate(before.symbols) if symbol == ZERO]
    rows: list[int | None] = []
    for i, symbol in enumerate(x.symbols):
        places, count = theirs.get(symbol, []), used.get(symbol, 0)
        used[symbol] = count + 1
        if symbol == ZERO:
            # What makes a constant of zeros makes one in the child, too; further zeros stay silent.
            rows.append(places[count] if count < len(places) else None)
        elif places:
            rows.append(places[count % len(places)])
        else:
            rows.append(None if complete else i % len(before))
    return rows
