"""Every strategy on one benchmark: mean and standard deviation of the incumbent's test score.

    python benchmarks/strategies.py [--benchmark nb201-cifar10] [--seeds 20] [--budget 500]
                                    [--processes 1] [evolution hill-climbing ...]

Strategies have their defaults and see validation only; the incumbent is the best by that. Evaluations are
proposals, repeats included; `distinct` counts the evaluated ones of the whole budget, `ms` is the strategy's
own time per proposal. A search that ends early keeps its last score.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import Executor, ProcessPoolExecutor

# Before numpy is imported, which reads it: one thread for each of the processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from cambrian.benchmarks import benchmark, play
from cambrian.errors import Incompatible
from cambrian.strategies import STRATEGIES

EVALUATIONS = (50, 100, 150, 200, 300, 500)


def one(name: str, strategy: str, budget: int, seed: int) -> tuple[np.ndarray, int, float]:
    """Test scores after each trial, the number of trials that were not repeats, and the strategy's seconds
    per proposal."""
    played = play(benchmark(name), strategy, budget, seed)
    distinct = sum(trial.cached is None for trial in played.trials)
    return played.test, distinct, played.thinking / len(played.trials)


def row(pool: Executor, args: argparse.Namespace, strategy: str) -> str:
    jobs = [pool.submit(one, args.benchmark, strategy, args.budget, seed) for seed in range(args.seeds)]
    # A strategy that does not fit the benchmark's space has its reason in its row.
    try:
        outcomes = [job.result() for job in jobs]
    except Incompatible as error:
        return str(error)
    columns = []
    for n in marks(args.budget):
        scores = np.array([test[min(n, len(test)) - 1] for test, _, _ in outcomes])
        columns.append(f"{scores.mean():7.3f} +- {scores.std(ddof=1) if len(scores) > 1 else 0:4.2f}")
    distinct, thinking = (np.mean([f[i] for f in outcomes]) for i in (1, 2))
    return " ".join([*columns, f"{distinct:9.1f} {1000 * thinking:7.2f}"])


def marks(budget: int) -> list[int]:
    return sorted({min(n, budget) for n in EVALUATIONS})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    # An evaluation at a lower fidelity is not one: see multifidelity.py, which counts epochs.
    names = [name for name in STRATEGIES.names() if not getattr(STRATEGIES.get(name), "axes", ())]
    parser.add_argument("strategies", nargs="*", default=names)
    parser.add_argument("--benchmark", default="nb201-cifar10")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()

    print(f"{args.benchmark}, {args.seeds} seeds, optimum {benchmark(args.benchmark).optimum:.3f}")
    heads = [f"{n:>15}" for n in marks(args.budget)]
    print(" ".join([f"{'evaluations':24}", *heads, f"{'distinct':>9} {'ms':>7}"]))
    with ProcessPoolExecutor(args.processes) as pool:
        for strategy in args.strategies:
            print(f"{strategy:24} {row(pool, args, strategy)}", flush=True)


if __name__ == "__main__":
    main()
