"""The training step by step, against plain torch and closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, recall_score
from torch import nn
from torch.nn import functional as F

from cambrian.errors import UsageError
from cambrian.networks.training.augment import Augment
from cambrian.networks.training.batches import Images, images
from cambrian.networks.training.recipe import OPTIMISERS, Recipe
from cambrian.networks.training.scoring import scores
from cambrian.networks.training.trainer import Training

PLAIN = Recipe(batch_size=8, warmup=0.0, gradient_clip=0.0, learning_rate=0.05)


def some_images(n: int = 24, side: int = 6, channels: int = 2, seed: int = 0) -> Images:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(n, side, side, channels), dtype=np.uint8)
    return images(pixels, rng.integers(0, 3, n), (0.5,) * channels, (0.3,) * channels)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    convolution = nn.Conv2d(2, 4, 3, bias=False)  # Adam would amplify the rounding of a bias's gradient of 0
    return nn.Sequential(convolution, nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([v.detach().flatten().double() for v in module.state_dict().values()])


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_epochs_equal_a_plain_loop(optimiser: str) -> None:
    """Oracle: a loop over an unfused torch optimiser on NCHW float images, with the same cosine."""
    data, recipe, epochs = some_images(), replace(PLAIN, optimiser=optimiser), 3
    training = Training(network().to(memory_format=torch.channels_last), data, recipe, Augment(), epochs)
    plain = network()
    decaying = [p for p in plain.parameters() if p.ndim > 1]
    others = [p for p in plain.parameters() if p.ndim == 1]
    groups = [
        {"params": decaying, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0},
    ]
    if optimiser == "sgd":
        oracle: torch.optim.Optimizer = torch.optim.SGD(groups, lr=1, momentum=0.9, nesterov=True)
    else:
        oracle = torch.optim.AdamW(groups, lr=1, betas=(0.9, 0.999))
    inputs = ((data.pixels / 255 - 0.5) / 0.3).permute(0, 3, 1, 2).contiguous()
    for epoch in range(epochs):
        losses = []
        for step, batch in enumerate(training.batches.draws(epoch).order.split(8)):
            oracle.param_groups[0]["lr"] = oracle.param_groups[1]["lr"] = (
                0.05 * 0.5 * (1 + math.cos(math.pi * (epoch * 3 + step) / 9))
            )
            loss = F.cross_entropy(plain(inputs[batch]), data.targets[batch])
            oracle.zero_grad()
            loss.backward()
            oracle.step()
            losses.append(loss.item())
        assert training.run_epoch() == pytest.approx(np.mean(losses), rel=1e-4)
    assert torch.allclose(weights(training.network), weights(plain), atol=1e-4)


def test_the_gradient_is_clipped() -> None:
    """One step of plain gradient descent moves the weights by at most learning rate times the bound."""
    recipe = replace(PLAIN, momentum=0.0, gradient_clip=0.01, weight_decay=0.0, batch_size=24)
    training = Training(network(), some_images(), recipe, Augment(), 1)
    before = torch.cat([p.detach().flatten().clone() for p in training.network.parameters()])
    training.run_epoch()
    after = torch.cat([p.detach().flatten() for p in training.network.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.05 * 0.01, rel=1e-3)


class TwoHeads(nn.Module):
    """Gives an auxiliary head's logits too while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.other = nn.Linear(72, 3), nn.Linear(72, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        x = x.flatten(1)
        return (self.main(x), self.other(x)) if self.training else self.main(x)


def test_the_auxiliary_head_and_smoothing_enter_the_loss() -> None:
    """The loss is that of the logits plus 0.4 times that of the auxiliary ones, both against targets
    smoothed by 0.1: (1 - 0.1) on the class and 0.1 / 3 on each of the three."""
    torch.manual_seed(0)
    module, data = TwoHeads(), some_images()
    inputs = data.inputs(data.pixels).flatten(1)
    smooth = F.one_hot(data.targets, 3) * 0.9 + 0.1 / 3
    main, other = (
        -(smooth * head(inputs).log_softmax(1)).sum(1).mean() for head in (module.main, module.other)
    )
    recipe = replace(PLAIN, batch_size=24, label_smoothing=0.1)
    loss = Training(module, data, recipe, Augment(), 1).run_epoch()
    assert loss == pytest.approx((main + 0.4 * other).item(), rel=1e-5)


