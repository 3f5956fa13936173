"""A text that a network writes: it predicts the next character, one is drawn, and is read in its turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cambrian.randomness import stream
from cambrian.tasks.texts import Script, choose_next, draw_texts, read_script

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cambrian.search.result import Result

CHARACTERS = 300
WORK = 2e9
"""Multiply-adds that a sample may take: a fraction of a second of a core."""
FEWEST = 50

Predict = Callable[["NDArray[np.uint8]"], "NDArray[np.float32]"]


def write_text(predict: Predict, script: Script, begin: str, count: int, rng: np.random.Generator) -> str:
    """`count` characters that follow `begin`, each drawn from the probabilities float[1, characters + 1] that
    `predict` gives after those before it; characters that have no channel of their own are never drawn."""
    text = begin
    for _ in range(count):
        probabilities = predict(draw_texts([text], script, "the sample"))[0, : len(script.characters)]
        likely = probabilities.astype(np.float64)
        text += script.characters[int(rng.choice(len(likely), p=likely / likely.sum()))]
    return text[len(begin) :]


def sample_text(result: Result, macs: float | None) -> str:
    """A text by the network of a run on a corpus, which begins where the test part does. Its length is one
    that a network of so many multiply-adds writes at once."""
    task = result.task
    assert task is not None
    script = read_script(task.rendering["text"])
    count = CHARACTERS if not macs else int(np.clip(WORK / macs, FEWEST, CHARACTERS))
    first = task.inputs[task.test[0], :, 0].argmax(1).tolist()
    # The last channel is any other character, which a space stands for.
    begin = "".join((script.characters + " ")[code] for code in first)
    return write_text(_read_model(result), script, begin, count, stream(0, "report", "sampled text"))


def _read_model(result: Result) -> Predict:
    """The probabilities of the run's network, which is loaded once."""
    import torch

    from cambrian.networks.heads import first_head

    model = result.model()

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            probabilities = first_head(model(pixels)).softmax(1).numpy()
        return choose_next(probabilities, images)

    return predict
