"""The numbers in which networks are trained."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from test_training import PLAIN, network, some_images, weights
from torch import nn

from cambrian.errors import UsageError
from cambrian.estimators.one_shot import OneShot
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.precision import (
    choose_precision,
    half_precision,
    is_quick_in_half,
    scoring_precision,
)
from cambrian.networks.training.scoring import scores
from cambrian.networks.training.trainer import Training

CPU, GPU = torch.device("cpu"), torch.device("cuda")
DENSE = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
DEPTHWISE = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1))


def train(precision: str) -> tuple[Training, list[torch.dtype]]:
    """Three epochs in that precision, and the types of what the linear layer gave."""
    recipe, seen = replace(PLAIN, precision=precision), []
    training = Training(network(), some_images(), recipe, Augment(), 3)
    training.network[-1].register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    while not training.finished:
        training.run_epoch()
    return training, seen


def test_only_products_are_in_bfloat16() -> None:
    """Weights, their steps and statistics stay in 32 bits, and end near those of a training in 32 bits."""
    whole, full = train("float32")
    half, seen = train("bfloat16")
    assert set(full) == {torch.float32}
    assert set(seen) == {torch.bfloat16}
    assert {v.dtype for v in half.network.state_dict().values()} == {torch.float32, torch.int64}
    assert not torch.equal(weights(half.network), weights(whole.network))
    torch.testing.assert_close(weights(half.network), weights(whole.network), rtol=0.05, atol=0.02)
    again, _ = train("auto")
    assert torch.equal(weights(again.network), weights(whole.network))


@pytest.mark.parametrize(
    ("module", "device", "wanted", "chosen"),
    [
        (DENSE, CPU, "bfloat16", "bfloat16"),
        (DEPTHWISE, CPU, "bfloat16", "float32"),
        (nn.Linear(2, 2), CPU, "bfloat16", "float32"),
        (DEPTHWISE, GPU, "bfloat16", "bfloat16"),
        (DEPTHWISE, CPU, "auto", "auto"),
        (DENSE, CPU, "float32", "float32"),
    ],
)
def test_bfloat16_is_for_dense_convolutions_on_a_cpu(
    module: nn.Module, device: torch.device, wanted: str, chosen: str
) -> None:
    """Where others would be slower."""
    assert choose_precision(module, wanted, device) == chosen


def test_auto_is_bfloat16_on_a_gpu_alone() -> None:
    assert isinstance(half_precision(CPU), nullcontext)
    assert isinstance(half_precision(GPU, "float32"), nullcontext)
    assert isinstance(half_precision(CPU, "bfloat16"), torch.autocast)


@pytest.mark.parametrize(("capability", "quick"), [((6, 0), False), ((7, 5), False), ((8, 0), True)])
def test_a_gpu_without_instructions_for_bfloat16_computes_in_32_bits(
    capability: tuple[int, int], quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch imitates them there (P100, T4), which takes longer."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert is_quick_in_half.__wrapped__(GPU) is quick
    assert is_quick_in_half.__wrapped__(CPU) is False


@pytest.mark.parametrize(
    ("trained", "scored"), [("bfloat16", "auto"), ("auto", "auto"), ("float32", "float32")]
)
def test_scores_are_of_the_network_as_it_is_used(trained: str, scored: str) -> None:
    """In 32 bits on a CPU."""
    assert scoring_precision(trained) == scored
    half, _ = train("bfloat16")
    plain = scores(half.network, some_images(), 8)
    assert scores(half.network, some_images(), 8, precision=scoring_precision(trained)) == plain
    assert scores(half.network, some_images(), 8, precision="bfloat16") != plain


def test_a_supernet_has_no_other_precision() -> None:
    with pytest.raises(UsageError, match="supernets are trained in precision auto, got 'bfloat16'"):
        OneShot(precision="bfloat16")
