"""Schedules against closed forms and torch's own, and which of them a longer training begins with."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.errors import UsageError
from cambrian.networks.training.recipe import Recipe
from cambrian.networks.training.schedules import SHAPES

EPOCH = 5  # steps

PREFIXES = {
    "constant": {"schedule": "constant", "warmup": 0.0},
    "constant, warmed up": {"schedule": "constant", "decay_epochs": 4.0},
    "cosine": {"schedule": "cosine", "decay_epochs": 9.0},
    "linear": {"schedule": "linear", "decay_epochs": 9.0, "warmup": 0.3},
    "trapezoid": {"schedule": "trapezoid", "decay_epochs": 9.0, "warmup": 0.2},
    "step": {"schedule": "step", "decay_epochs": 2.0, "decay_factor": 0.5},
    "restarts": {"schedule": "restarts", "decay_epochs": 1.0, "restart_multiple": 2.0},
}


def rates(epochs: int, **setting: object) -> list[float]:
    recipe = Recipe(**{"learning_rate": 1.0, "warmup": 0.0, **setting})  # type: ignore[arg-type]
    return [recipe.rate(k, epochs * EPOCH, EPOCH) for k in range(epochs * EPOCH)]


def torch_rates(
    epochs: int, make: type[torch.optim.lr_scheduler.LRScheduler], **setting: object
) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimiser, **setting)
    found = []
    for _ in range(epochs * EPOCH):
        found.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        schedule.step()
    return found


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
def test_told_the_length_it_is_what_it_was_untold(name: str) -> None:
    """A horizon as long as the training changes no rate, with and without warm-up."""
    for warmup in (0.0, 0.1, 0.5):
        assert rates(9, schedule=name, warmup=warmup, decay_epochs=9.0) == rates(
            9, schedule=name, warmup=warmup
        )


def test_step_decay_is_torchs() -> None:
    """Oracle: StepLR of as many steps."""
    oracle = torch_rates(9, torch.optim.lr_scheduler.StepLR, step_size=2 * EPOCH, gamma=0.5)
    assert rates(9, **PREFIXES["step"]) == pytest.approx(oracle)


@pytest.mark.parametrize("multiple", [1, 2, 3])
def test_restarts_are_torchs(multiple: int) -> None:
    """Oracle: CosineAnnealingWarmRestarts, stepped by steps."""
    oracle = torch_rates(
        17, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts, T_0=2 * EPOCH, T_mult=multiple
    )
    mine = rates(17, schedule="restarts", decay_epochs=2.0, restart_multiple=float(multiple))
    assert mine == pytest.approx(oracle, abs=1e-12)


def test_a_line_with_warm_up() -> None:
    """Up over a fifth of 50 steps, from there to 0 at their end, and 0 after them."""
    found = rates(12, schedule="linear", warmup=0.2, decay_epochs=10.0)
    up = [(k + 1) / 10 for k in range(10)]
    assert found == pytest.approx(up + [1 - k / 40 for k in range(40)] + [0.0] * 10)


def test_a_trapezoid() -> None:
    """Up over a fifth of 50 steps, 20 steps at the peak, and from there to 0 over the last half of 40; one
    that cools down all the time is a line."""
    found = rates(10, schedule="trapezoid", warmup=0.2, cooldown=0.5)
    up = [(k + 1) / 10 for k in range(10)]
    assert found == pytest.approx(up + [1.0] * 20 + [1 - k / 20 for k in range(20)])
    assert rates(9, schedule="trapezoid", cooldown=1.0) == pytest.approx(rates(9, schedule="linear"))


def test_warm_up_shortens_the_first_period_alone() -> None:
    """Restarts after 10, 30 and 70 steps, whether or not the first 4 steps warm up."""
    found = rates(17, schedule="restarts", decay_epochs=2.0, warmup=0.4)
    plain = rates(17, schedule="restarts", decay_epochs=2.0)
    assert found[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert found[4:10] == pytest.approx([0.5 * (1 + math.cos(math.pi * k / 6)) for k in range(6)])
    assert found[10:] == plain[10:]
    assert [k for k in range(1, 85) if plain[k] > plain[k - 1]] == [10, 30, 70]


@pytest.mark.parametrize("name", PREFIXES)
def test_a_prefix_is_one(name: str) -> None:
    """The rates of a longer training begin with those of the shorter one."""
    setting = PREFIXES[name]
    assert Recipe(**setting).prefix  # type: ignore[arg-type]
    whole = rates(20, **setting)
    assert all(whole[: n * EPOCH] == rates(n, **setting) for n in (1, 3, 9))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from([0.0, 1.0, 2.5, 7.0]),
    st.sampled_from([0.0, 0.1, 0.6]),
    st.integers(1, 8),
    st.integers(1, 8),
)
def test_whether_it_is_a_prefix_is_true(
    name: str, horizon: float, warmup: float, epochs: int, more: int
) -> None:
    """A schedule that says it is a prefix is one for each two lengths, and the others are not; no factor is
    outside [0, 1]."""
    setting = {"schedule": name, "decay_epochs": horizon, "warmup": warmup}
    try:
        recipe = Recipe(**setting)  # type: ignore[arg-type]
    except UsageError:
        assert horizon == 0
        return
    shorter, longer = rates(epochs, **setting), rates(epochs + more, **setting)
    assert all(0 <= rate <= 1 for rate in longer)
    if recipe.prefix:
        assert longer[: len(shorter)] == shorter
    else:
        assert rates(80, **setting)[: 8 * EPOCH] != rates(8, **setting)


def test_drop_path_that_goes_by_the_length_is_no_prefix() -> None:
    """Its rate grows to the end of the training, unless its length is told from the start."""
    assert not Recipe(schedule="constant", warmup=0.0, drop_path=0.2).prefix
    assert Recipe(schedule="constant", warmup=0.0, drop_path=0.2, decay_epochs=3.0).prefix
    assert not Recipe().prefix


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"schedule": "restarts"}, "'restarts' needs decay_epochs"),
        ({"schedule": "step"}, "'step' needs decay_epochs"),
        ({"schedule": "restart", "decay_epochs": 2.0}, "did you mean 'restarts'"),
        ({"decay_epochs": -1.0}, "decay_epochs is at least 0"),
        ({"decay_epochs": math.inf}, "decay_epochs"),
        ({"cooldown": 0.0}, "cooldown is above 0"),
        ({"decay_factor": 0.0}, "decay_factor is above 0"),
        ({"restart_multiple": 0.5}, "restart_multiple is at least 1"),
        ({"loss": "cross-entropie"}, "did you mean 'cross-entropy'"),
    ],
)
def test_a_wrong_setting_is_one_sentence(setting: dict[str, object], said: str) -> None:
    """It names the setting, the values expected, and the nearest name."""
    with pytest.raises(UsageError, match=said):
        Recipe(**setting)  # type: ignore[arg-type]
