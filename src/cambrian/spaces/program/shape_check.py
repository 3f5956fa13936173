"""Check that a network's shapes fit, without computing: one forward on torch's meta device, or, where a
forward looks at numbers or makes tensors of its own on the CPU, a small one there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from cambrian.errors import CambrianError, Unbuildable
from cambrian.options import shorten
from cambrian.spaces.program.candidates import error_text
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn

BATCH = 2


class WrongOutput(Unbuildable):
    """The network can be run, but its output is not a logit per class."""


def check_fit(network: nn.Module, task: Signature, made: Sequence[tuple[str, nn.Module]] = ()) -> None:
    """Raise Unbuildable unless `network`, in training and in evaluation mode, maps [2, channels, height,
    width] to [2, classes] (or a tuple of those, the first of which is scored), naming the layer that refuses
    its input and the question (of `made`: name and module) it was made for, with torch's shapes.
    Weights, buffers and the random state stay as they are, unless there are parts that are made in a first
    forward, as torch's lazy modules are: those are made here."""
    trace = _Trace(network, made)
    try:
        outputs = _forwards(network, task, trace)
    except (CambrianError, MemoryError):
        raise
    except Exception as error:  # a forward of the user's own may raise anything
        raise Unbuildable(f"{trace.where()}: {error_text(error)}{_types_said(network)}") from error
    finally:
        trace.remove()
    for output in outputs:
        _check_logits(output, task.classes, _list_sides(task))


def _forwards(network: nn.Module, task: Signature, trace: _Trace) -> list[Any]:
    """The outputs in training and in evaluation mode; none for a draft, whose weights are on the meta device,
    that only the CPU could run."""
    draft = is_draft(network)
    try:
        if is_lazy(network):  # a first forward tells its modules their sizes
            _run_once(network, task, draft)
        if not _other_types(network):  # which the meta device mixes, and a CPU does not
            return _run(network, task, "meta", draft)
    except (NotImplementedError, RuntimeError, ValueError, TypeError) as error:
        if not _of_the_device(error):
            raise
    if draft:
        return []
    # The second attempt starts over: modules entered on the meta device are not inside this forward.
    trace.restart()
    return _run(network, task, "cpu", draft)


def is_lazy(network: nn.Module) -> bool:
    """Whether some parameter does not know its size yet (torch's lazy modules)."""
    from torch.nn.parameter import is_lazy

    return any(is_lazy(t) for _, t in _tensors(network))


def is_draft(network: nn.Module) -> bool:
    """Whether its weights, also those that it has yet to make, are on the meta device."""
    import torch

    devices = {tensor.device.type for _, tensor in _tensors(network)}
    return "meta" in (devices or {torch.get_default_device().type})


def _run_once(network: nn.Module, task: Signature, draft: bool) -> None:
    """A forward of the network itself, in which it makes the parts it lacks."""
    import torch

    training, device = network.training, "meta" if draft else "cpu"
    with torch.no_grad(), torch.device(device):
        network.eval()(_zeros(task, device))
    network.train(training)


def _zeros(task: Signature, device: str) -> Any:
    import torch

    return torch.zeros(BATCH, task.channels, task.height, task.width, device=device)


def _of_the_device(error: Exception) -> bool:
    """Whether the meta device is to blame for an error, not the shapes."""
    return isinstance(error, NotImplementedError) or any(w in str(error).lower() for w in ("meta", "device"))


def _run(network: nn.Module, task: Signature, device: str, draft: bool) -> list[Any]:
    import torch

    from cambrian.networks.tensor_copies import tensor_copies

    default = nullcontext() if device == "meta" else torch.device(device)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), default, tensor_copies(network, device) as visit:
        # Both modes: an auxiliary head or a dropout may exist in one of them alone.
        outputs = [network.train(training)(_zeros(task, device)) for training in (True, False)]
    # Parts made in a forward of copies are lost with the copies: make them in the network itself.
    if visit.made_parts:
        _run_once(network, task, draft)
    return outputs


