"""Pictures of values, by which the suites tell that nothing was changed."""

from __future__ import annotations

import torch

from cambrian.testing.snapshot import snapshot


def test_every_tensor_is_in_the_picture() -> None:
    """A change of any one of several tensors is seen: arrays made on the way do not stand for each other."""
    tensors = {str(n): torch.zeros(3) for n in range(20)}
    before = snapshot(tensors)
    for name in tensors:
        tensors[name] += 1
        assert snapshot(tensors) != before
        tensors[name] -= 1
    assert snapshot(tensors) == before


def test_one_value_in_two_places_is_pictured_once() -> None:
    """A list that holds itself has a picture, and sharing is part of it."""
    shared = [1]
    endless: list[object] = []
    endless.append(endless)
    assert snapshot([shared, shared]) != snapshot([shared, [1]])
    assert snapshot(endless) == snapshot(endless)
