"""Whether a network's shapes fit, found without computing: one forward on torch's meta device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cambrian.errors import Unbuildable
from cambrian.spaces.space import Signature

if TYPE_CHECKING:
    from torch import nn


def check_fit(network: nn.Module, task: Signature, made: Sequence[tuple[str, nn.Module]] = ()) -> None:
    """Raise Unbuildable unless `network` maps [2, channels, height, width] to [2, classes], naming the
    layer that refuses and the question (of `made`: name and module) it was made for, with the shapes
    as torch puts them. Weights, buffers and the random state stay as they are. A network whose
    forward looks at numbers cannot be checked so, and passes."""
    import torch

    tensors = [*network.named_parameters(), *network.named_buffers()]
    weightless = {name: tensor.to("meta") for name, tensor in tensors}
    inputs = torch.empty(2, task.channels, task.height, task.width, device="meta")
    trace = _Trace(network, made)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            logits = torch.func.functional_call(network, weightless, (inputs,))
    except NotImplementedError:
        return
    except (RuntimeError, ValueError) as error:
        if "meta tensor" in str(error).lower():
            return
        raise Unbuildable(f"{trace.where()}: {error}") from error
    finally:
        trace.remove()
    _check_logits(logits, task.classes)


def _check_logits(logits: Any, classes: int) -> None:
    for one in logits if isinstance(logits, tuple) else (logits,):
        shape = tuple(getattr(one, "shape", ()))
        if shape != (2, classes):
            raise Unbuildable(
                f"the network gives {list(shape)} for 2 inputs, expected [2, {classes}]: a logit per class"
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
