"""Speed of surrogates in ranking the children of level 5, with and without sharing their parents' work.

    python benchmarks/surrogates.py [--parents 256] [--plain 16384] [--repeats 3] [mlp-ensemble ...]

Random cells of four blocks are grown by every fifth block and scored by surrogates fitted on random values,
which cost as much as any. The plain way writes every child out and reads it from its first
token; it gets a sample of them, is scaled by their number, and must agree. One run, taking turns.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cambrian.architecture import replay
from cambrian.predictors import PREDICTORS
from cambrian.predictors.predictor import chunks
from cambrian.predictors.token_model import Tokens, children
from cambrian.randomness import stream
from cambrian.spaces.cells.pnas import PNAS


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def score_plainly(model: Any, state: Any, parents: Tokens, parent: Tokens, step: Tokens) -> Any:
    """The scores of a pool's children, each written out and read."""
    parts = chunks(len(parent), 8192)
    return np.concatenate(
        [model.predict_tokens(state, children(parents, parent[part], step[part])) for part in parts]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("surrogates", nargs="*", default=["ridge", "mlp-ensemble", "lstm-ensemble"])
    parser.add_argument("--parents", type=int, default=256)
    parser.add_argument("--plain", type=int, default=16384)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    space, rng = PNAS(), stream(0, "surrogates")
    four = PNAS(blocks=4)
    parents = [replay(four, {"blocks": 4}, lambda c: c.draw(rng)) for _ in range(args.parents)]
    tokens = space.tokens(parents)
    grown = seconds(lambda: space.grow(parents, rng))
    pool = space.grow(parents, rng)
    # The plain way takes minutes for all: a sample is scaled by the number of children.
    some = rng.choice(len(pool), min(args.plain, len(pool)), replace=False)
    print(f"{pool.before:,} children, {len(pool):,} distinct, grown in {grown:.2f} s")
    for name in args.surrogates:
        model = PREDICTORS.make(name)
        state = model.start_tokens(space.slots, space.vocabulary, 0)
        fitted = seconds(lambda m=model, s=state: m.fit_tokens(s, tokens, rng.random(len(tokens))))
        state = model.fit_tokens(state, tokens, rng.random(len(tokens)))
        shared, plain = [], []
        for _ in range(args.repeats):
            start = time.perf_counter()
            scores = model.score_children(state, tokens, pool.parent, pool.step)
            # In turns: another load on the machine then slows both.
            shared.append(time.perf_counter() - start)
            start = time.perf_counter()
            expected = score_plainly(model, state, tokens, pool.parent[some], pool.step[some])
            plain.append((time.perf_counter() - start) * len(pool) / len(some))
        # The oracle: shared work must give the scores of reading each child whole.
        assert np.allclose(scores[some], expected, atol=1e-5), f"{name}: the two ways disagree"
        one, other = statistics.median(shared), statistics.median(plain)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{name:14} scored in {one:6.2f} s, written out {other:7.1f} s, ratio {other / one:5.1f}; "
            f"a fit on {len(tokens)} cells {fitted:5.1f} s; peak memory {peak:.0f} MiB"
        )


if __name__ == "__main__":
    main()
