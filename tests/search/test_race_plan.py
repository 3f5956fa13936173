"""The plan of a time: a race of a portfolio that is sized to it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import cambrian
from cambrian.architecture import Architecture
from cambrian.cli.by_hand import TEXT_NETWORK
from cambrian.errors import UsageError, join_words
from cambrian.estimators.build import signature
from cambrian.outcome import ENDLESS, Done, Fidelity, Point
from cambrian.search.loop.watch import Watch
from cambrian.search.planning.optimisers import TEXT, choose_optimiser
from cambrian.search.planning.plan import plan
from cambrian.search.planning.race import amounts as race_amounts
from cambrian.search.planning.race import last_training
from cambrian.search.planning.race import plan as race_plan
from cambrian.search.planning.race.amounts import (
    OVERHEAD,
    START,
    choose_filters,
    list_heats,
    share_of_race,
    size_race,
)
from cambrian.search.planning.race.plan import plan_race
from cambrian.search.planning.race.speed import Favourite, Speed
from cambrian.search.result import Result
from cambrian.spaces import SPACES
from cambrian.spaces.sequences.recurrent.common import UNITS
from cambrian.strategies.evolution.nsga2 import NSGA2
from cambrian.strategies.multifidelity.race import Race
from cambrian.weights import Inherit
from remembered import fix_cost_speed, fix_race_speed, measure_here, remember, shape_of
from tiers import slow_but

count_work = remember(race_plan.count_work, lambda space, task, network: (space, shape_of(task), network))
SECONDS = 2e-5
"""Of an image of 8 pixels a side at 16 filters, in these tests; it grows with pixels and filters."""


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(favourite: Favourite, resolution: int | None, filters: int, precision: str) -> float:
        side = resolution or favourite.task.height
        return SECONDS * (side / 8) ** 2 * (filters / 16) ** 1.5

    fix_race_speed(monkeypatch, measure)
    monkeypatch.setattr(race_plan, "count_work", count_work)
    fix_cost_speed(monkeypatch, lambda self, level, device: SECONDS * (level + 1))
    measure_here(monkeypatch)


def make_task(images: int, side: int, channels: int = 3) -> cambrian.Task:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, side, side, channels), dtype=np.uint8)
    return cambrian.load((pixels, np.arange(images) % 4), name="noise")


@pytest.fixture(scope="module")
def photographs() -> cambrian.Task:
    return make_task(2000, 32)


def test_amounts_are_continuous_in_the_time(photographs: cambrian.Task) -> None:
    """From two minutes to a day, in steps of a third: the race and the last training never get less time, the
    networks never get smaller, and no amount leaps by more than the grid of sizes and heats explains."""
    space, times = SPACES.make("stages"), [120 * 1.35**n for n in range(23)]
    races = [plan_race(photographs, space, time, workers=1, threads=1, device="cpu") for time in times]
    for (one, time), (other, later) in pairwise(zip(races, times, strict=True)):
        parts = [race.share + race.contested for race in (one, other)]
        assert parts[0] * time <= parts[1] * later
        assert (1 - parts[0]) * time < (1 - parts[1]) * later
        # When challenges begin, they take from the heats what the first one needs, and no more.
        assert other.share * later > one.share * time - least_challenge(other)
        assert one.contested * time <= other.contested * later * (1 + 1e-9)
        assert len(one.entrants) <= len(other.entrants)
        filters = [race.entrants[0]["skeleton"]["filters"] for race in (one, other)]
        assert filters[0] <= filters[1]
    assert races[-1].share + races[-1].contested < 0.5
    assert 0.15 < races[-1].contested < 1 / 6


def least_challenge(race: race_plan.RacePlan) -> float:
    """The seconds of one challenge, on one worker, of which each training has the least steps."""
    filters = race.entrants[0]["skeleton"]["filters"]
    step = race.batch * SECONDS * (race.coarse / 8) ** 2 * (filters / 16) ** 1.5
    return 3 * (race_amounts.CHALLENGE_STEPS * step + OVERHEAD)


@pytest.mark.parametrize("workers", [1, 2, 3, 8, 30])
@pytest.mark.parametrize("step", [0.001, 0.1])
def test_challenges_fit_their_time(workers: int, step: float) -> None:
    """By brute force over their number: the most challenges, up to eight, whose trainings have three
    hundred steps, in waves of as many trainings as there are workers; they take all of the time."""
    for seconds in (1.0, 10.0, 100.0, 1000.0):
        chosen = race_amounts.size_challenges(seconds, step, workers)
        waves = -(-(race_amounts.count_challengers(workers) + 1) // workers)
        fitting = [n for n in range(1, 9) if n * waves * (300 * step + OVERHEAD) <= seconds]
        assert chosen.heats == max(fitting, default=0)
        assert chosen.measure_time(workers) == pytest.approx(seconds if fitting else 0.0)


def test_challengers_wait_for_time_and_a_choice(photographs: cambrian.Task) -> None:
    """Up to twenty minutes there are none, nor where one network is named; the plan says how many there are,
    and how long they have, and the strategy and the final stage's share agree with it."""
    assert race_amounts.share_of_challenges(1200.0) == 0.0
    for budget, changes in (("20m", {}), ("6h", {"entrants": "resnet"}), ("6h", {"entrants": 1})):
        planned = plan(photographs, budget, workers=1, changes=changes)
        assert planned.search.strategy.challengers == 0
        assert "challenge" not in dict(planned.rows)["strategy"]
        assert "a step away" not in dict(planned.rows)["each"]
        assert changes == {} or "the only network that is asked for" in dict(planned.rows)["each"]
    assert "too short for a choice" in dict(plan(photographs, "4s", workers=1).rows)["each"]
    planned = plan(photographs, "6h", workers=1)
    race, rows = planned.search.strategy, dict(planned.rows)
    assert (race.challengers, race.challenges) == (2, 8)
    assert f"8 times 2 networks a step away beside it, {race.challenge_seconds:.3g} s each" in rows["each"]
    assert "and 13 % for its challengers" in rows["strategy"]
    assert planned.search.final.share == pytest.approx(1 - share_of_race(6 * 3600.0), abs=1e-4)
    runners = list_heats(len(race.entrants))
    heats = START + sum(n * (race.seconds * 3**k + OVERHEAD) for k, n in enumerate(runners))
    challenges = 8 * 3 * (race.challenge_seconds + OVERHEAD)
    assert heats + challenges == pytest.approx(share_of_race(6 * 3600.0) * 6 * 3600, rel=1e-3)


