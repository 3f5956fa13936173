"""The suite for measures: a finite number, and a network that is as it was before."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.networks.measure import MEASURES
from cambrian.networks.measure.measure import FunctionMeasure, Measure, Spreads
from cambrian.testing.snapshot import snapshot
from cambrian.testing.suite import Conformance, Suite, applies, expect

if TYPE_CHECKING:
    from torch import Tensor, nn

UNITS = ("s", "B", "")
"""Units that limits are written in; others are shown as they are."""


def toy_network() -> nn.Module:
    """float[n, 2, 8, 8] -> float[n, 3]: a convolution, normalisation, dropout and a frozen linear layer, so
    that a measure could change modes, running statistics, random states and gradient flags."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(4 * 8 * 8, 3),
        )
    network[5].bias.requires_grad_(False)
    return network


@dataclass(frozen=True)
class MeasureCase:
    """A measure under test, or a function (network, batch, device) -> float. `network` makes the network,
    the same at each call, that reads images of `shape` (channels, height, width)."""

    measure: Measure | Callable[..., Any]
    network: Callable[[], nn.Module] = field(default=toy_network)
    shape: tuple[int, int, int] = (2, 8, 8)
    device: str = "cpu"

    @property
    def subject(self) -> Measure:
        plain = not isinstance(self.measure, Measure)
        return FunctionMeasure(self.measure) if plain else self.measure  # type: ignore[return-value]

    def build(self, training: bool = True) -> nn.Module:
        """The network on the device; its first module always evaluates, whatever the others do."""
        # Mixed modes: a measure that puts one mode back for all modules would pass with uniform ones.
        network = self.network().to(self.device).train(training)
        next(iter(network.children()), network).eval()
        return network

    def draw_batch(self, seed: int = 0) -> Tensor:
        import torch

        # A generator of its own: the global ones are under test.
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(self.subject.images, *self.shape, generator=generator).to(self.device)

    def take(self, network: nn.Module | None = None, batch: Tensor | None = None) -> Any:
        """The measure of a network and a batch, by default the case's own."""
        network = self.build() if network is None else network
        return self.subject(network, self.draw_batch() if batch is None else batch, self.device)


def check_its_traits_are_typed(case: MeasureCase) -> None:
    """`unit` is a text, `images` a whole number from 1 on, `noisy`, `reads_batch` and `needs_weights` are
    bools, and `protocol` is a phrase."""
    subject = case.subject
    needs, phrase = subject.needs_weights(case.device), subject.protocol(case.device)
    expect(isinstance(subject.unit, str), f"unit is {subject.unit!r}")
    # `type`, since True is an int too.
    expect(type(subject.images) is int and subject.images >= 1, f"images is {subject.images!r}")
    truths = {"noisy": subject.noisy, "reads_batch": subject.reads_batch, "needs_weights": needs}
    expect(all(isinstance(v, bool) for v in truths.values()), f"not all true or false: {truths}")
    expect(isinstance(phrase, str) and phrase.strip(), f"protocol is {phrase!r}")


def check_its_settings_are_a_spec(case: MeasureCase) -> None:
    """Written as JSON and made again, the measure is equal to itself: a run directory names it."""
    import json

    applies(not isinstance(case.subject, FunctionMeasure), "a function has no settings")
    spec = MEASURES.spec(case.measure)
    applies(spec is not None, "a measure without a name lives in this process only")
    assert spec is not None
    expect(
        MEASURES.make(json.loads(json.dumps(spec))) == case.measure, f"made again from {spec} it is another"
    )


def check_it_is_a_finite_number(case: MeasureCase) -> None:
    """A plain number, neither NaN nor infinite; so is the spread, which is not below zero."""
    value = case.take()
    expect(isinstance(value, int | float) and not isinstance(value, bool), f"it gives {value!r:.80}")
    expect(math.isfinite(value), f"it gives {value}")
    if isinstance(case.subject, Spreads):
        value, spread = case.subject.measure_spread(case.build(), case.draw_batch(), case.device)
        expect(math.isfinite(value) and math.isfinite(spread) and spread >= 0, f"the spread is {spread}")


def check_it_leaves_modes_alone(case: MeasureCase) -> None:
    """Each module trains or evaluates as it did before."""
    for training in (True, False):
        network = case.build(training)
        modes = [module.training for module in network.modules()]
        case.take(network)
        expect([m.training for m in network.modules()] == modes, "modules are left in another mode")


def check_it_leaves_weights_alone(case: MeasureCase) -> None:
    """The parameters and buffers are the same objects with the same values, running statistics included."""
    network = case.build()
    # Objects as well as values: an optimiser elsewhere may hold these very tensors.
    held = [*network.parameters(), *network.buffers()]
    before = snapshot(dict(network.state_dict()))
    case.take(network)
    same = all(a is b for a, b in zip(held, [*network.parameters(), *network.buffers()], strict=True))
    expect(same, "a parameter or buffer is another tensor")
    expect(snapshot(dict(network.state_dict())) == before, "weights or running statistics are others")


