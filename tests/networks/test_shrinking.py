"""Progressive shrinking of once-for-all networks: channels are sorted once, before the first narrow one
learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cambrian.estimators.paths import Paths
from cambrian.networks.sharing.elastic import Elastic
from cambrian.networks.sharing.methods.once_for_all import OnceForAll
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batch_stream import BatchStream
from cambrian.networks.training.batches import images
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.step import Moment
from cambrian.spaces.chains.ofa.space import OFA
from cambrian.spaces.knowledge import Shares
from cambrian.spaces.program.function_space import Shape

SPACE = OFA(widths=(8,), depths=(1, 2), kernels=(3, 5))
DRAW = Paths(SPACE, {}, seed=0, identity=5)
RECIPE = Recipe(batch_size=4, schedule="constant", warmup=0.0, gradient_clip=0.0)
INPUTS = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(3))
TARGETS = torch.tensor([0, 1, 2, 1])
METHOD = OnceForAll(first=0.2, phases=("kernel", "depth", "expand"))
LENGTH = 20


def make_supernet() -> Any:
    torch.manual_seed(0)
    shares = SPACE.know(Shares)
    assert shares is not None
    return shares.share({}, Shape(channels=2, height=8, width=8, classes=3), stem=8, features=8, width=1.0)


def make_step(supernet: Any) -> Any:
    pixels = np.random.default_rng(0).integers(0, 255, (12, 8, 8, 2), dtype=np.uint8)
    part = images(pixels, np.arange(12) % 3, (0.5, 0.5), (0.2, 0.2))
    return METHOD.step(supernet, RECIPE, DRAW, BatchStream(part, Augment(), 3, (0, "validation")))


def take(step: Any, number: int) -> None:
    step.take(INPUTS, TARGETS, Moment(0, number, LENGTH, LENGTH))


def is_sorted(supernet: Any) -> bool:
    """Whether the last convolution of every unit weighs its inputs in falling order, but for what has been
    learned since."""
    parts = [m.full for m in supernet.modules() if isinstance(m, Elastic)]
    weights = [part.project[0].weight.detach().abs().sum((0, 2, 3)) for part in parts]
    return all(float(torch.corrcoef(torch.stack([w, -torch.arange(len(w))]))[0, 1]) > 0.8 for w in weights)


def test_channels_are_sorted_before_the_first_narrow_network() -> None:
    """Not while kernels and depths shrink; and a training that is resumed after it does not sort again: it
    ends with the same weights."""
    supernet = make_supernet()
    step = make_step(supernet)
    for number in range(14):  # the phase of widths begins with three quarters of the steps
        take(step, number)
    assert not is_sorted(supernet)
    assert "sorted." not in step.state()
    for number in range(14, 18):
        take(step, number)
    assert is_sorted(supernet)
    assert "sorted." in step.state()
    rest = make_supernet()
    rest.load_state_dict(supernet.state_dict())
    other = make_step(rest)
    other.restore({k: v.clone() for k, v in step.state().items()})
    for each in (step, other):
        take(each, 18)
    for name, parameter in supernet.named_parameters():
        assert torch.equal(parameter, rest.get_parameter(name)), name