@pytest.mark.parametrize("count", range(1, 31))
@pytest.mark.parametrize(("seconds", "workers"), [(5.0, 1), (50.0, 1), (50.0, 2), (500.0, 1), (500.0, 4)])
def test_a_race_ends_in_its_time(count: int, seconds: float, workers: int) -> None:
    """The heats of any number of entrants, each three times as long as the one before, take the seconds given
    and no more, played with so many workers, which wait for the last of a heat; the last heat has at most
    five runners, of whom one is left."""
    entrants, each = size_race(seconds, 0.001, count, workers)
    heats = list_heats(entrants)
    ends = 0.0
    for k, runners in enumerate(heats):
        free = [ends] * workers
        for _ in range(runners):
            free.append(free.pop(free.index(min(free))) + each * 3**k + OVERHEAD)
        ends = max(free)
    assert ends == pytest.approx(max(seconds, 1 + OVERHEAD))
    assert heats[0] == entrants <= count
    assert all(more // 3 == fewer for more, fewer in pairwise(heats))
    assert heats[-1] // 3 <= 1


def test_larger_networks_need_more_passes() -> None:
    """With more passes for each size the choice is never smaller; few images bound it, and so do few steps,
    of which a small data set has few in many passes."""
    passes = {f: 100 * (8 / f) ** 1.5 for f in race_amounts.FILTERS}
    chosen = [choose_filters({f: n * k for f, n in passes.items()}, 50_000) for k in (0.01, 0.1, 1, 10)]
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1]) == (8, 64)
    assert choose_filters({f: n * 100 for f, n in passes.items()}, 500) == 24
    assert choose_filters({f: n * 10 for f, n in passes.items()}, 200) == 8


