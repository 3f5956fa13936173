"""The network of the answers: the user's own, changed where an answer is not the network's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import nn

from cambrian.choices import Answer
from cambrian.spaces.models.activations import set_activation
from cambrian.spaces.models.blocks import drop_block
from cambrian.spaces.models.kernels import set_kernel
from cambrian.spaces.models.norms import set_norm
from cambrian.spaces.models.questions import BLOCK, KERNEL, NORM, WIDTH, Question
from cambrian.spaces.models.widths import set_width

ORDER = (BLOCK, WIDTH, KERNEL, NORM)
"""The order of changes; activations are last. Norms are folded into layers that have their final size."""


def change_network(
    network: nn.Module, questions: Iterable[Question], answers: Mapping[str, Answer]
) -> nn.Module:
    """The network with the answers, changed in place; answers that it has already leave it as it is."""
    changed = [q for q in questions if q.path in answers and answers[q.path] != q.own]
    for question in sorted(changed, key=lambda q: ORDER.index(q.kind) if q.kind in ORDER else len(ORDER)):
        _change(network, question, answers[question.path])
    return network


def _change(network: nn.Module, question: Question, answer: Answer) -> None:
    if question.kind == WIDTH:
        assert isinstance(answer, int)
        set_width(network, question, answer)
        return
    for n, path in enumerate(question.members):
        if not _is_left(network, path):
            continue
        if question.kind == BLOCK:
            drop_block(network, path)
        elif question.kind == KERNEL:
            assert isinstance(answer, int)
            set_kernel(network, path, answer)
        elif question.kind == NORM:
            set_norm(network, path, question.before[n], str(answer))
        else:
            set_activation(network, path, str(answer))


def _is_left(network: nn.Module, path: str) -> bool:
    """Whether no dropped block took the module away."""
    try:
        network.get_submodule(path)
    except AttributeError:
        return False
    return True
