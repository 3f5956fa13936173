"""PNAS's comparison (Liu et al., ECCV 2018, Table 2): the number of models that other searches train until
theirs are as good as those of progressive search after its budget.

    python benchmarks/pnas_comparison.py [planted planted-separable nb201-cifar10 nb101]
                    [pnas-bench fashion-mnist]
                    [--seeds 20] [--most 2000] [--out runs/pnas] [--processes 1] [--judge validation]
                    [--rivals reinforce 'ppo(rerank=0, lr=0.00035, batch=20)' evolution random]

"As good" is the mean validation score of the best 1, 5 and 25 models trained so far, as in the paper;
`--judge test` takes the test scores of those models instead, which no search saw. Numbers are where the means
over the seeds meet, intervals their 95 % bootstrap over the seeds; after them comes the rival's score in the
end. A repeat does not count as a model: it is looked up. Every search is kept in the folder `--out`, and not
played again.

At the paper's own scale (B = 5, K = 256: `planted`) examples are counted as the paper does: 20 epochs of
45,000 for every model, and for reinforcement learning 250 models once more for 300 epochs.

`pnas-bench`, which has to be named, are trainings of the paper's own space (see pnas_bench.py; at its size a
rival needs `--most` of no more than its rows). It is a sample: every search is offered only the rows that
there are, so that from level to level progressive search chooses among the children in the table, about twice
as many as it keeps, and not among thousands.

`fashion-mnist`, which has to be named, is live training as in fashion_mnist.py; a cell that two searches ask
for is trained once.
"""

from __future__ import annotations

import argparse
import os
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import fashion_mnist as fashion
import numpy as np

import cambrian
from cambrian.benchmarks import benchmark, play
from cambrian.referee.contest import OnTraining
from cambrian.referee.efficiency import Effort, Match, match, top_means
from cambrian.referee.statistics import interval
from cambrian.strategies import STRATEGIES
from cambrian.strategies.progressive import Progressive
from cambrian.strategies.strategy import Strategy

TOPS = (1, 5, 25)  # as in Table 2
# Sec. 5.3: examples of a search's training (20 epochs of 45,000), and the rerank of reinforcement learning
# (250 models for 300 epochs).
E1, M2, E2 = 20 * 45_000, 250, 300 * 45_000


@dataclass(frozen=True)
class Course:
    """`paper`: the search has the paper's scale, so that examples can be counted as there."""

    progressive: Progressive
    paper: bool = False