def test_few_images_are_learned_in_small_steps_and_judged_with_care() -> None:
    """Batches are of 32 images for 500, of 128 from 6,000 on, at one rate by muon, and one in proportion by
    SGD; a favourite's margin is larger where validation is smaller, and next to nothing where it is large."""
    margins = []
    for images, batch in ((500, 32), (10_000, 128)):
        search = plan(make_task(images, 16), "4m", workers=1).search
        final = search.estimators["final"]
        assert (final.optimiser, final.batch_size, final.learning_rate) == ("muon", batch, 0.3)
        margins.append(search.strategy.margin)
    assert margins[0] > 5 * margins[1] > 0
    chosen = plan(make_task(500, 16), "4m", workers=1, recipe={"batch_size": 64, "optimiser": "sgd"}).search
    assert (chosen.estimator.batch_size, chosen.estimator.learning_rate) == (64, pytest.approx(0.15))


def test_a_hole_is_of_the_images_that_are_learned() -> None:
    """Of few images it is three eighths of their side, which is half as long in the race."""
    search = plan(make_task(200, 32), "4m", workers=1).search
    assert (search.fidelity.resolution, search.estimator.cutout) == (16, 6)
    assert search.estimators["final"].cutout == 12


def test_images_grow_while_there_are_few_passes_of_full_ones(photographs: cambrian.Task) -> None:
    """And the passes that are announced are of those that are planned."""
    space, images = SPACES.make("stages"), len(photographs.train) + len(photographs.validation)
    for time in (60 * 1.5**n for n in range(14)):
        race = plan_race(photographs, space, time, workers=1, threads=1, device="cpu")
        filters = race.entrants[0]["skeleton"]["filters"]
        full = time * (1 - share_of_race(time)) / (images * SECONDS * 16 * (filters / 16) ** 1.5)
        assert race.grows == (full <= race_amounts.MANY_PASSES)
        assert race.passes == pytest.approx(full / last_training.GROWTH if race.grows else full, rel=0.01)


def test_filters_that_are_named_are_kept(photographs: cambrian.Task) -> None:
    """By the favourite; what is no number of them is refused."""
    first = plan(photographs, "10m", workers=1, changes={"filters": 10}).search.strategy.entrants[0]
    assert first["skeleton"]["filters"] == 10
    for wrong in ("16", -4, 0, 2.5):
        with pytest.raises(UsageError, match="filters is a whole number, 1 or more"):
            plan(photographs, "10m", workers=1, changes={"filters": wrong})


def test_a_favourites_margin_is_one_of_shares() -> None:
    """Of errors in a unit of their own nothing is known: none."""
    pixels = np.random.default_rng(0).integers(0, 256, (200, 16, 16, 3), dtype=np.uint8)
    task = cambrian.load((pixels, np.linspace(0, 1, 200)), name="numbers", goal="numbers", metric="rmse")
    race = plan(task, "4m", workers=1).search.strategy
    assert isinstance(race, Race)
    assert (race.margin, race.handicap) == (0.0, 0.0)


