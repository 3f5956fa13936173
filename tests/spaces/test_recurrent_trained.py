"""Recurrent cells trained for real: on digits read row by row, and on a slice of Shakespeare."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch

from cambrian.estimators.function import Function
from cambrian.estimators.job import Job
from cambrian.estimators.train import Train
from cambrian.outcome import Done, Fidelity
from cambrian.spaces.sequences.recurrent.darts_rnn import DARTS_V2, DARTSRNN
from cambrian.spaces.sequences.recurrent.nascell import PUBLISHED, NASCell
from cambrian.tasks.loading import load
from published_tables import table
from small_training import estimated

DARTS = (DARTSRNN(), DARTSRNN().architecture(DARTS_V2))
TREE = (NASCell(), NASCell().architecture(PUBLISHED))
LENGTH, BATCH, STEPS = 16, 32, 100


@pytest.fixture(scope="module")
def shakespeare():
    """Tokens of the first 40,000 characters to learn from and of the 4,000 after them, and how many kinds
    of character there are."""
    text = gzip.decompress(table("text", "tinyshakespeare.txt.gz").read_bytes()).decode()[:44_000]
    tokens = torch.tensor(np.unique(list(text), return_inverse=True)[1])
    return tokens[:40_000], tokens[40_000:], int(tokens.max()) + 1


def unigram(learned, unseen, vocabulary):
    """Nats per character of knowing frequencies alone."""
    counts = torch.bincount(learned, minlength=vocabulary) + 1
    return -torch.log(counts / counts.sum())[unseen].mean().item()


def loss(network, tokens):
    """int64(n, steps + 1) -> nats per character."""
    logits, _ = network(tokens[:, :-1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@pytest.mark.parametrize(("space", "architecture"), [TREE, pytest.param(*DARTS, marks=pytest.mark.slow)])
def test_text_is_learned_through_a_function_of_ones_own(space, architecture, shakespeare):
    """The negated loss of a language model, as an estimator, ends well (half a nat) below what frequencies
    alone come to on text not seen."""
    learned, unseen, vocabulary = shakespeare

    def train(architecture, fidelity):
        torch.manual_seed(0)
        network = space.language_model(architecture, vocabulary, hidden=64)
        optimiser = torch.optim.Adam(network.parameters(), 5e-3)
        for _ in range(fidelity.epochs):
            starts = torch.randint(len(learned) - LENGTH, (BATCH, 1))
            optimiser.zero_grad()
            loss(network, learned[starts + torch.arange(LENGTH + 1)]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        with torch.no_grad():
            return -loss(network, unseen[: 100 * 40].view(40, 100)).item()

    estimate = Function(train, builds=False).run(Job.of(space, architecture, Fidelity(STEPS)))
    with pytest.raises(StopIteration) as ended:
        next(estimate)
    outcome = ended.value.value
    assert isinstance(outcome, Done)
    assert -outcome.value < unigram(learned, unseen, vocabulary) - 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("space", "architecture"), [DARTS, TREE])
def test_digits_are_learned_row_by_row(space, architecture):
    """A few epochs on scikit-learn's digits: above 90 % of the test images."""
    recipe = Train(optimiser="adamw", learning_rate=1e-2, weight_decay=0.05, batch_size=32, crop=0)
    fidelity = Fidelity(5, skeleton={"hidden": 48})
    _, outcome = estimated(recipe, load("digits"), fidelity, architecture, space, stage="deliver")
    assert isinstance(outcome, Done)
    assert outcome.metrics["test_accuracy"] > 0.9, outcome.metrics
