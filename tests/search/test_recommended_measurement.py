"""The measurement by which a recommended architecture is shown, where there are several of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cambrian.estimators.one_shot import OneShot
from cambrian.outcome import Done, Fidelity, Trial
from cambrian.search.search import Search
from cambrian.spaces.cells.nasbench201.space import NASBench201
from cambrian.strategies.multifidelity.hyperband import Hyperband
from cambrian.strategies.multifidelity.successive_halving import SuccessiveHalving
from cambrian.strategies.one_shot.darts import DARTS
from cambrian.testing import toy_task
from cambrian.weights import Shared


def ask_all(search: Search, measure: Callable[[Trial], Done]) -> list[Trial]:
    """The recommendation after all that the search asks for was measured."""
    while (trial := search.ask()) is not None:
        search.tell(trial.number, measure(trial))
    assert search._talk is not None
    return search._talk.coordinator.recommend()


def test_a_shared_value_does_not_stand_for_an_architecture_trained_alone() -> None:
    """The derived architecture is measured with the supernet's weights (.99) and alone (.6): it is
    recommended by the latter, which is its own."""
    gates: dict[str, Any] = {
        path: [0.1, 0.1, 0.1, 0.6, 0.1] for path in NASBench201().cells.architecture((0,) * 6)
    }

    def measure(trial: Trial) -> Done:
        if trial.kind == "supernet":
            return Done(0.3, data={"gates": gates})
        return Done(0.99 if isinstance(trial.weights, Shared) else 0.6)

    ranked = ask_all(Search("nasbench201", DARTS(epochs=1), OneShot(), toy_task(), 10), measure)
    assert ranked[0].value == 0.6
    assert not any(isinstance(trial.weights, Shared) for trial in ranked)


def test_a_value_on_small_images_does_not_stand_for_one_on_large_ones() -> None:
    """Values fall here with the resolution, and the first one recommended is that on full images."""
    strategy = SuccessiveHalving(axes=("resolution",), size=9, passes=1)
    search = Search(
        "nasbench201", strategy, "train", toy_task(), 20, fidelity=Fidelity(1, resolution=32), final=None
    )
    ranked = ask_all(search, lambda trial: Done(1.0 - 0.01 * (trial.fidelity.resolution or 0)))
    assert ranked[0].fidelity.resolution == 32


def test_what_ends_beside_a_trial_that_is_cut_is_recommended_where_it_is_better() -> None:
    """Of two promoted trainings the first has no outcome, since its time was over. The strategy has not
    learned of the second, which is better after more epochs than all that it knows."""
    common: dict[str, Any] = {"fidelity": Fidelity(9), "lag": 2, "final": None}
    search = Search("nasbench201", Hyperband(), "train", toy_task(), 40, **common)
    numbers = []
    while len(numbers) < 2:
        trial = search.ask()
        assert trial is not None
        if trial.fidelity.epochs > 1:
            numbers.append(trial.number)
        else:
            search.tell(trial.number, Done(0.1 + 0.001 * trial.number))
    cut, ended = numbers
    search.tell(ended, Done(0.5))
    assert search._talk is not None
    ranked = search._talk.coordinator.recommend()
    assert ranked[0].number == ended
    assert cut not in [trial.number for trial in ranked]