def test_large_images_are_read_smaller_where_the_time_is_short() -> None:
    """A minute for 2,000 images of 224 pixels reads less of them than an hour, and never less than 32 pixels;
    images of 32 pixels are read as they are; the race is at half the size of the end."""
    photos = make_task(400, 224)
    short, long = (race_amounts.choose_resolution(photos, seconds) for seconds in (10.0, 3600.0))
    assert short is not None
    assert 32 <= short < 224
    assert short % 16 == 0
    assert long is None
    assert race_amounts.choose_coarse(photos, short) == max(16, short // 2)
    small = make_task(40, 32)
    assert race_amounts.choose_resolution(small, 1.0) is None
    assert race_amounts.choose_coarse(small, None) == 16
    assert race_amounts.choose_coarse(make_task(40, 8), None) is None


@pytest.mark.parametrize("side", [8, 28, 32, 64, 100, 224])
def test_a_network_is_the_same_in_the_race_and_in_the_end(side: int) -> None:
    """All weights have the same names and shapes at both resolutions, so that they go on."""
    task, space = make_task(40, side), SPACES.make("stages")
    race = plan_race(task, space, 300.0, workers=1, threads=1, device="cpu")
    for entrant in race.entrants:
        architecture = Architecture(entrant["architecture"])
        shapes = [
            {
                name: tensor.shape
                for name, tensor in space.build(
                    architecture, signature(task, Fidelity(resolution=resolution)), **entrant["skeleton"]
                )
                .state_dict()
                .items()
            }
            for resolution in (race.coarse, race.fine)
        ]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("measure", "most"), [("params", 30_000), pytest.param("macs", 1.2e6, marks=pytest.mark.slow)]
)
def test_limits_make_the_networks_narrower(measure: str, most: float, photographs: cambrian.Task) -> None:
    """Every entrant keeps the limit in the end's resolution, four filters more would not (or are not
    planned), and networks that cannot keep it at all are left out; an impossible limit is one sentence."""
    from cambrian.networks.measure.measure_network import measure_network

    space = SPACES.make("stages")

    def count(architecture: Architecture, filters: int) -> float:
        with torch.device("meta"):
            network = space.build(architecture, photographs, filters=filters)
        return measure_network([measure], network, (3, 32, 32))[measure]

    free = plan_race(photographs, space, 3600.0, workers=1, threads=1, device="cpu")
    held = plan_race(photographs, space, 3600.0, workers=1, threads=1, device="cpu", limits={measure: most})
    planned = {runner["name"]: runner["skeleton"]["filters"] for runner in free.entrants}
    fitted = {runner["name"]: runner["skeleton"]["filters"] for runner in held.entrants}
    for name, filters in fitted.items():
        assert count(space.portfolio[name], filters) <= most
        assert filters == planned[name] or count(space.portfolio[name], filters + 4) > most
    over = [name for name in space.portfolio if name not in fitted]
    assert all(count(space.portfolio[name], 4) > most for name in over)
    assert over
    assert held.left_out.startswith(f"{join_words(over)}, over a limit with 4 filters too: {over[0]} has ")
    assert held.left_out.count(measure) == 1
    # Where one network is left, the plan says why, and that it is challenged.
    least = min(count(space.portfolio[name], 4) for name in space.portfolio)
    rows = dict(plan(photographs, "1h", workers=1, limits={measure: least}).rows)
    assert "the only network that keeps the limits; then" in rows["each"]
    assert len([name for name in space.portfolio if name in rows["left out"]]) == len(space.portfolio) - 1
    assert "a step away beside it" in rows["each"]
    with pytest.raises(
        UsageError, match=f"no network of the portfolio keeps the limits: pyramid has .*{measure}"
    ):
        plan_race(photographs, space, 3600.0, workers=1, threads=1, device="cpu", limits={measure: 100})


def test_the_share_of_the_race_grows() -> None:
    shares = [share_of_race(seconds) for seconds in (1.0, 60.0, 600.0, 6e3, 6e4, 6e6)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.1, 0.5)


def test_a_time_alone_is_a_race(photographs: cambrian.Task) -> None:
    """Filters and entrants are the race's to change, and a bound of its one objective is its reference."""
    raced = plan(photographs, "10m", workers=1)
    assert isinstance(raced.search.strategy, Race)
    assert raced.search.final is not None
    assert raced.search.final.continues
    assert raced.preset is None
    assert raced.seconds == 600
    few = plan(photographs, "10m", workers=1, changes={"entrants": 2, "filters": 20}).search.strategy
    assert few.entrants[0]["skeleton"]["filters"] == 20
    assert len(few.entrants) <= 2
    drawn = plan(photographs, "1h", workers=1, changes={"entrants": "random"}).search.strategy
    assert drawn.entrants[0]["name"] == "random 1"
    bounded = plan(photographs, "10m", workers=1, objectives=["accuracy>0.5"])  # of the one objective
    assert isinstance(bounded.search.strategy, Race)
    assert bounded.search.reference == 0.5
    chosen = plan(photographs, "10m", workers=1, choose="params<50k")
    assert "the best that keeps params<50k goes on" in dict(chosen.rows)["then"]
    with pytest.raises(UsageError, match="entrants is for a race"):
        plan(photographs, "10m", workers=1, strategy="random", changes={"entrants": 2})
    with pytest.raises(UsageError, match="entrants is 1 to"):
        plan(photographs, "10m", workers=1, changes={"entrants": 0})


