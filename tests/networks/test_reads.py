"""What mixtures make of a state once, and weights inside normalisations, against plain sums."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from cambrian.networks.operations import OPERATIONS
from cambrian.networks.sharing.mixing import Candidates, Summed, Weighted
from cambrian.networks.sharing.reads import Reads
from cambrian.networks.sharing.switches import Fork

CHANNELS = 8


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_two_edges_from_a_state_are_the_sum_of_their_operations(stride, training):
    """Of all operations at once, in float64 within 1e-12: the sum, the gradients of weights, of the state and
    of every parameter, and the running statistics."""
    torch.manual_seed(0)
    edges = [
        nn.ModuleList(make(CHANNELS, CHANNELS, stride) for make in OPERATIONS.values()).double()
        for _ in range(2)
    ]
    plain = copy.deepcopy(edges)
    weights = torch.rand(2, len(OPERATIONS), dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, CHANNELS, 7, 7, dtype=torch.float64, requires_grad=True)
    forks = [Fork("op", range(len(edge)), list(edge)).train(training) for edge in edges]
    for fork, row in zip(forks, weights, strict=True):
        fork.mixture = Weighted(row)
    for edge in plain:
        edge.train(training)
    found = Summed()(Candidates("in", forks, [(x,)] * 2))
    expected = sum(
        w * f(x) for edge, row in zip(plain, weights, strict=True) for w, f in zip(row, edge, strict=True)
    )
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(found, expected, **close)
    g = torch.randn_like(found)
    ours = torch.autograd.grad(found, [weights, x, *(p for e in edges for p in e.parameters())], g)
    theirs = torch.autograd.grad(expected, [weights, x, *(p for e in plain for p in e.parameters())], g)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12 * float(other.abs().max() + 1))
    for one, other in zip(edges, plain, strict=True):
        for name, buffer in one.named_buffers():
            torch.testing.assert_close(buffer, other.get_buffer(name), **close)


def pool(kernel):
    return nn.MaxPool2d(kernel, 1, kernel // 2)


def test_a_state_is_pooled_once(monkeypatch):
    """For all edges that read it; another state, or another pooling, is another image."""
    reads, runs, real = Reads(), [], nn.MaxPool2d.forward
    noted = lambda self, x: (runs.append(self.kernel_size), real(self, x))[1]  # noqa: E731
    monkeypatch.setattr(nn.MaxPool2d, "forward", noted)
    x, y = torch.randn(2, 1, 3, 4, 4).unbind()
    assert reads.run(pool(3), x) is reads.run(pool(3), x)
    assert reads.run(pool(3), y) is not reads.run(pool(5), y)
    assert runs == [3, 3, 5]


def test_a_pooling_that_somebody_watches_runs_each_time():
    """As where an expected cost reads the shapes of what runs."""
    reads, seen, x = Reads(), [], torch.randn(1, 3, 4, 4)
    for _ in range(2):
        module = pool(3)
        module.register_forward_pre_hook(lambda *_: seen.append(1))
        reads.run(module, x)
    assert len(seen) == 2


def test_a_module_that_changes_its_input_gets_its_own():
    """A user's, after a rectifier: what other candidates read is not changed."""

    class Doubled(nn.Module):
        def forward(self, x):
            return x.mul_(2)

    reads, x = Reads(), torch.ones(1, 1, 2, 2)
    conv = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1, bias=False))
    before = reads.run(conv, x)
    assert torch.equal(reads.run(nn.Sequential(nn.ReLU(), Doubled()), x), 2 * x)
    assert torch.equal(reads.run(conv, x), before)


@pytest.mark.parametrize("name", ["conv3x3", "skip"])
def test_a_watched_candidate_runs_as_a_whole(name):
    """With the same output, and its hooks are called."""
    torch.manual_seed(0)
    fork, x, runs = Fork("op", [0], [OPERATIONS[name](4, 4, 2)]), torch.randn(2, 4, 6, 6), []
    fork.mixture = Weighted(torch.tensor([0.5]))
    before = fork(x)
    fork.candidates[0].register_forward_hook(lambda *_: runs.append(1))
    torch.testing.assert_close(fork(x), before)
    assert runs == [1]


def test_what_passes_between_nodes_keeps_its_layout():
    """Where states are concatenated, the gradient of one is a slice: it arrives in one piece, with channels
    last as the state has them, and so do the gradient of a reduced state and the reduced state itself."""
    layout = torch.channels_last
    x = torch.randn(2, CHANNELS, 8, 8).contiguous(memory_format=layout).requires_grad_()
    total = Summed()(Candidates("in", [nn.ReLU(), nn.ReLU()], [(x,), (x,)]))
    seen = []
    total.register_hook(seen.append)
    torch.cat([total, total.detach()], 1).square().sum().backward()
    assert seen[0].is_contiguous(memory_format=layout)
    reduce = OPERATIONS["skip"](CHANNELS, CHANNELS, 2)
    assert reduce(x).is_contiguous(memory_format=layout)
    y = Reads().run_weighted(reduce, 1.0, x)
    assert torch.autograd.grad(y.square().sum(), x)[0].is_contiguous(memory_format=layout)
