"""Bits per character of the network that a search of three minutes would train last, after so many seconds of
processor time, which other work on the machine does not move: its favourite, on all but the test part, by its
own recipe, with one thread and one seed.

    python benchmarks/texts.py tinyshakespeare.txt 30
"""

from __future__ import annotations

import sys
import time

import torch

import cambrian
from cambrian.architecture import Architecture
from cambrian.estimators.scoring import score_goal
from cambrian.estimators.training_data import scoring_images, training_images
from cambrian.estimators.training_run import augment_for
from cambrian.networks.pointwise import memory_format
from cambrian.networks.training.losses import make_loss
from cambrian.networks.training.trainer import Training
from cambrian.outcome import Fidelity
from cambrian.search.planning.plan import plan

EPOCHS = 1000
"""More than there is time for."""


def main(path: str, seconds: float) -> None:
    torch.set_num_threads(1)
    task = cambrian.load(path)
    search = plan(task, "3m", workers=1).search
    favourite, recipe = search.strategy.entrants[0], search.estimators["final"]
    torch.manual_seed(0)
    network = search.space.build(Architecture(favourite["architecture"]), task, **favourite["skeleton"])
    network = network.to(memory_format=memory_format(network))
    fidelity = Fidelity(EPOCHS)
    images = training_images(task, fidelity, "deliver", 0, "cpu")
    training = Training(network, images, recipe, augment_for(recipe, task, fidelity), EPOCHS)
    began = time.process_time()

    def fit_to_time() -> None:
        elapsed = time.process_time() - began
        training.fit(int(training.steps_done * max(1.0, seconds / elapsed)))

    while not training.finished:
        training.run_epoch(fit_to_time)
    tested = scoring_images(task, fidelity, "deliver", "cpu")
    scores = score_goal(network, tested, 256, make_loss(recipe, task.goal))
    bits = scores["bits_per_character"]
    print(f"{favourite['name']} {favourite['skeleton']}: {bits:.3f} bits per character after {seconds:g} s")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
