"""What the golden files were recorded from: seeded searches of every strategy, and runs on disk.

    python tests/golden/record.py proposals      writes proposals.json
    python tests/golden/record.py runs           writes runs/

Recorded again only by a commit that says why searches propose something else, or what a run's files are now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.codec import encode
from cambrian.errors import Incompatible
from cambrian.outcome import Fidelity, Trial
from cambrian.randomness import stream
from cambrian.search.loop.final import Final
from cambrian.search.search import Search
from cambrian.testing import toy_task

HERE = Path(__file__).parent
TRIALS, SEED, LAG = 24, 11, 2

STRATEGIES: dict[str, dict[str, Any]] = {
    "random": {},
    "progressive": {"keep": 6, "first": 8},
    "hill-climbing": {},
    "evolution": {"population": 8, "sample": 3, "crossover": 0.3},
    "tournament": {"population": 6},
    "hierarchical-tournament": {"initial": 6, "mutations": 5, "share": 0.2},
    "reinforce": {"hidden": 8},
    "ppo": {"hidden": 8, "rerank": 3, "trials": 20},
    "q-learning": {"horizon": 30, "replay": 10},
    "bayes": {"initial": 6, "candidates": 20},
    "nas-bowl": {"initial": 6, "refit": 8, "candidates": 4},
    "bananas": {"initial": 6, "candidates": 4, "layers": 2, "epochs": 5},
    "smac": {"initial": 6, "refit": 8, "candidates": 4},
    "nasbot": {"initial": 6, "refit": 8, "candidates": 4},
    "tpe": {},
}
"""Settings small enough that each strategy comes through its phases in `TRIALS` trials."""

NUMERICAL = ("progressive", "reinforce", "ppo", "bayes", "nas-bowl", "bananas", "smac", "nasbot")
"""Strategies whose proposals hang on the last bits of matrix products."""
LEARNING = ("progressive",)
"""Those of them whose proposals hang on long learning, in which machines differ that agree above."""

PLACES: dict[str, Any] = {
    "tiny-chain": "tiny-chain",
    "nasbench201": "nasbench201",
    "pnas": {"name": "pnas", "arguments": {"blocks": 3}},
    "planted": None,
}
"""Three spaces, measured by `shares`, and a benchmark."""


def shares(architecture: Mapping[str, Any], fidelity: Any) -> float:
    """A made-up accuracy: each answer adds its share; about one architecture in ten cannot be had."""
    drawn = [
        int(stream(0, "golden", path, repr(answer)).integers(1000)) for path, answer in architecture.items()
    ]
    return float("nan") if sum(drawn) % 10 == 7 else sum(drawn) / (1000 * (1 + len(drawn)))


MADE_UP = {"name": "function", "arguments": {"function": "golden_searches:shares", "builds": False}}


def search(strategy: str, place: str) -> Search:
    """The search whose proposals are golden. Raises Incompatible where the two do not go together."""
    spec = {"name": strategy, "arguments": STRATEGIES[strategy]}
    if place == "planted":
        from cambrian.benchmarks import benchmark

        planted = benchmark("planted")
        return Search(
            planted.space,
            spec,
            planted.estimator,
            None,
            TRIALS,
            seed=SEED,
            lag=LAG,
            fidelity=planted.fidelity,
        )
    return Search(PLACES[place], spec, MADE_UP, None, TRIALS, seed=SEED, lag=LAG)


def proposals(strategy: str, place: str) -> list[str] | str:
    """A digest of each trial as it was proposed, or the sentence that refuses the pair."""
    try:
        found = search(strategy, place)
    except Incompatible as error:
        return str(error)
    return [proposed(trial) for trial in found.run().trials]


def proposed(trial: Trial) -> str:
    """Eight digits for what was asked for: the architecture, how dearly, and whose child it is."""
    asked = (dict(trial.architecture), trial.fidelity, trial.parent, trial.replicate, trial.cached)
    return hashlib.sha256(encode(asked)).hexdigest()[:8]


def arithmetic() -> str:
    """What this machine's linear algebra gives in its last bits: others may propose something else."""
    import torch

    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(60, 60))
    tensor = torch.from_numpy(matrix).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = [
            np.linalg.cholesky(matrix @ matrix.T + 60 * np.eye(60)).tobytes(),
            np.exp(matrix).tobytes(),
            torch.nn.functional.linear(tensor, tensor[:20]).sigmoid().numpy().tobytes(),
        ]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def learning() -> str:
    """What an ensemble of two layers learns in 100 steps on this machine: its products have the shapes of
    the surrogates', since kernels are chosen by shape, and a difference in one last bit spreads to all."""
    import torch

    rng = np.random.default_rng(1)
    inputs = torch.from_numpy(rng.random((5, 16, 130), dtype=np.float32))
    targets = torch.from_numpy(rng.random((5, 16, 1), dtype=np.float32))
    shapes = (130, 100), (1, 100), (100, 1)
    weights = [
        torch.from_numpy(rng.uniform(-0.1, 0.1, (5, *shape)).astype(np.float32)).requires_grad_()
        for shape in shapes
    ]
    adam = torch.optim.Adam(weights, lr=0.01, fused=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(100):
        hidden = torch.baddbmm(weights[1], inputs, weights[0]).relu()
        error = (torch.bmm(hidden, weights[2]).sigmoid() - targets).abs()
        adam.zero_grad()
        error.mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    torch.set_num_threads(threads)
    learned = b"".join(weight.detach().numpy().tobytes() for weight in weights)
    return hashlib.sha256(learned).hexdigest()[:16]


RUNS = {
    "function": lambda: Search("tiny-chain", evolution(), MADE_UP, None, 20, seed=SEED, lag=LAG),
    "train": lambda: Search(
        "tiny-chain",
        "random",
        {"name": "train", "arguments": {"batch_size": 16}},
        toy_task(),
        4,
        seed=SEED,
        fidelity=Fidelity(2),
        final=Final(Fidelity(3), top=2),
    ),
}
"""Searches whose directories are kept, as they were when ended and when killed."""

KILLED = {"function": ("trial", 13), "train": ("final", 1)}
"""In which stage, and at the claim of its how manyth row (from 0), the second run of each was killed."""


def evolution() -> dict[str, Any]:
    return {"name": "evolution", "arguments": STRATEGIES["evolution"]}
