"""Whether a search that begins with a quick audit ends with a better network than one of the preset, at
equal seconds, on live data of three kinds.

    python benchmarks/quick_audit.py RUN --data digits fashion.npz sounds/ --budget 5m --seeds 5

Every search is a run in RUN, so that the same call goes on after an interruption; a finished one is not run
again. The test score of the network that each hands over is compared, in pairs of equal seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import cambrian
from cambrian.referee.statistics import interval

DATA = ("digits",)
SIDES = {"quick audit": True, "preset": False}


def main() -> None:
    asked = read_arguments()
    for place in asked.data or DATA:
        name = Path(place).stem
        scores: dict[str, list[float]] = {side: [] for side in SIDES}
        for seed in range(asked.seeds):
            for side in SIDES:
                score, chosen = search(asked, name, place, side, seed)
                scores[side].append(score)
                print(f"{name:>10} seed {seed}  {side:>11}  {100 * score:.2f} %  {chosen}", flush=True)
        report(name, scores)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--space", default="nasbench201")
    parser.add_argument("--strategy", default="progressive")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=int, default=None, help="images of each data set")
    parser.add_argument("--data", nargs="*", default=[], help="names or paths, of three kinds")
    return parser.parse_args()


def search(asked: argparse.Namespace, name: str, place: str, side: str, seed: int) -> tuple[float, str]:
    """The test score of the search's network, and the fidelity of its last trial."""
    folder = asked.run / f"{name}-{side.replace(' ', '-')}-{seed}"
    note = folder / "score.json"
    if not note.exists():
        note.write_text(json.dumps(run(asked, place, side, seed, folder)))
    told = json.loads(note.read_text())
    return float(told["score"]), str(told["chosen"])


def run(asked: argparse.Namespace, place: str, side: str, seed: int, folder: Path) -> dict[str, Any]:
    if (folder / "ledger.sqlite").exists():
        result = cambrian.Search.resume(folder).run(folder, quiet=True)
    else:
        task = cambrian.load(place, limit=asked.limit) if asked.limit else cambrian.load(place)
        planned = cambrian.plan(
            task,
            asked.budget,
            workers=asked.workers,
            space=asked.space,
            strategy=asked.strategy,
            baselines=(),
            audit=SIDES[side],
            seed=seed,
        )
        result = planned.run(folder, quiet=True)
    last = result.trials[-1]
    trained = f"{last.fidelity.epochs} epochs of {last.fidelity.fraction:.0%}, {len(result.trials)} trials"
    assert result.winner is not None
    assert result.task is not None
    assert result.winner.outcome is not None
    return {
        "score": result.winner.outcome.metrics[f"test_{result.task.metric}"],
        "chosen": f"{last.reason.get('fidelity', '')} {trained}".strip(),
    }


def report(name: str, scores: dict[str, list[float]]) -> None:
    """The mean difference of pairs with its bootstrap interval, in points."""
    audited, preset = (100 * np.array(scores[side]) for side in SIDES)
    difference = audited - preset
    low, high = interval(difference)
    print(
        f"{name:>10} with an audit {audited.mean():.2f} %, by the preset {preset.mean():.2f} %;"
        f" difference {difference.mean():+.2f} points [{low:+.2f}, {high:+.2f}]"
    )


if __name__ == "__main__":
    main()
