"""The stages of a network, from input to output, as rows of (label, detail) for its picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_PLUMBING = ("Dropout", "Identity", "Flatten")


def stages(network: nn.Module, shape: tuple[int, int, int]) -> list[tuple[str, str]]:
    """The top-level modules that `network` runs for one image of `shape` (channels, height, width), with
    their output shapes; equal neighbours are counted. On the meta device the forward allocates nothing, but
    the first one there takes seconds of imports."""
    import copy

    import torch

    # A copy, so that the hooks die with it.
    twin = copy.deepcopy(network).eval()
    device = next((p.device for p in twin.parameters()), torch.device("cpu"))
    rows: list[tuple[str, str]] = []

    def record(name: str, output: Any) -> None:
        # A network with auxiliary heads gives a tuple, whose first output is the one that counts.
        first = output[0] if isinstance(output, tuple) else output
        rows.append((name, "x".join(map(str, first.shape[1:]))))

    def hook(name: str) -> Any:
        return lambda module, inputs, output: record(name, output)

    for name, module in _top(twin):
        module.register_forward_hook(hook(name))
    with torch.inference_mode():
        twin(torch.zeros(1, *shape, device=device))
    return [("image", "x".join(map(str, shape))), *_count_repeats(rows)]


def _top(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Children by name; members of a list or a sequence, which only have numbers, by type."""
    from torch import nn

    for name, child in network.named_children():
        if isinstance(child, nn.ModuleList) or isinstance(network, nn.Sequential):
            members = child.children() if isinstance(child, nn.ModuleList) else [child]
            yield from ((type(m).__name__.lower(), m) for m in members if _is_shown(m))
        elif _is_shown(child):
            yield name, child


def _is_shown(module: nn.Module) -> bool:
    return not type(module).__name__.startswith(_PLUMBING)


def _count_repeats(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    runs: list[tuple[str, str, int]] = []
    for name, detail in rows:
        if runs and runs[-1][:2] == (name, detail):
            runs[-1] = (name, detail, runs[-1][2] + 1)
        else:
            runs.append((name, detail, 1))
    return [(f"{name} x {n}" if n > 1 else name, detail) for name, detail, n in runs]