MORE: dict[str, dict[str, object]] = {
    "a strategy": {"strategy": "random"},
    "levels": {"changes": {"levels": 2}},
    "a surrogate": {"surrogate": "ridge"},
    "a space without a portfolio": {"space": "tiny-chain"},
    "a number of trials": {"budget": "10m, 50"},
    "objectives": {"objectives": ["params"]},
}


@pytest.mark.parametrize("name", slow_but(("a strategy", "objectives"), MORE))
def test_more_than_a_time_is_no_race(name: str, photographs: cambrian.Task) -> None:
    """It is planned by a preset."""
    other = plan(photographs, **{"budget": "10m", "workers": 1, "baselines": (), **MORE[name]})
    assert not isinstance(other.search.strategy, Race)
    assert name != "objectives" or isinstance(other.search.strategy, NSGA2)


def test_reading_the_data_is_a_part_of_the_time(photographs, monkeypatch) -> None:
    """Of ten minutes four have gone when the plan is made: the race is one of six minutes, and ends four
    minutes later than such a one; where all of them have gone, that is said."""
    monkeypatch.setattr(race_plan, "measure_favourite", lambda *arguments: Speed(1e-5, 1e-5, 2e-5))
    for module in ("plan", "plan_request", "race.plan"):
        clock = SimpleNamespace(monotonic=lambda: 1000.0)
        monkeypatch.setattr(f"cambrian.search.planning.{module}.time", clock)
    short = plan(photographs, "6m", workers=1).search
    long = plan(photographs, "10m", workers=1, began=760.0).search
    assert (short.spent, long.spent) == (0, 240)
    assert long.strategy == short.strategy
    ends = [search.budget.seconds * (1 - search.final.share) for search in (short, long)]
    assert ends[1] - ends[0] == pytest.approx(240, abs=0.1)
    with pytest.raises(UsageError, match=r"of 600 s was over before the plan could begin: give"):
        plan(photographs, "10m", workers=1, began=400.0)


class InterruptedAtTheEnd(Watch):
    """Ctrl-C after the first epoch of the final training."""

    final = False

    def on_stage(self, name: str, total: int | None) -> None:
        self.final = name == "final"

    def on_point(self, number: int, point: Point) -> None:
        if self.final:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_raced_search_hands_over_a_network_that_went_on(tmp_path) -> None:
    """Two tiny networks race on digits, within a limit that those of the default size would miss; the winner
    begins with the weights of its last trial, in their skeleton, is trained on train and validation until the
    budget ends, also where it is interrupted, and is tested once."""
    task = cambrian.load("digits", limit=600)
    changes, limits = {"entrants": 2, "filters": 8}, {"params": 150_000}
    planned = plan(task, "12s", workers=1, changes=changes, limits=limits, seed=1)
    with pytest.raises(KeyboardInterrupt):
        planned.search.run(tmp_path / "run", InterruptedAtTheEnd())
    begun = Result.open(tmp_path / "run")
    assert [t.outcome for t in begun.finals] == [None]
    result = cambrian.Search.resume(tmp_path / "run").run(tmp_path / "run")
    winner = result.winner
    assert [t.weights for t in result.finals] == [t.weights for t in begun.finals]
    assert winner is not None
    assert isinstance(winner.weights, Inherit)
    began = result.trials[winner.weights.row]
    assert began.architecture == winner.architecture
    assert began.fidelity.skeleton == winner.fidelity.skeleton
    assert isinstance(winner.outcome, Done)
    assert winner.outcome.metrics["test_accuracy"] > 0.8
    assert winner.fidelity.epochs == ENDLESS
    assert result.facts["plan"] == [list(row) for row in planned.rows]
    reread = Result.open(tmp_path / "run")
    assert Architecture(dict(reread.best.architecture)) == winner.architecture
    assert reread.model()(reread_inputs(task)).shape == (2, 10)
    check_it_goes_on(tmp_path / "run", winner)


