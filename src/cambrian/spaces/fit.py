"""Whether a network's shapes fit, found without computing: one forward on torch's meta device, or, where a
forward looks at numbers or makes tensors of its own on the CPU, a small one there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cambrian.errors import CambrianError, Unbuildable
from cambrian.options import told
from cambrian.spaces.candidates import said
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn

BATCH = 2
UNKNOWN = object()  # not None, which is what a forward without a return gives


def check_fit(network: nn.Module, task: Signature, made: Sequence[tuple[str, nn.Module]] = ()) -> None:
    """Raise Unbuildable unless `network` maps [2, channels, height, width] to [2, classes], naming the
    layer that refuses and the question (of `made`: name and module) it was made for, with the shapes
    as torch puts them. Weights, buffers and the random state stay as they are, unless there are lazy
    modules: those get their weights here."""
    trace = _Trace(network, made)
    try:
        logits = _forward(network, task, trace)
    except (CambrianError, MemoryError):
        raise
    except Exception as error:  # a forward of the user's own may raise anything
        raise Unbuildable(f"{trace.where()}: {said(error)}") from error
    finally:
        trace.remove()
    if logits is not UNKNOWN:
        _check_logits(logits, task.classes)


def _forward(network: nn.Module, task: Signature, trace: _Trace) -> Any:
    """The logits, or UNKNOWN where they can be had nowhere: a draft, whose weights are on the meta device,
    that has to be run for real."""
    lazy = is_lazy(network)
    if lazy:  # a first forward tells its modules their sizes
        _first(network, task, lazy)
    try:
        return _run(network, task, "meta")
    except (NotImplementedError, RuntimeError, ValueError, TypeError) as error:
        if not _of_the_device(error):
            raise
    if any(tensor.device.type == "meta" for _, tensor in _tensors(network)):
        return UNKNOWN
    trace.restart()
    return _run(network, task, "cpu")


def is_lazy(network: nn.Module) -> str | None:
    """The device of a parameter that does not know its size yet (torch's lazy modules)."""
    from torch.nn.parameter import is_lazy

    return next((t.device.type for _, t in _tensors(network) if is_lazy(t)), None)


def _first(network: nn.Module, task: Signature, device: str) -> None:
    import torch

    training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(BATCH, task.channels, task.height, task.width, device=device))
    network.train(training)


def _of_the_device(error: Exception) -> bool:
    """Whether it was the meta device that could not, not the shapes."""
    return isinstance(error, NotImplementedError) or any(w in str(error).lower() for w in ("meta", "device"))


def _run(network: nn.Module, task: Signature, device: str) -> Any:
    import torch

    copies = {name: tensor.detach().to(device, copy=True) for name, tensor in _tensors(network)}
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        inputs = torch.zeros(BATCH, task.channels, task.height, task.width, device=device)
        return torch.func.functional_call(network, copies, (inputs,))


def _tensors(network: nn.Module) -> list[tuple[str, Any]]:
    return [*network.named_parameters(), *network.named_buffers()]


def _check_logits(logits: Any, classes: int) -> None:
    import torch

    for one in logits if isinstance(logits, tuple) else (logits,):
        if not isinstance(one, torch.Tensor):
            raise Unbuildable(
                f"the network gives {told(one)}, expected a tensor [{BATCH}, {classes}]: does its forward "
                f"return the logits?"
            )
        shape = tuple(one.shape)
        if shape != (BATCH, classes):
            raise Unbuildable(
                f"the network gives {list(shape)} for {BATCH} inputs, expected [{BATCH}, {classes}]: a logit "
                f"per class"
            )


class _Trace:
    """Hooks that know which modules a forward is inside of, innermost last, and what each was given."""

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
        self._inside.pop()
        self._passed = self._questions.get(id(module), self._passed)

    def where(self) -> str:
        asked = [self._questions[id(m)] for m, _ in self._inside if id(m) in self._questions]
        if asked:
            return f"question {asked[-1]}: {self._refused()}"
        return self._refused() + (f", after question {self._passed}" if self._passed else "")

    def _refused(self) -> str:
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
