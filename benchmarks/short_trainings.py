"""What a short training is worth when its statistics of normalisation are measured anew before it is scored.

    python benchmarks/rq3.py RUN --parts others --others sounds.npz
    python benchmarks/short_trainings.py RUN/others --epochs 1 3

The running averages of batch normalisation lag behind weights that change with every step, and a training of
a few steps ends before they have caught up. Each network of an audit's sample is trained once at each lower
fidelity and scored twice: with the running averages, and with means over the batches of one pass over the
training part (as of supernets, Guo et al. 2020, Sec. 3.2). Prints both mean values, and Kendall's tau of both
with the audit's truth. Nothing is kept: the same command begins anew.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
from scipy.stats import kendalltau

from cambrian.architecture import Architecture
from cambrian.estimators.build import build_measured
from cambrian.estimators.job import Job
from cambrian.estimators.scoring import score_network
from cambrian.estimators.train import Train
from cambrian.estimators.training_data import training_images
from cambrian.estimators.training_start import start_training
from cambrian.networks.sharing.norms import measure_statistics
from cambrian.outcome import Fidelity, Infeasible
from cambrian.search.result import Result

TRAIN = Train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("audit", type=Path, help="the folder of a finished audit by training")
    parser.add_argument("--epochs", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--fractions", type=float, nargs="*", default=[], help="of the images, in all epochs")
    parser.add_argument("--networks", type=int, default=None, help="only the first of the sample")
    asked = parser.parse_args()
    truth = Result.open(asked.audit / "truth")
    values: dict[Architecture, list[float]] = {}
    for trial in truth.trials:
        if trial.value is not None:
            values.setdefault(trial.architecture, []).append(trial.value)
    sample = list(values)[: asked.networks]
    true = [float(np.mean(values[architecture])) for architecture in sample]
    full = truth.trials[0].fidelity
    lower = [msgspec.structs.replace(full, epochs=epochs) for epochs in asked.epochs]
    lower += [msgspec.structs.replace(full, fraction=fraction) for fraction in asked.fractions]
    for fidelity in lower:
        pairs = np.array([score_twice(truth, architecture, fidelity) for architecture in sample])
        report(fidelity, pairs, true)


def score_twice(run: Result, architecture: Architecture, fidelity: Fidelity) -> tuple[float, float]:
    """The value of one training with the running averages, and with measured statistics."""
    assert run.task is not None  # an audit by training has data
    job = Job.of(run.space, architecture, fidelity, run.task)
    built = build_measured(job)
    assert not isinstance(built, Infeasible)  # there are no limits
    training = start_training(built.network, TRAIN, job, run.task)
    while not training.finished:
        training.run_epoch()
    running = score_network(built.network, TRAIN, run.task, job)["value"]
    images, size = training_images(run.task, fidelity, "search", job.seed, "cpu"), TRAIN.batch_size
    ends = ((begin, min(begin + size, len(images))) for begin in range(0, len(images), size))
    measure_statistics(built.network, (images.read(*pair) for pair in ends))
    return running, score_network(built.network, TRAIN, run.task, job)["value"]


def report(fidelity: Fidelity, pairs: np.ndarray, true: list[float]) -> None:
    means = " and ".join(f"{mean:.4f}" for mean in pairs.mean(axis=0))
    taus = " and ".join(f"{kendalltau(column, true).statistic:.2f}" for column in pairs.T)
    print(
        f"{fidelity.epochs} epochs of {fidelity.fraction:.2g} of the images, {len(true)} networks: mean value"
        f" {means}, Kendall's tau with the truth {taus} (running averages, measured statistics)",
        flush=True,
    )


if __name__ == "__main__":
    main()
