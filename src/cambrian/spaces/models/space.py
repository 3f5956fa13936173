"""A space made of a user's network: its kernels, activations and normalisations, the widths inside of it, and
the blocks that it can do without. The network itself is one of its architectures, and the first that a search
measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cambrian.architecture import Architecture
from cambrian.errors import UsageError, did_you_mean
from cambrian.spaces.models.questions import DROP, Survey
from cambrian.spaces.models.source import find_name, find_source, has_own_weights, make_model, name_source
from cambrian.spaces.program.function_space import Shape, is_causal, is_dense
from cambrian.spaces.space import Pick, Signature, Space
from cambrian.spec_text import read_arguments, split_call

if TYPE_CHECKING:
    from torch import nn

    from cambrian.networks.sharing.reading import Reading

EACH = ("kind", "block")
YOURS = "your network"
"""The name of the user's network among the architectures."""


@dataclass(frozen=True)
class ModelSpace(Space):
    """The changes of a network: `model` is a torch.nn.Module, a function or class that makes one, or
    `module:name` of either. Activations and normalisations are asked about by "kind", one question for all
    that are alike, or once in `each` "block". The shapes are those of the data.

    Weights are kept: a network with the answers of the user's own is that network, bit for bit."""

    model: Any
    each: str = "kind"
    channels: int = 3
    height: int = 32
    width: int = 32
    classes: int = 10
    dense: bool = False
    causal: bool = False

    measure = "the network's own answer as often as all others together, question by question"

    def __post_init__(self) -> None:
        if self.each not in EACH:
            raise UsageError(f"each is {' or '.join(EACH)}, got {self.each!r}{did_you_mean(self.each, EACH)}")

    def __repr__(self) -> str:
        return f"<space of {name_source(self.model)}>"

    @property
    def function(self) -> Any:
        """The user's own code, which may contain any mistake."""
        return find_source(self.model)

    @property
    def fixed(self) -> tuple[str, ...]:
        """Sentences on the parts of the network that no question changes, with the reasons."""
        return self.survey.fixed

    @cached_property
    def pretrained(self) -> bool:
        """Whether the network comes with weights, which are kept, and not with random ones."""
        return has_own_weights(self.model, self._shape)

    @property
    def begins(self) -> Mapping[str, Architecture]:
        """The user's network, as an architecture."""
        return {YOURS: Architecture({q.path: q.own for q in self.survey.questions})}

    def for_task(self, task: Signature) -> Space:
        """The space of the same network for images of the task's shape."""
        return replace(
            self,
            channels=task.channels,
            height=task.height,
            width=task.width,
            classes=task.classes,
            dense=is_dense(task),
            causal=is_causal(task),
        )

    def program(self, pick: Pick) -> None:
        dropped: list[str] = []
        for question in self.survey.questions:
            if question.is_asked(dropped):
                answer = pick(question.path, question.options, question.weights)
                dropped += question.members if answer == DROP else ()

    def make(self, read: Reading[Any], task: Signature, **skeleton: Any) -> nn.Module:
        from cambrian.spaces.models.changes import change_network
        from cambrian.spaces.program.shape_check import check_fit

        answers = read.value(dict)
        network = change_network(self._copy_model(task), self.survey.questions, answers)
        check_fit(network, task)
        return network

    def _copy_model(self, task: Signature) -> nn.Module:
        """The user's network; without weights where a draft is made."""
        import torch

        from cambrian.networks.tensor_copies import copy_network

        drafting = torch.get_default_device().type == "meta"
        return copy_network(self._draft) if drafting else make_model(self.model, task)

    @cached_property
    def _shape(self) -> Shape:
        return Shape(self.channels, self.height, self.width, self.classes, self.dense, self.causal)

    @cached_property
    def survey(self) -> Survey:
        """The questions, found in one pass through the network."""
        return self._surveyed[0]

    @cached_property
    def _draft(self) -> nn.Module:
        return self._surveyed[1]

    @cached_property
    def _surveyed(self) -> tuple[Survey, nn.Module]:
        import torch

        from cambrian.spaces.models.survey import survey_network

        # The random state is the caller's: who builds a network next draws its weights from there.
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(0)
            network = make_model(self.model, self._shape)
            survey = survey_network(network, self._shape, name_source(self.model), self.each)
        return survey, network.to("meta")

    def describe(self) -> str:
        """The numbers of questions, as a phrase: "7 questions: 2 blocks, 5 widths"."""
        counts = Counter(question.kind for question in self.survey.questions)
        kinds = ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in counts.items())
        total = len(self.survey.questions)
        return f"{total} question{'s' * (total > 1)}: {kinds}"


def from_model(model: Any, task: Signature | None = None, *, each: str = "kind") -> ModelSpace:
    """The space of the changes of a network, for the data of `task`: kernels, activations, normalisations,
    inner widths, and blocks left out. `model` is a torch.nn.Module, a function that makes one (of nothing, or
    of the task's shapes), or `module:name` of either. Several workers and a resumed run need such a name,
    or a function that has one.

    Pretrained weights are kept where shapes allow. `space.fixed` says which parts stay, and why. Without a
    task the shapes are those of the data of the search. Raises SpaceError for a network that cannot be
    followed, as where its forward decides by the numbers that it computes."""
    space = ModelSpace(find_name(model), each)
    if task is None:
        return space
    fitted = space.for_task(task)
    assert isinstance(fitted, ModelSpace)
    _ = fitted.survey  # a network that cannot be followed is refused at once
    return fitted


def read_model(text: str) -> ModelSpace:
    """The space of `module:name` or `module:name(each=block)`, as on the command line."""
    name, inside = split_call(text, "model")
    arguments = read_arguments(inside, "model", text)
    for setting in arguments:
        if setting != "each":
            raise UsageError(f"model {text!r} has no setting {setting!r}{did_you_mean(setting, ['each'])}")
    find_source(name)  # a name that does not exist is refused before data are read
    return ModelSpace(name, **arguments)
