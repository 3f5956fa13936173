"""Recurrent cells, and two networks that use one: a reader of images row by row, a language model.

A cell keeps `states` vectors from step to step, the first of which is its output. `cell.input` maps
its input, for all steps at once; `cell(x, state)` is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cambrian.networks.sharing.reading import Reading
from cambrian.settings import COUNT, check_numbers, check_truths

MakeCell = Callable[[int, int], nn.Module]  # (features, hidden) -> cell
Step = tuple[str, str]  # combination, activation

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda x: x,
}
COMBINATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"add": torch.add, "multiply": torch.mul}


class Highway(NamedTuple):
    """`nodes`: the activation of node 1, 2, ... and the node it reads; `outputs` are the nodes
    whose mean is the output."""

    nodes: Sequence[tuple[str, int]]
    outputs: Sequence[int]


class HighwayCell(nn.Module):
    """DARTS's recurrent cell (Liu et al. 2019, arXiv 1806.09055, Sec. 2.1 and 3.1), after ENAS's (Pham et
    al. 2018). Every node moves the state it reads some way, by a gate of its own, towards an activation
    of it. Node 0, always tanh, reads the input and the last output. Shared by cells of up to `most` nodes, a
    node has the same weights whatever it reads, as in DARTS's own search."""

    states = 1

    def __init__(self, read: Reading[Highway], most: int, features: int, hidden: int) -> None:
        super().__init__()
        self.plan = read.live(lambda plan: plan)
        self.input = nn.Linear(features, 2 * hidden, bias=False)
        self.recurrent = nn.Linear(hidden, 2 * hidden, bias=False)
        count = read.count(lambda plan: len(plan.nodes), most)
        make = partial(nn.Linear, hidden, 2 * hidden, bias=False)
        self.weights = read.parts(lambda plan: range(len(plan.nodes)), dict.fromkeys(range(count), make))

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """(n, 2 hidden), (1, n, hidden) -> (1, n, hidden)."""
        nodes, outputs = self.plan()
        states = [_towards(state[0], x + self.recurrent(state[0]), "tanh")]
        for (activation, source), weight in zip(nodes, self.weights, strict=True):
            states.append(_towards(states[source], weight(states[source]), activation))
        return torch.stack([states[i] for i in outputs]).mean(0, keepdim=True)


def _towards(state: Tensor, computed: Tensor, activation: str) -> Tensor:
    # One matrix makes gate and candidate, as in the released DARTS.
    gate, new = computed.chunk(2, -1)
    return state + torch.sigmoid(gate) * (ACTIVATIONS[activation](new) - state)


class Joined(NamedTuple):
    """A tree of leaves and joins. `steps` are the leaves and then the joins, `joins` the two earlier nodes
    each of these takes; the last node is the output. The memory of the last step is merged into the
    result of node `inject` by `injection`; the combination of node `keep`, before its activation, is the
    memory of the next step."""

    steps: Sequence[Step]
    joins: Sequence[tuple[int, int]]
    inject: int
    injection: Step
    keep: int

    @property
    def leaves(self) -> int:
        return len(self.steps) - len(self.joins)


class TreeCell(nn.Module):
    """A cell of Zoph & Le (ICLR 2017, arXiv 1611.01578, Sec. 3.4). Leaves combine linear maps of the input
    and of the last output; only they have weights. Shared by trees of up to `most` leaves, each leaf has its
    own."""

    states = 2

    def __init__(self, read: Reading[Joined], most: int, features: int, hidden: int) -> None:
        super().__init__()
        self.tree = read.live(lambda tree: tree)
        leaves = attrgetter("leaves")
        self.input = read.elastic(leaves, lambda n: nn.Linear(features, n * hidden, bias=False), most)
        self.recurrent = read.elastic(leaves, lambda n: nn.Linear(hidden, n * hidden, bias=False), most)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """(n, leaves * hidden), (2, n, hidden): output and memory -> (2, n, hidden)."""
        tree = self.tree()
        outputs = self.recurrent(state[0]).chunk(tree.leaves, -1)
        pairs = list(zip(x.chunk(tree.leaves, -1), outputs, strict=True))
        combined: list[Tensor] = []
        results: list[Tensor] = []
        for k, (combination, activation) in enumerate(tree.steps):
            if k >= tree.leaves:
                left, right = tree.joins[k - tree.leaves]
                pairs.append((results[left], results[right]))
            combined.append(COMBINATIONS[combination](*pairs[k]))
            results.append(ACTIVATIONS[activation](combined[k]))
            if k == tree.inject:
                combination, activation = tree.injection
                # Only the result changes: `keep` reads the combination before it.
                results[k] = ACTIVATIONS[activation](COMBINATIONS[combination](results[k], state[1]))
        return torch.stack([results[-1], combined[tree.keep]])


class Layers(nn.Module):
    """One cell or several, each reading the outputs of the one before."""

    def __init__(self, make: MakeCell, features: int, hidden: int, layers: int) -> None:
        super().__init__()
        check_numbers(COUNT, hidden=hidden, layers=layers)
        self.hidden = hidden
        self.cells = nn.ModuleList(make(hidden if n else features, hidden) for n in range(layers))

    def forward(self, inputs: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, steps, features) -> the last layer's outputs (n, steps, hidden), and the state it ends in,
        (layers, states, n, hidden), with which another sequence may begin; zeros where none is given."""
        ends: list[Tensor] = []
        for n, cell in enumerate(self.cells):
            empty = inputs.new_zeros(_states(cell), inputs.shape[0], self.hidden)
            state = empty if before is None else before[n]
            outputs = []
            # The input map of all steps is one product; only the recurrent part has to run step by step.
            for x in cell.get_submodule("input")(inputs).unbind(1):
                state = cell(x, state)
                outputs.append(state[0])
            inputs = torch.stack(outputs, 1)
            ends.append(state)
        return inputs, torch.stack(ends)


def _states(cell: nn.Module) -> int:
    states: Any = cell.states
    return int(states)


class RowReader(nn.Module):
    """Reads an image row by row and classifies by the last output, or by `each`, after every row."""

    def __init__(
        self,
        make: MakeCell,
        channels: int,
        width: int,
        classes: int,
        *,
        hidden: int = 64,
        layers: int = 1,
        each: bool = False,
    ) -> None:
        super().__init__()
        self.layers = Layers(make, channels * width, hidden, layers)
        self.each = each
        self.head = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, classes), or (n, classes, h)."""
        rows = images.transpose(1, 2).flatten(2)  # (n, h, channels * w)
        outputs, _ = self.layers(rows)
        logits: Tensor = self.head(outputs if self.each else outputs[:, -1])
        return logits.transpose(1, 2) if self.each else logits


class LanguageModel(nn.Module):
    """Predicts the successor of each token of a text. `tied`: a token's embedding is also the weight of its
    logit (Inan et al. 2017; Press & Wolf 2017), so that embeddings are as wide as the last output."""

    def __init__(
        self,
        make: MakeCell,
        vocabulary: int,
        *,
        hidden: int = 128,
        layers: int = 1,
        tied: bool = True,
    ) -> None:
        super().__init__()
        check_numbers(COUNT, vocabulary=vocabulary, hidden=hidden)
        check_truths(tied=tied)
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.layers = Layers(make, hidden, hidden, layers)
        self.head = nn.Linear(hidden, vocabulary)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.head.bias)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """int64(n, steps) -> logits of each next token (n, steps, vocabulary), and the state (see
        `Layers`)."""
        outputs, state = self.layers(self.embedding(tokens), before)
        return self.head(outputs), state