def _tensors(network: nn.Module) -> list[tuple[str, Any]]:
    return [*network.named_parameters(), *network.named_buffers()]


def _other_types(network: nn.Module) -> list[str]:
    """Types of weights that are not those of the images."""
    types = {str(p.dtype).removeprefix("torch.") for p in network.parameters() if p.is_floating_point()}
    return sorted(types - {"float32"})


def _types_said(network: nn.Module) -> str:
    types = _other_types(network)
    return f" (weights are {' and '.join(types)}, images come as float32: make it .float())" if types else ""


def _list_sides(task: Signature) -> tuple[int, ...]:
    """The axes of an output behind the classes: those of the pixels or rows, where each has an answer."""
    if getattr(task, "causal", False):
        return (task.height,)
    return (task.height, task.width) if getattr(task, "dense", False) else ()


def _check_logits(output: Any, classes: int, sides: tuple[int, ...] = ()) -> None:
    import torch

    wanted = str([BATCH, classes, *sides])
    for head in output if isinstance(output, tuple) and output else (output,):
        if not isinstance(head, torch.Tensor):
            raise WrongOutput(
                f"the network gives {_describe(head)}, expected a tensor {wanted}: does its forward return "
                f"the logits?"
            )
        if tuple(head.shape) != (BATCH, classes, *sides):
            each = "pixel" if len(sides) > 1 else "character that is read"
            advice = f"a logit per class and {each}" if sides else _shape_advice(tuple(head.shape), classes)
            raise WrongOutput(
                f"the network gives {list(head.shape)} for {BATCH} inputs, expected {wanted}: {advice}"
            )
        if not head.is_floating_point():
            raise WrongOutput(f"the network gives {head.dtype} numbers, expected logits: floats {wanted}")


def _describe(value: Any) -> str:
    """A short text of a value that is not a tensor: tensors inside would fill lines."""
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with the keys {shorten(list(value))}"
    return f"a list of {len(value)}" if isinstance(value, list) else shorten(value)


def _shape_advice(shape: tuple[int, ...], classes: int) -> str:
    if shape[:2] == (BATCH, classes):
        return "a logit per class; nn.Flatten at the end takes dimensions away"
    if classes == 2 and shape in ((BATCH,), (BATCH, 1)):
        return "a logit per class, so two for two classes"
    return "a logit per class"


class _Trace:
    """Hooks that record the modules a forward is inside of, innermost last, and the inputs of each."""

    def __init__(self, network: nn.Module, made: Sequence[tuple[str, nn.Module]]) -> None:
        self._names = {id(module): name for name, module in network.named_modules()}
        self._questions = {id(module): question for question, module in made}
        self._inside: list[tuple[nn.Module, Any]] = []
        self._passed = ""
        self._hooks = [h for m in network.modules() for h in self._hook(m)]

    def _hook(self, module: nn.Module) -> list[Any]:
        return [module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave)]

    def restart(self) -> None:
        self._inside, self._passed = [], ""

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._inside.append((module, inputs))

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        # Only a module that succeeds is left, so that after an error the innermost one refused its input.
        self._inside.pop()
        self._passed = self._questions.get(id(module), self._passed)

    def where(self) -> str:
        asked = [self._questions[id(m)] for m, _ in self._inside if id(m) in self._questions]
        if asked:
            return f"question {asked[-1]}: {self._describe_refusal()}"
        return self._describe_refusal() + (f", after question {self._passed}" if self._passed else "")

    def _describe_refusal(self) -> str:
        """ "layer '3', Linear(8, 2), cannot take [2, 7]"."""
        if not self._inside:
            return "the network cannot be run"
        module, inputs = self._inside[-1]
        name = self._names[id(module)]
        layer = f"layer {name!r}, " if name else ""
        kind = type(module).__name__ if any(module.children()) else repr(module)
        shapes = ", ".join(str(list(x.shape)) for x in inputs if hasattr(x, "shape"))
        return f"{layer}{kind}, cannot take {shapes}"

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()
