"""The candidates of a fork: factories, and the modules that they make."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cambrian.choices import Scalar
from cambrian.errors import CambrianError, SpaceError, Unbuildable

if TYPE_CHECKING:
    from torch import nn

Factory = Callable[..., Any]
Factories = Mapping[Any, Factory]  # by the options' names, or numbers


def make_candidate(path: str, option: Scalar, maker: Factory) -> nn.Module:
    """The module of `maker`; errors of its own name the question."""
    from torch import nn

    try:
        module = maker()
    except (CambrianError, MemoryError):
        raise
    except (RuntimeError, ValueError) as error:
        raise unbuildable(error, f"question {path!r}: {option!r} cannot be made") from error
    except Exception as error:
        raise SpaceError(f"question {path!r}: {option!r} cannot be made: {error_text(error)}") from error
    if not isinstance(module, nn.Module):
        raise SpaceError(
            f"question {path!r}: {option!r} must make a torch.nn.Module, it made {kind_of(module)}"
        )
    return module


def unbuildable(error: Exception, where: str) -> Exception:
    """The exception for an error of torch's: running out of memory is not the shapes' fault."""
    return error if "memory" in str(error).lower() else Unbuildable(f"{where}: {error}")


def error_text(error: Exception) -> str:
    """A readable text of any error: a KeyError's text alone is a mere name."""
    plain = isinstance(error, RuntimeError | ValueError | TypeError)
    return str(error) if plain else f"{type(error).__name__}: {error}"


def asks(factory: Factory) -> bool:
    code = getattr(factory, "__code__", None)
    return code is not None and code.co_argcount > 0 and code.co_varnames[0] == "pick"


def as_factory(path: str, option: Scalar, result: Any) -> Factory:
    """The factory that a candidate with questions of its own returned; a module counts as one, once."""
    if not _is_module(result):
        if result is not None and not callable(result):
            raise SpaceError(
                f"question {path!r}: {option!r} must return a function that makes a torch.nn.Module, "
                f"got {kind_of(result)}"
            )
        return result  # type: ignore[no-any-return]
    # One module in two places would share weights that nobody asked to share.
    left = [result]

    def once(*given: Any, **named: Any) -> Any:
        if given or named or not left:
            raise SpaceError(
                f"question {path!r}: {option!r} is one module, wanted with arguments or more than once; "
                f"let it return a function that makes the module"
            )
        return left.pop()

    return once


def check_factories(path: str, factories: Factories) -> None:
    for name, factory in factories.items():
        if not callable(factory) or _is_module(factory):
            raise SpaceError(
                f"question {path!r}: {name!r} must be a class or function that makes a module, "
                f"as in `lambda: nn.ReLU()`, got {kind_of(factory)}"
            )


def kind_of(value: Any) -> str:
    return f"the module {type(value).__name__}" if _is_module(value) else f"{value!r}"


def _is_module(value: Any) -> bool:
    # Sampling must not import torch: without it in `sys.modules` no value can be a module.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)