def test_scores_agree_with_scikit_learn() -> None:
    """Accuracy, balanced accuracy over the classes that occur, and log loss, in several batches."""
    data = some_images(50)
    data = Images(data.pixels[data.targets != 1], data.targets[data.targets != 1], data.mean, data.std)
    module = network()
    module(data.inputs(data.pixels))  # other statistics than the initial ones
    found = scores(module, data, batch_size=7)
    with torch.no_grad():
        logits = module.eval()(data.inputs(data.pixels))
    guess, truth = logits.argmax(1).numpy(), data.targets.numpy()
    assert found["accuracy"] == pytest.approx((guess == truth).mean())
    assert found["balanced_accuracy"] == pytest.approx(
        recall_score(truth, guess, labels=[0, 2], average="macro")
    )
    assert found["loss"] == pytest.approx(
        log_loss(truth, logits.double().softmax(1).numpy(), labels=[0, 1, 2])
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 500), st.integers(2, 64))
def test_batches_are_nearly_equal(examples: int, batch_size: int) -> None:
    """All examples, at least two in a batch, at most half more than asked for (three where two are)."""
    steps = Recipe(batch_size=batch_size).batches(examples)
    sizes = np.diff([examples * k // steps for k in range(steps + 1)])
    assert sizes.sum() == examples
    assert sizes.min() >= 2
    assert sizes.max() <= max(3, math.ceil(1.5 * batch_size))


def test_the_schedule() -> None:
    """Up linearly over the warm-up, down the cosine to nearly nothing; or constant."""
    rates = [Recipe(learning_rate=2.0, warmup=0.1).rate(k, 100, 10) for k in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (k + 1) for k in range(10)])
    assert rates[10] == pytest.approx(2.0)
    assert rates[55] == pytest.approx(1.0)
    assert 0 < rates[99] < 0.001
    assert [Recipe(schedule="constant", warmup=0.0).rate(k, 9, 3) for k in range(9)] == [
        Recipe().learning_rate
    ] * 9


def test_each_optimiser_has_a_usual_rate() -> None:
    """Steps of .2, which are SGD's, would be far too long for AdamW; one that is named counts."""
    rates = {name: Recipe(optimiser=name).learning_rate for name in OPTIMISERS}
    assert rates == {"sgd": 0.2, "adamw": 0.003, "muon": 0.3}
    assert Recipe(optimiser="adamw", learning_rate=0.01).learning_rate == 0.01


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"optimiser": "sdg"}, "did you mean 'sgd'"),
        ({"schedule": "cosinus"}, "did you mean 'cosine'"),
        ({"score": "max"}, "last"),
        ({"precision": "bfloat"}, "did you mean 'bfloat16'"),
        ({"learning_rate": 0.0}, "learning_rate is above 0"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"batch_size": 1}, "batch_size is at least 2"),
        ({"label_smoothing": 1.0}, "below 1"),
        ({"drop_path": -0.1}, "drop_path"),
        ({"crop": -1}, "crop"),
    ],
)
def test_a_wrong_setting_is_one_sentence(setting: dict[str, object], said: str) -> None:
    """It names the setting, what is expected, and the nearest name."""
    with pytest.raises(UsageError, match=said):
        Recipe(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("optimiser", "precision"), [("sgd", "auto"), ("adamw", "auto"), ("muon", "auto"), ("muon", "bfloat16")]
)
def test_restored_at_any_step(optimiser: str, precision: str) -> None:
    """From the state after each step of an epoch another object ends bit for bit as the whole run did."""
    recipe = replace(PLAIN, optimiser=optimiser, precision=precision)
    augment = Augment(crop=1, flip=True, cutout=2)

    def fresh() -> Training:
        module = nn.Sequential(nn.Dropout(0.2), *network()).to(memory_format=torch.channels_last)
        return Training(module, some_images(), recipe, augment, 2)

    states = []

    def keep() -> None:
        tensors, place = whole.state()
        states.append(({k: v.detach().clone().contiguous() for k, v in tensors.items()}, place))

    whole = fresh()
    losses = [whole.run_epoch(keep), whole.run_epoch(keep)]
    assert len(states) == 4
    for tensors, place in states:
        again = fresh()
        again.restore(tensors, place)
        rest = [again.run_epoch() for _ in range(2 - place["epoch"])]
        assert rest == losses[place["epoch"] :]
        assert torch.equal(weights(again.network), weights(whole.network))