COURSES = {
    "planted": Course(Progressive.paper(), paper=True),
    "planted-separable": Course(Progressive.paper(), paper=True),
    "nb201-cifar10": Course(Progressive(keep=100)),
    "nb101": Course(Progressive(keep=50)),
}
SAMPLED = {"pnas-bench": Course(Progressive(keep=50))}
LIVE = "fashion-mnist"
LIVE_SPACE = {"name": "pnas", "arguments": {"blocks": fashion.BLOCKS}}
CONTROLLERS = ("reinforce", "ppo")
RIVALS = (*CONTROLLERS, "evolution", "random")
ENOUGH = 10_000
"""Trials that progressive search never reaches: it ends by itself."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    places = [*COURSES, *SAMPLED, LIVE]
    parser.add_argument("benchmarks", nargs="*", default=list(COURSES), help=f"of {', '.join(places)}")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--most", type=int, default=2000, help="trials of every rival")
    parser.add_argument("--out", type=Path, default=Path("runs/pnas"))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--judge", choices=("validation", "test"), default="validation")
    parser.add_argument("--rivals", nargs="*", default=list(RIVALS))
    args = parser.parse_args()
    # By hand: with `choices`, Python 3.11 refuses the default of a list as a whole.
    if unknown := sorted({*args.benchmarks} - {*places}):
        parser.error(f"no such benchmark: {', '.join(unknown)} (choose from {', '.join(places)})")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.benchmarks:
        with ProcessPoolExecutor(args.processes) as pool:
            jobs = [
                {
                    s: pool.submit(
                        models, name, s, ENOUGH if s == "progressive" else args.most, seed, args.out
                    )
                    for s in ("progressive", *args.rivals)
                }
                for seed in range(args.seeds)
            ]
            scores = {s: [of[s].result() for of in jobs] for s in jobs[0]}
        report(name, scores, args.judge == "test")


def models(name: str, strategy: str, trials: int, seed: int, place: Path) -> np.ndarray:
    """float[2, models] in percent: validation and test score of every model that was trained, in order."""
    label = re.sub(r"[^A-Za-z0-9._=-]+", "-", f"{name}-{strategy}-{trials}-{seed}")
    path = place / f"{label}.npy"
    if not path.exists():
        ours = strategy == "progressive"
        chosen = course(name).progressive if ours else STRATEGIES.parse(strategy)
        if name == LIVE:
            scores = live(chosen, label, trials, seed, place / LIVE)
        else:
            played = play(benchmark(name), chosen, trials, seed)
            # A repeat trains nothing; a table has no crashes.
            trained = [t for t in played.trials if t.cached is None]
            scores = [(t.value, played.benchmark.test(t.architecture)) for t in trained]
        np.save(path, np.array(scores, float).T * [[100], [1]])
    return np.asarray(np.load(path))


def course(name: str) -> Course:
    live = Progressive(levels=fashion.BLOCKS, keep=fashion.KEEP)
    return Course(live) if name == LIVE else {**COURSES, **SAMPLED}[name]


def live(chosen: Strategy, label: str, trials: int, seed: int, home: Path) -> list[tuple[float, float]]:
    """Validation accuracies; that of a crash, and every test accuracy, is NaN."""
    task = cambrian.load(LIVE, size=fashion.SIZE, limit=fashion.IMAGES, validation=fashion.VALIDATION, seed=0)
    contest = OnTraining(task, trials, home, fashion.SEARCH, LIVE_SPACE)
    contest.ready()
    trials_made = contest.search(chosen, seed).run(contest.place(label, seed)).trials
    return [(np.nan if t.value is None else t.value, np.nan) for t in trials_made if t.cached is None]


def report(name: str, scores: dict[str, list[np.ndarray]], by_test: bool) -> None:
    paper, trained = course(name).paper, [f.shape[1] for f in scores["progressive"]]
    budget = round(float(np.mean(trained)))
    print(f"\n{name}, {len(trained)} seeds: progressive search trains {budget} models")
    for top in TOPS:
        curves = {
            s: np.array([judge_curve(f, top, by_test, longest(of)) for f in of]) for s, of in scores.items()
        }
        targets = curves["progressive"][:, -1]
        low, high = interval(targets)
        print(f"  top {top}: {targets.mean():.3f} [{low:.3f}, {high:.3f}]")
        for rival in list(scores)[1:]:
            reached = match(curves[rival], targets)
            ended = f"{curves[rival][:, -1].mean():.3f} after {longest(scores[rival])}"
            phrase = describe_match(reached, budget, paper and rival.startswith(CONTROLLERS))
            print(f"    {rival:20} {phrase}; {ended}")


def longest(scores: list[np.ndarray]) -> int:
    return max(f.shape[1] for f in scores)


def judge_curve(scores: np.ndarray, top: int, by_test: bool, length: int) -> np.ndarray:
    """The curve of the best `top`; a search that trained fewer than `length` models stays where it was."""
    curve = top_tests(*scores, top) if by_test else top_means(scores[0], top)
    return np.pad(curve, (0, length - len(curve)), mode="edge")


def top_tests(validation: np.ndarray, test: np.ndarray, top: int) -> np.ndarray:
    """The mean test score of the best `top` by validation, after each model."""
    means, best = np.full(len(test), np.nan), []
    for n, pair in enumerate(zip(validation, test)):
        # By validation, as a search would choose: the test scores only follow.
        best = sorted([*best, pair], reverse=True)[:top]
        if len(best) == top:
            means[n] = np.mean([t for _, t in best])
    return means


def describe_match(reached: Match, budget: int, reranks: bool) -> str:
    if not np.isfinite(reached.models):
        return "never"
    ours = Effort(budget, E1)
    # The paper's reinforcement learning trains its best models once more before it chooses (M2, E2).
    theirs = Effort(reached.models, E1, M2, E2) if reranks else Effort(reached.models, E1)
    in_models, in_examples = ours.speed_up(theirs)
    text = f"{reached.models:.0f} [{reached.low:.0f}, {reached.high:.0f}] models: {in_models:.2f} times"
    text += f" [{reached.low / budget:.2f}, {reached.high / budget:.2f}]"
    return text + (f", {in_examples:.2f} times the examples" if reranks else "")


if __name__ == "__main__":
    main()
