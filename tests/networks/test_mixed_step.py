"""One first-order step of a mixture, against a plain transcription of the published algorithm."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gate_cases
from cambrian.networks.sharing.switches import Fork
from cambrian.networks.training.step import Moment
from cambrian.spaces.cells.nasbench201.network import EDGES, NODES, Cell

TOLERANCE = 1e-12  # relative, in float64


def transcribe(network: nn.Module, gates: dict[str, Tensor], x: Tensor) -> Tensor:
    """The supernet's logits, contiguous and with every operation run for itself: an edge is the sum of all
    candidates, zeros too, by their weights (Liu et al. 2019, Eq. 2)."""
    x = x.contiguous()
    for layer in network.children():
        x = transcribe_cell(layer, gates, x) if isinstance(layer, Cell) else layer(x)
    return x


def transcribe_cell(cell: Cell, gates: dict[str, Tensor], x: Tensor) -> Tensor:
    nodes = [x]
    for to in range(1, NODES):
        total = torch.zeros_like(x)
        for source in (source for source, end in EDGES if end == to):
            fork = cell.edges[f"{source}-{to}"]
            assert isinstance(fork, Fork)
            weights = gates[fork.gate].softmax(0)
            total = total + sum(w * op(nodes[source]) for w, op in zip(weights, fork.candidates, strict=True))
        nodes.append(total)
    return nodes[-1]


def record_gradients(step: Any) -> dict[str, list[Tensor]]:
    """The gradients that a step descends, which its optimisers are not given."""
    found: dict[str, list[Tensor]] = {}
    weights = step._by_weights

    def keep(_: float) -> None:
        found["weights"] = [p.grad.clone() for p in weights.parameters if p.requires_grad]
        for parameter in weights.parameters:
            parameter.grad = None

    weights.descend = keep
    step._move_gates = lambda gradients: found.__setitem__("gates", gradients)
    return found


def test_loss_and_gradients_are_those_of_the_plain_algorithm() -> None:
    """Of every gate on the validation batch, and of every learned weight on the training batch."""
    supernet, step = gate_cases.make_step(gate_cases.make_job("darts"))
    supernet.double()
    step._logits = {
        k: nn.Parameter(torch.randn_like(g, dtype=torch.float64)) for k, g in step._logits.items()
    }
    # The step's own loss is computed in 32 bits.
    step._loss = lambda network, inputs, targets, moment: F.cross_entropy(network(inputs), targets)
    found = record_gradients(step)
    torch.manual_seed(1)
    inputs, targets = torch.randn(8, 2, 8, 8, dtype=torch.float64), torch.arange(8) % 3
    held, labels = step._validation.batch(0, 0)
    step._validation.batch = lambda *_: (held.double(), labels)
    parameters = [parameter for parameter in supernet.parameters() if parameter.requires_grad]
    plain = F.cross_entropy(transcribe(supernet.network, step._logits, held.double()), labels)
    gates = torch.autograd.grad(plain, list(step._logits.values()))
    loss = F.cross_entropy(transcribe(supernet.network, step._logits, inputs), targets)
    weights = torch.autograd.grad(loss, parameters)
    mine = step.take(inputs.contiguous(memory_format=torch.channels_last), targets, Moment(0, 0, 9, 9))
    torch.testing.assert_close(mine, loss.detach(), rtol=TOLERANCE, atol=0)
    for one, other in ((found["gates"], gates), (found["weights"], weights)):
        for a, b in zip(one, other, strict=True):
            assert (a - b).norm() <= TOLERANCE * b.norm().clamp_min(1e-3)
