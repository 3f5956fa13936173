"""One pass through a network, recorded twice: the functions it calls, and the modules it is made of."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cambrian.errors import CambrianError, SpaceError
from cambrian.networks.morphisms.recording import Call, Record, record_forward
from cambrian.spaces.program.candidates import error_text
from cambrian.spaces.space import Signature

READING = {"bool", "item", "tolist", "int", "float", "index"}
"""Methods of a tensor that tell its numbers to Python."""


@dataclass(frozen=True)
class Visit:
    """A call of a module. The shapes are None unless it takes one tensor and gives one."""

    given: tuple[int, ...] | None
    gives: tuple[int, ...] | None


@dataclass
class Forward:
    """The record of a pass, the visits of each module by its path, and the modules that nothing but their
    class decides about: without hooks or parametrizations of the user's."""

    network: nn.Module
    record: Record
    visits: dict[str, list[Visit]] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()

    def find_plain(self, path: str, *kinds: type[nn.Module]) -> nn.Module | None:
        """The module at that path, where it is of exactly one of these classes and called."""
        if path not in self.plain or path not in self.visits:
            return None
        module = self.network.get_submodule(path)
        return module if type(module) in kinds else None

    def list_plain(self, *kinds: type[nn.Module]) -> list[str]:
        """The paths of the called modules that are exactly of these classes."""
        return [p for p, _ in self.network.named_modules() if self.find_plain(p, *kinds) is not None]

    def list_readers(self, number: int) -> list[Call]:
        """The calls that read this value."""
        return [call for call in self.record.calls if number in call.slots]

    def find_maker(self, number: int) -> Call | None:
        """The call that gave this value; None for the image, and for a tensor made of nothing."""
        return next((call for call in self.record.calls if number in call.outputs), None)

    def count_uses(self, weight: str) -> int:
        """How many calls read this weight."""
        return Counter(w for call in self.record.calls for w in call.weights)[weight]


def run_forward(network: nn.Module, task: Signature, name: str) -> Forward:
    """The record of `network`, which is called `name` in sentences, in evaluation mode. Raises SpaceError for
    one that cannot be run, or whose forward decides by the numbers that it computes."""
    plain = frozenset(path for path, module in network.named_modules() if _is_plain(module))
    visits: dict[str, list[Visit]] = {}
    hooks = [_note(module, visits.setdefault(path, [])) for path, module in network.named_modules()]
    try:
        with _Decisions(name):
            record = record_forward(network, (task.channels, task.height, task.width))
    except (CambrianError, MemoryError):
        raise
    except Exception as error:  # a forward of the user's own may raise anything
        images = f"{task.channels} x {task.height} x {task.width}"
        raise SpaceError(f"{name} cannot be run on images {images}: {error_text(error)}") from error
    finally:
        for hook in hooks:
            hook.remove()
    return Forward(network, record, {path: noted for path, noted in visits.items() if noted}, plain)


def _is_plain(module: nn.Module) -> bool:
    # A hook, as of spectral_norm, may compute the weight anew from tensors of the old size.
    return not (module._forward_hooks or module._forward_pre_hooks or hasattr(module, "parametrizations"))


def _note(module: nn.Module, noted: list[Visit]) -> Any:
    def note(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        single = len(args) == 1 and isinstance(args[0], Tensor) and not named
        given = tuple(args[0].shape) if single else None
        noted.append(Visit(given, tuple(output.shape) if isinstance(output, Tensor) else None))

    return module.register_forward_hook(note, with_kwargs=True)


class _Decisions(TorchFunctionMode):
    """Refuses a forward that asks for the numbers of a tensor: the questions of such a network would be
    those of one image alone."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "").strip("_") in READING:
            raise SpaceError(
                f"the forward of {self._name}{_find_place()} decides by the numbers it is given, as"
                " `if x.mean() > 0` does, so that its layers cannot be followed; torch.where chooses without"
                " that"
            )
        return func(*args, **(kwargs or {}))


def _find_place() -> str:
    """The file and line of the user's that is running, in brackets."""
    ours = (Path(torch.__file__).parent, Path(__file__).parents[2])
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if path.exists() and not any(root in path.parents for root in ours):
            return f" ({path.name}, line {frame.lineno})"
    return ""
