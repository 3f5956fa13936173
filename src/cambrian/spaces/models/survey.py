"""The survey of a user's network: all questions about it, each tried on a draft."""

from __future__ import annotations

import torch
from torch import nn

from cambrian.errors import SpaceError, Unbuildable
from cambrian.networks.tensor_copies import copy_network
from cambrian.spaces.models.activations import find_activations
from cambrian.spaces.models.blocks import find_blocks
from cambrian.spaces.models.changes import change_network
from cambrian.spaces.models.forward import run_forward
from cambrian.spaces.models.kernels import find_kernels
from cambrian.spaces.models.norms import find_norms
from cambrian.spaces.models.questions import BLOCK, WIDTH, Question, Survey
from cambrian.spaces.models.widths import find_widths
from cambrian.spaces.program.shape_check import check_fit
from cambrian.spaces.space import Signature

TRIED = (BLOCK, WIDTH)
"""Kinds of questions after which shapes differ inside: a forward may count on the old ones."""


def survey_network(network: nn.Module, task: Signature, name: str, each: str) -> Survey:
    """The questions about `network`, which is called `name` in sentences. Raises SpaceError for one that
    cannot be followed, or has nothing to ask about; Unbuildable where its outputs do not fit the task."""
    if not any(p.requires_grad for p in network.parameters()):
        raise SpaceError(f"{name} has no parameters that are trained: there is nothing to search")
    forward = run_forward(network, task, name)
    # After the pass, in which lazy layers get their sizes.
    draft = copy_network(network).to("meta")
    _check_draft(draft, task, name)
    widths, coupled = find_widths(forward)
    activations, functional = find_activations(forward, each)
    proposed = [*find_blocks(forward), *widths, *find_kernels(forward), *find_norms(forward, each)]
    asked, refused = [], []
    for question in (*proposed, *activations):
        reason = _try_change(draft, question, task) if question.kind in TRIED else ""
        if reason:
            refused.append(f"{question.members[0]}'s {question.kind} stays: {reason}")
        else:
            asked.append(question)
    if not asked:
        raise SpaceError(_describe_nothing(name, [*coupled, *refused, *functional]))
    return Survey(tuple(asked), (*coupled, *refused, *functional))


def _check_draft(draft: nn.Module, task: Signature, name: str) -> None:
    try:
        check_fit(draft, task)
    except Unbuildable as error:
        raise Unbuildable(f"{name}: {error}") from error


def _try_change(draft: nn.Module, question: Question, task: Signature) -> str:
    """The reason why a forward does not take the question's change; empty where it does."""
    other = next(option for option in question.options if option != question.own)
    changed = change_network(copy_network(draft), [question], {question.path: other})
    try:
        with torch.no_grad():
            check_fit(changed, task)
    except Unbuildable as error:
        return str(error)
    return ""


def _describe_nothing(name: str, reasons: list[str]) -> str:
    why = f": {'; '.join(reasons[:3])}" if reasons else ""
    return (
        f"{name} has nothing to ask about: no module that keeps its shape, no convolution with the padding of"
        f" its kernel, no normalisation or activation that is a module, no inner width{why}"
    )