def check_it_goes_on(run, winner) -> None:
    """A larger budget trains the network that was handed over on from its weights, also where that is
    interrupted; the same budget once more, or a smaller one, changes nothing."""
    with pytest.raises(KeyboardInterrupt):
        cambrian.Search.resume(run, "18s").run(run, InterruptedAtTheEnd())
    result = cambrian.Search.resume(run).run(run)
    last = result.finals[-1]
    assert [t.number for t in result.finals] == [0, 1]
    assert last.weights == Inherit(winner.weights.row, "final 0")
    assert result.winner == last
    assert isinstance(last.outcome, Done)
    # Its first loss is that of a trained network, and not that of a beginner.
    first, began = last.outcome.curve[0].metrics["train_loss"], winner.outcome.curve[0].metrics["train_loss"]
    assert first < began
    again = cambrian.Search.resume(run).run(run)
    assert (again.winner, len(again.finals)) == (last, 2)
    smaller = cambrian.Search.resume(run, "15s").run(run)
    assert (smaller.winner, len(smaller.finals)) == (last, 2)


def reread_inputs(task: cambrian.Task):
    import torch

    return torch.zeros(2, task.channels, task.height, task.width)


def test_a_text_is_raced_by_recurrent_networks(tmp_path: Path) -> None:
    """Eight hidden units for each of the filters, small batches, a rate for each weight, nothing smoothed;
    the network by hand is an entrant; a space that reads texts as a whole is refused."""
    (tmp_path / "x.txt").write_text("Who sails alone sails far, and far.\nWho stays?\n" * 60)
    task = cambrian.load(tmp_path / "x.txt", length=16)
    planned = plan(task, "10m", workers=1)
    search = planned.search
    names = [entrant["name"] for entrant in search.strategy.entrants]
    assert TEXT_NETWORK in names
    assert dict(planned.rows)["score"] == "bits-per-character, lower is better"
    assert search.space == SPACES.make("sequence-chain")
    first = search.strategy.entrants[0]
    with torch.device("meta"):
        network = search.space.build(Architecture(first["architecture"]), task, **first["skeleton"])
    assert network.head.in_features == UNITS * first["skeleton"]["filters"]
    for recipe in (search.estimator, search.estimators["final"]):
        assert (recipe.optimiser, recipe.batch_size, recipe.label_smoothing) == ("adamw", 32, 0.0)
    with pytest.raises(UsageError, match="the space stages read it as a whole"):
        plan(task, "10m", workers=1, space="stages")


def test_a_short_time_for_a_running_text_begins_with_ngrams(tmp_path: Path) -> None:
    """Seconds of all cores count; a longer one begins with the network that reads characters alone."""
    (tmp_path / "x.txt").write_text("to be or not to be, that is the question: " * 200)
    task = cambrian.load(tmp_path / "x.txt")
    firsts = [
        plan(task, budget, workers=1).search.strategy.entrants[0]["name"] for budget in ("190s", "210s")
    ]
    assert firsts == ["n-gram-lstm", "lstm"]


def test_texts_of_classes_are_raced_by_ngrams_first(tmp_path: Path) -> None:
    """A bag of n-grams first, with AdamW's settings for texts; other spaces keep their optimiser."""
    lines = [
        f"{word} {n} {word},{kind}" for kind, word in (("a", "sails"), ("b", "stays")) for n in range(60)
    ]
    (tmp_path / "x.csv").write_text("\n".join(["text,kind", *lines]))
    task = cambrian.load(tmp_path / "x.csv", target="kind")
    search = plan(task, "10m", workers=1).search
    first = search.strategy.entrants[0]
    assert (first["name"], first["architecture"]) == ("n-grams", {"embedding": "n-grams", "layers": 0})
    for recipe in (search.estimator, search.estimators["final"]):
        assert (recipe.optimiser, recipe.learning_rate) == ("adamw", TEXT["learning_rate"])
    assert choose_optimiser(task, {}, SPACES.make("stages")) == {"optimiser": "muon"}


def test_a_budget_below_a_second_is_a_race_all_the_same() -> None:
    """A race has a second at least, of which the last training's share was more than the whole budget."""
    planned = plan(make_task(200, 8), "0.5s", workers=1, changes={"entrants": 1, "filters": 8})
    assert planned.search.final is not None
    assert planned.search.final.share < 1