def check_it_leaves_gradients_alone(case: MeasureCase) -> None:
    """Gradients stay as they were, with or without a backward pass before; so do their flags."""
    import torch

    network = case.build()
    flags = [p.requires_grad for p in network.parameters()]
    case.take(network)
    expect(all(p.grad is None for p in network.parameters()), "it leaves gradients behind")
    # Once without gradients, once in the midst of a training that has some.
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    case.take(network)
    ones = [p.grad is not None and bool((p.grad == 1).all()) for p in network.parameters()]
    expect(all(ones), "it changes gradients that were there")
    expect([p.requires_grad for p in network.parameters()] == flags, "it changes what needs a gradient")


def check_it_leaves_nothing_behind(case: MeasureCase) -> None:
    """No hook, no replaced `forward` and no new attribute stays on any module, nor on a parameter."""
    network = case.build()
    before = _attachments(network)
    case.take(network)
    expect(_attachments(network) == before, "hooks or attributes are left on the network")


def check_it_leaves_generators_alone(case: MeasureCase) -> None:
    """The global generators of Python, numpy and torch keep their states."""
    import torch

    network, batch = case.build(), case.draw_batch()
    before = (random.getstate(), snapshot(np.random.get_state()), torch.get_rng_state().tolist())
    case.take(network, batch)
    after = (random.getstate(), snapshot(np.random.get_state()), torch.get_rng_state().tolist())
    expect(after == before, "it draws from a global generator")


def check_it_leaves_settings_alone(case: MeasureCase) -> None:
    """torch's threads, gradient mode, default type and device stay the same."""
    network, batch = case.build(), case.draw_batch()
    before = _settings()
    case.take(network, batch)
    expect(_settings() == before, f"torch's settings were {before}, now {_settings()}")


def check_it_leaves_the_batch_alone(case: MeasureCase) -> None:
    """The images keep their values."""
    batch = case.draw_batch()
    case.take(batch=batch)
    expect(bool((batch == case.draw_batch()).all()), "the images are others")
    expect(not batch.requires_grad, "the images need a gradient now")


def check_it_gives_the_same_number_again(case: MeasureCase) -> None:
    """Unless it declares itself noisy: the same network once more, and an equal one, give the same number."""
    applies(not case.subject.noisy, "a noisy measure gives other numbers")
    network = case.build()
    first = case.take(network)
    for where, again in (("once more", case.take(network)), ("of another like it", case.take())):
        expect(again == first, f"it gives {first}, and {where} {again}")


def check_the_mode_does_not_matter(case: MeasureCase) -> None:
    """Unless it is noisy: a training network and an evaluating one have the same number."""
    applies(not case.subject.noisy, "a noisy measure gives other numbers")
    one, other = case.take(case.build(training=True)), case.take(case.build(training=False))
    expect(one == other, f"it gives {one} of a network that trains, {other} of one that evaluates")


def check_it_reads_the_batch_as_it_says(case: MeasureCase) -> None:
    """A measure that does not say that it reads the images' content gives the same number for others."""
    applies(not case.subject.reads_batch, "this measure reads the images")
    applies(not case.subject.noisy, "a noisy measure gives other numbers")
    one, other = case.take(), case.take(batch=case.draw_batch(1))
    expect(one == other, f"for other images it gives {other}, not {one}")


def check_it_does_without_weights_as_it_says(case: MeasureCase) -> None:
    """A measure that needs no weights gives the same number for a network, and a batch, without any."""
    applies(not case.subject.needs_weights(case.device), "this measure needs weights")
    # Measures like that serve as limits, which are checked before any memory is spent.
    draft = case.build().to("meta")
    without = case.take(draft, case.draw_batch().to("meta"))
    expect(without == case.take(), f"without weights it gives {without}, with them {case.take()}")


def _attachments(network: nn.Module) -> list[Any]:
    """For each module the names of its attributes, with the number of hooks of each kind; for each tensor the
    names of its attributes, and the number of its hooks."""
    modules = [
        sorted((k, len(v) if "hook" in k and hasattr(v, "__len__") else -1) for k, v in vars(m).items())
        for m in network.modules()
    ]
    tensors = [(sorted(vars(p)), len(p._backward_hooks or ())) for p in network.parameters()]
    return [modules, tensors]


def _settings() -> dict[str, Any]:
    import torch

    return {
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "type": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "benchmark": torch.backends.cudnn.benchmark,
    }


MEASURE = Suite[MeasureCase](
    "measure",
    (
        check_its_traits_are_typed,
        check_its_settings_are_a_spec,
        check_it_is_a_finite_number,
        check_it_leaves_modes_alone,
        check_it_leaves_weights_alone,
        check_it_leaves_gradients_alone,
        check_it_leaves_nothing_behind,
        check_it_leaves_generators_alone,
        check_it_leaves_settings_alone,
        check_it_leaves_the_batch_alone,
        check_it_gives_the_same_number_again,
        check_the_mode_does_not_matter,
        check_it_reads_the_batch_as_it_says,
        check_it_does_without_weights_as_it_says,
    ),
)


class MeasureSuite(Conformance):
    """Subclass it in a test file and define `case(self) -> MeasureCase`."""

    suite = MEASURE
