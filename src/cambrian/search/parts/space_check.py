"""The check of a user's own space before trials are spent on it: whether it makes networks for these data,
and which of their faults would show only at the end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture, sample
from cambrian.errors import CambrianError, SpaceError, Unbuildable, UsageError
from cambrian.outcome import Fidelity
from cambrian.randomness import stream
from cambrian.registry import name_of
from cambrian.search.parts.pretrained import build_seeded
from cambrian.search.planning.forked import call_each
from cambrian.spaces.drafts import draft_network
from cambrian.spaces.program.function_space import is_causal
from cambrian.spaces.space import Signature, Space

if TYPE_CHECKING:
    from torch import Tensor, nn

PATIENCE = 60.0
"""Seconds that a child may take to import torch and to draft a network."""
DRAWN = 20
"""Architectures that are drawn in vain before a space is refused."""


def check_space(space: Space, shape: Signature, fidelity: Fidelity, fits: bool = True) -> Architecture:
    """An architecture of the space that makes a network in the fidelity's skeleton, made without weights; one
    of that shape where it is checked whether it `fits`. Raises Unbuildable, saying why, where none of those
    drawn does."""
    # Several, since a sound space may reject some architectures for small images.
    last: Unbuildable | None = None
    for n in range(DRAWN):
        architecture = sample(space, stream(0, "check", n))
        try:
            _draft(space, architecture, shape, fidelity, fits)
            return architecture
        except Unbuildable as error:
            last = error
    raise Unbuildable(
        f"none of {DRAWN} architectures drawn from the space makes a network for {shape.classes} classes of "
        f"inputs {shape.channels} x {shape.height} x {shape.width}; the last: {last}{_advice(last)}"
    )


def check_skeleton(space: Space, shape: Signature, fidelity: Fidelity) -> None:
    """Raises UsageError for a setting of the fidelity's skeleton that the space's networks do not have, or
    that cannot have this value. Settings are checked before modules are made, whatever the architecture: so
    one is drawn, and where this one does not fit, no error is raised."""
    if not fidelity.skeleton:
        return
    # A search whose workers train needs no torch in its own process: there a child has a look.
    if "torch" in sys.modules:
        refusal: Any = _refuse_skeleton(space, shape, fidelity)
    else:
        refusal = call_each([lambda: _refuse_skeleton(space, shape, fidelity)], 1, PATIENCE)[0]
    if isinstance(refusal, str) and refusal:
        raise UsageError(refusal)


def _refuse_skeleton(space: Space, shape: Signature, fidelity: Fidelity) -> str:
    """The sentence that refuses the skeleton, empty where there is none."""
    try:
        draft_network(space, sample(space, stream(0, "check", 0)), shape, fidelity.skeleton)
    except Unbuildable:
        return ""
    except CambrianError as error:
        return str(error)
    except Exception:  # a program of the user's own may raise anything; `check_space` says what it did
        return ""
    return ""


def _draft(
    space: Space, architecture: Architecture, shape: Signature, fidelity: Fidelity, fits: bool
) -> None:
    """Build the network without weights. Raises Unbuildable where its shapes do not fit one another, and,
    where that is checked, where its outputs do not fit the task."""
    import torch

    from cambrian.spaces.program.shape_check import check_fit

    network = draft_network(space, architecture, shape, fidelity.skeleton)
    if not isinstance(network, torch.nn.Module):
        raise SpaceError(f"{name_of(space)}.build gives {type(network).__name__}, not a torch.nn.Module")
    if fits:
        check_fit(network, shape)


def _advice(error: Unbuildable | None) -> str:
    from cambrian.spaces.program.shape_check import WrongOutput

    return "" if isinstance(error, WrongOutput) else "; where images are too small, --size makes them larger"


def find_warnings(
    space: Space, architecture: Architecture, shape: Signature, fidelity: Fidelity, exported: bool
) -> list[str]:
    """Warnings about such networks before they are trained: that they give probabilities, or that they cannot
    be exported, where they are to be. Raises Unbuildable for one without trainable weights, or that fails
    with weights."""
    network = build_seeded(space, architecture, shape, fidelity)
    if not any(p.requires_grad for p in network.parameters()):
        raise Unbuildable("the network has no weights that can be trained: each is frozen, or there is none")
    # The export last: it is slow, and its sentence about a network that fails would name the wrong cause.
    inputs = _inputs(shape)
    if is_causal(shape):
        from cambrian.networks.causality import check_causal  # which imports torch

        check_causal(network, shape.channels, shape.height)
    return [*_of_outputs(network, inputs), *(_of_export(network, inputs) if exported else ())]


def _inputs(shape: Signature) -> Tensor:
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, shape.channels, shape.height, shape.width, generator=generator)


def _of_outputs(network: nn.Module, inputs: Tensor) -> list[str]:
    try:
        outputs, again = _run(network, inputs, seed=0), _run(network, inputs, seed=1)
    except CambrianError:
        raise
    except Exception as error:  # a forward of the user's own may raise anything
        message = " ".join(str(error).split())[:300]
        raise Unbuildable(
            f"the network cannot be run on the CPU: {type(error).__name__}: {message}"
        ) from error
    warnings = []
    # Rows of nonnegative numbers with sum 1: a softmax, which the loss would apply a second time.
    if bool((outputs >= 0).all()) and bool(((outputs.sum(1) - 1).abs() < 1e-4).all()):
        warnings.append("the networks give probabilities, and training expects logits: leave out the softmax")
    # Two seeds, loosely compared: kernels may differ in the last digits, dropout differs in the first.
    if not bool(outputs.isclose(again, rtol=1e-3, atol=1e-4).all()):
        warnings.append(
            "the networks give something else each time, in evaluation mode too: is dropout told "
            "training=self.training?"
        )
    return warnings


def _run(network: nn.Module, inputs: Tensor, seed: int) -> Tensor:
    import torch

    from cambrian.networks.heads import first_head

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return first_head(network(inputs)).float()


def _of_export(network: nn.Module, inputs: Tensor) -> list[str]:
    from cambrian.networks.exporting import export_program

    try:
        export_program(network, inputs)
    except UsageError as error:
        return [f"what this search finds can be trained and not be handed over: {error}"]
    return []
