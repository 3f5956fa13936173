"""Activations that are modules: all of a kind, or those of each block."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from cambrian.spaces.models.forward import Forward
from cambrian.spaces.models.layers import put_module
from cambrian.spaces.models.questions import ACTIVATION, Question, name_question

MAKERS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
}
"""The answers that are proposed, besides the network's own."""
OWN: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
    nn.Hardswish: "hardswish",
    nn.ReLU6: "relu6",
    nn.LeakyReLU: "leaky_relu",
    nn.ELU: "elu",
    nn.Mish: "mish",
    nn.Tanh: "tanh",
}
"""The classes that count as activations. Not among them is a sigmoid, which is mostly a gate."""


def find_activations(forward: Forward, each: str) -> tuple[list[Question], list[str]]:
    """A question for all activations of a kind, or for those of a kind in each block; and a sentence on those
    that are called as functions."""
    parts: dict[tuple[str, str], list[str]] = {}
    for path in forward.list_plain(*OWN):
        kind = OWN[type(forward.network.get_submodule(path))]
        block = path.rpartition(".")[0] if each == "block" else ""
        parts.setdefault((block, kind), []).append(path)
    questions = [_make_question(block, kind, tuple(members)) for (block, kind), members in parts.items()]
    return questions, _describe_functions(forward)


def _make_question(block: str, kind: str, members: tuple[str, ...]) -> Question:
    options = (*MAKERS, *(() if kind in MAKERS else (kind,)))
    name = f"{block}.{kind}" if block else kind
    return Question(ACTIVATION, name_question(name, ACTIVATION), options, kind, members)


def _describe_functions(forward: Forward) -> list[str]:
    """A sentence on the activations that no module makes, if there are any."""
    names = set(OWN.values())
    called = sum(call.function in names for call in forward.record.calls)
    modules = [p for p, m in forward.network.named_modules() if type(m) in OWN]
    functions = called - sum(len(forward.visits.get(path, ())) for path in modules)
    if functions <= 0:
        return []
    noun = "activation is called as a function" if functions == 1 else "activations are called as functions"
    return [f"{functions} {noun}, such as F.relu: as a module, such as nn.ReLU, it would be a question"]


def set_activation(network: nn.Module, path: str, answer: str) -> None:
    """Put another activation in the place of one."""
    put_module(network, path, MAKERS[answer]())
