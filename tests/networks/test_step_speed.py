"""The step of DARTS against the transcription of the published algorithm that its speed is measured by."""

from __future__ import annotations

import argparse
import sys
from itertools import compress
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from cambrian.networks.sharing.methods.gate_rules import Progress, mix_softmax
from cambrian.networks.sharing.methods.gate_step import complete

FILTERS, CELLS, SIDE = 4, 3, 8


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import step_speed

    yield step_speed
    del sys.modules["step_speed"]


def test_loss_and_gradients_are_those_of_the_published_algorithm(benchmark):
    """In float64 within 1e-12 relative, of every learned weight and every gate, for random gates: the gates'
    from the pass that learns them, the weights' from the pass in which gates are fixed."""
    torch.manual_seed(0)
    supernet, _, _ = benchmark.make_ours(FILTERS, CELLS, SIDE, 8)
    supernet.double()
    network = benchmark.transcribe(supernet, FILTERS, CELLS).double()
    sites = {name: site for name, site in supernet.sites.items() if not site.edges}
    gates = {
        name: torch.randn(s.options, dtype=torch.float64, requires_grad=True) for name, s in sites.items()
    }
    network.logits = [
        torch.stack([g.detach() for g in rows]).requires_grad_() for rows in benchmark.list_gates(gates)
    ]
    x = torch.randn(4, 3, SIDE, SIDE, dtype=torch.float64)
    targets = torch.randint(3, (4,))
    loss = F.cross_entropy(network(x), targets)
    learned = [parameter.requires_grad for parameter in network.parameters()]
    assert not all(learned)
    expected = torch.autograd.grad(loss, [*network.logits, *compress(network.parameters(), learned)])

    def lose(logits):
        supernet.choose(supernet.whole)
        supernet.mix(complete(mix_softmax(logits, Progress(0, 1)), supernet))
        return F.cross_entropy(supernet(x), targets)

    by_gates = lose(gates)
    slopes = torch.autograd.grad(by_gates, list(gates.values()))
    rows = benchmark.list_gates(dict(zip(gates, slopes, strict=True)))
    by_weights = lose({name: gate.detach() for name, gate in gates.items()})
    named = dict(supernet.named_parameters())
    own = {name: parameter for name, parameter in named.items() if parameter.requires_grad}
    found = torch.autograd.grad(by_weights, list(own.values()), materialize_grads=True)
    slopes = benchmark.match_parameters(supernet, {**named, **dict(zip(own, found, strict=True))}, network)
    ours = [*map(torch.stack, rows), *compress(slopes, learned)]
    assert by_gates.item() == pytest.approx(loss.item(), rel=1e-12)
    assert by_weights.item() == pytest.approx(loss.item(), rel=1e-12)
    assert len(ours) == len(expected)
    largest = max(float(g.abs().max()) for g in expected)
    for one, other in zip(ours, expected, strict=True):
        # A gradient that is zero in theory is noise around it: it is compared with the others' size.
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12 * largest)


@pytest.mark.slow
def test_a_step_takes_no_more_memory_than_that_of_the_published_algorithm(benchmark):
    """Of the tensors that are alive at one time: the largest of what a step makes."""
    steps = benchmark.make_steps(argparse.Namespace(filters=FILTERS, cells=CELLS, side=SIDE, batch=8))
    peaks = {name: benchmark.measure_peak(step) for name, step in steps.items()}
    assert 0 < peaks["ours"] <= min(peaks.values())