def test_settings_that_came_later_change_no_identity() -> None:
    """At their defaults they are in no identity, so that checkpoints of before them are of the same training;
    how often checkpoints are written never is."""
    facts = Recipe().facts
    assert set(facts) == {
        *("learning_rate", "optimiser", "momentum", "weight_decay", "batch_size", "schedule", "warmup"),
        *("label_smoothing", "drop_path", "auxiliary", "gradient_clip", "crop", "flip", "cutout", "score"),
    }
    assert Recipe(decay_epochs=9.0, checkpoint_seconds=1.0).facts == {**facts, "decay_epochs": 9.0}


@pytest.mark.parametrize("steps", [2, 7])
def test_epochs_of_another_length_take_the_same_steps(steps: int) -> None:
    """14 steps over passes of 3 are the same in epochs of 2 and of 7 as in those of a pass, bit for bit: the
    rate goes by the length, and the batch by the number of the step; also resumed after each epoch."""
    recipe = replace(PLAIN, schedule="constant", epoch_steps=steps)
    by_pass = Training(network(), some_images(), replace(recipe, epoch_steps=0), Augment(1, True), 5)
    by_pass.fit(14)
    while not by_pass.finished:
        by_pass.run_epoch()
    one = Training(network(), some_images(), recipe, Augment(1, True), 14 // steps)
    while not one.finished:
        one.run_epoch()
        other = Training(network(1), some_images(), recipe, Augment(1, True), 14 // steps)
        other.restore(*copied(one))
        one = other
    assert one.epochs_trained == one.epoch == 14 // steps
    assert torch.equal(weights(one.network), weights(by_pass.network))


def copied(training: Training) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    tensors, place = training.state()
    return {k: v.detach().clone().contiguous() for k, v in tensors.items()}, place


def test_pixels_become_inputs() -> None:
    """uint8 is divided by 255, float32 is not; both are normalised, channels last in memory."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(4, 5, 6, 3), dtype=np.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    expected = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    for array in (pixels, pixels.astype(np.float32) / 255):
        data = images(array, np.zeros(4, np.int64), mean, std)
        inputs = data.inputs(data.pixels)
        assert np.allclose(inputs.numpy(), expected, atol=1e-5)
        assert inputs.is_contiguous(memory_format=torch.channels_last)


def test_scaling_down_averages() -> None:
    """Half the side, antialiased: the mean is kept, and so is the type of number."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(3, 16, 16, 1), dtype=np.uint8)
    small = images(pixels, np.zeros(3, np.int64), (0.5,), (0.5,), resolution=8)
    assert small.pixels.dtype == torch.uint8
    assert small.side == (8, 8)
    means = small.pixels.float().mean((1, 2, 3)).numpy()
    assert np.allclose(means, pixels.mean((1, 2, 3)), atol=2)


class Dropping(nn.Sequential):
    """Notes the rates at which it is told to drop paths; it would like 0.3 at the end."""

    drop_path = 0.3

    def __init__(self) -> None:
        super().__init__(*network())
        self.rates: list[float] = []

    def set_drop_path(self, rate: float) -> None:
        self.rates.append(rate)


@pytest.mark.parametrize(("setting", "end"), [(0.6, 0.6), (0.0, 0.3)])
def test_drop_path_grows_to_its_rate(setting: float, end: float) -> None:
    """It is set before each step, in proportion to the progress, from 0, to the recipe's rate or else to the
    network's own, also where that network is a part of another; told `decay_epochs`, over these."""
    for recipe, share in ((PLAIN, 1), (replace(PLAIN, decay_epochs=2), 2)):
        module = Dropping()
        outer, recipe = nn.Sequential(module), replace(recipe, drop_path=setting)
        Training(outer, some_images(), recipe, Augment(), 1).run_epoch()
        assert module.rates == pytest.approx([0.0, end / 3 / share, 2 * end / 3 / share])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_it_trains_too() -> None:
    """The same classes run on CUDA, in bfloat16, and the loss falls."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(24, 6, 6, 2), dtype=np.uint8)
    data = images(pixels, rng.integers(0, 3, 24), (0.5, 0.5), (0.3, 0.3), "cuda")
    training = Training(network().to("cuda"), data, PLAIN, Augment(1, True, 2), 20)
    losses = [training.run_epoch() for _ in range(20)]
    assert losses[-1] < losses[0]
    assert 0 <= scores(training.network, data, 8)["accuracy"] <= 1
