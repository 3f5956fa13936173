"""Whether challengers of a race's winner pay: the same seconds for a network alone, and for it with a part of
them spent on networks a step away, which begin with its function.

    python benchmarks/challengers.py DATA --seconds 150 --shares 0,0.15,0.3 --seeds 2

Every run trains the first of the portfolio for `--heat` seconds, lets `--challenges` heats of two networks
and itself follow within its share, and trains the winner on to the end, all on one thread. They are processor
seconds, so that other work on the machine costs none of them. Prints the winner, its parameters, and its test
accuracy, then the mean of the paired differences to the first share.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

import torch

import cambrian
from cambrian.estimators.train import Train
from cambrian.outcome import ENDLESS, Done, Fidelity
from cambrian.search.loop.final import Final
from cambrian.search.planning.race.amounts import choose_coarse
from cambrian.spaces import SPACES
from cambrian.strategies.multifidelity.race import Race

STEADY: Mapping[str, Any] = {"schedule": "constant", "epoch_steps": 500, "warmup": 0.1, "average": 0.98}
FALLING: Mapping[str, Any] = {"schedule": "linear", "epoch_steps": 200, "warmup": 0.1}
COMMON: Mapping[str, Any] = {"learning_rate": 0.3, "batch_size": 128, "label_smoothing": 0.1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--heat", type=float, default=20.0)
    parser.add_argument("--shares", default="0,0.3")
    parser.add_argument("--challenges", type=int, default=3)
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--limit", type=int, default=None, help="images")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = cambrian.load(arguments.data, limit=arguments.limit)
    shares = [float(share) for share in arguments.shares.split(",")]
    # Seed by seed, so that a run that is ended early has pairs.
    rows = [[run(task, share, seed, arguments) for share in shares] for seed in range(arguments.seeds)]
    scores = dict(zip(shares, zip(*rows, strict=True), strict=True))
    for share in shares[1:]:
        gains = [100 * (one - other) for one, other in zip(scores[share], scores[shares[0]], strict=True)]
        spread = f" (standard error {stdev(gains) / len(gains) ** 0.5:.2f})" if len(gains) > 1 else ""
        print(f"share {share:g} against {shares[0]:g}: {mean(gains):+.2f} points{spread}")


def run(task: cambrian.Task, share: float, seed: int, arguments: argparse.Namespace) -> float:
    """The test accuracy of one run."""
    space = SPACES.make("stages")
    name, network = next(iter(space.portfolio.items()))
    entrant = {"name": name, "architecture": dict(network), "skeleton": {"filters": arguments.filters}}
    contested = share * arguments.seconds
    race = Race(
        (entrant,),
        seconds=arguments.heat,
        challengers=2,
        challenges=arguments.challenges if share else 0,
        challenge_seconds=contested / (3 * arguments.challenges) or None,
        margin=0.001,
        inherits=True,
    )
    last = Fidelity(ENDLESS, seconds=arguments.seconds - arguments.heat - contested)
    with tempfile.TemporaryDirectory() as directory:
        result = cambrian.Search(
            space,
            race,
            Train(**COMMON, **STEADY),
            task,
            seed=seed,
            engine="serial",
            workers=1,
            fidelity=Fidelity(ENDLESS, resolution=choose_coarse(task, None)),
            estimators={"final": Train(**COMMON, **FALLING, first_resolution=0.5, full_from=0.75)},
            final=Final(last, top=2, baselines=(), continues=True, estimator="final"),
        ).run(directory, quiet=True)
    winner = result.winner
    assert winner is not None
    assert isinstance(winner.outcome, Done)
    tested = winner.outcome.metrics["test_accuracy"]
    steps = [t.reason["step"] for t in result.trials if t.reason.get("step")]
    changed = sum(winner.architecture.get(path) != answer for path, answer in network.items())
    print(
        f"seed {seed}, share {share:g}: {100 * tested:.2f} % with {winner.outcome.metrics['params']:,.0f}"
        f" parameters, {changed} steps from {name}; tried {', '.join(steps) or 'none'}",
        flush=True,
    )
    return tested


if __name__ == "__main__":
    main()
