"""The device of a search, by its name."""

from __future__ import annotations

import pytest
import torch

from cambrian.errors import UsageError
from cambrian.search.parts.devices import choose_device


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "chosen"),
    [("auto", "cuda"), ("cpu", "cpu"), ("cuda", "cuda"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:1")],
)
def test_a_device_that_is_there(name: str, chosen: str) -> None:
    assert choose_device(name) == chosen


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cuda:2", "device 'cuda:2' was asked for, but torch sees 2, cuda:0 to cuda:1"),
        ("cuda:x", "unknown device 'cuda:x': use auto, cpu, cuda, or one of several GPUs, as cuda:1"),
        ("cuda1", "unknown device 'cuda1'"),
        ("mps", "unknown device 'mps'"),
    ],
)
def test_a_device_that_is_not_there(name: str, sentence: str) -> None:
    """One sentence, and no traceback of torch's in the midst of the first training."""
    with pytest.raises(UsageError) as error:
        choose_device(name)
    assert sentence in str(error.value)


def test_a_single_gpu_has_one_number(two_gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="torch sees one CUDA device, cuda:0"):
        choose_device("cuda:1")
