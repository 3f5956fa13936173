"""A strategy as an Optuna sampler proposes what it proposes in a search."""

import importlib
import sys

import optuna
import pytest

from cambrian.bridges import optuna_sampler
from cambrian.bridges.optuna_sampler import StrategySampler, suggest
from cambrian.errors import Incompatible, MissingExtra, UsageError
from cambrian.estimators.function import Function
from cambrian.request import Stop
from cambrian.search.result import Result
from cambrian.search.search import Search
from cambrian.spaces.program.function_space import space
from cambrian.strategies.random import Random

optuna.logging.set_verbosity(optuna.logging.WARNING)


@space
def everything(pick, task):
    """Every kind of question, with options that depend on answers, and a rejection."""
    for i in range(pick.depth("layers", 1, 3)):
        pick(f"kind{i}", ["conv", "pool"] if i else ["conv", "pool", "none"])
    rate = pick.real("rate", 1e-4, 1.0, log=True)
    kept = pick.some("kept", ["a", "b", "c", "d"], 1, 3)
    pick.require(rate < 0.5 or len(kept) < 3, "too much")


def measure(architecture):
    return architecture["rate"] + architecture["layers"] + ("a" in architecture["kept"])


def worth(architecture, fidelity):
    """The value as an estimator gives it; every answer of two layers fails."""
    if architecture["layers"] == 2:
        raise ValueError("deliberate")
    return measure(architecture)


def run_study(study, number, sampler):
    """The architectures that a study of so many further trials evaluates."""
    seen = []

    def objective(trial):
        seen.append(suggest(sampler.space, trial))
        return worth(seen[-1], None)

    study.optimize(objective, n_trials=number, catch=ValueError)
    return seen


@pytest.mark.parametrize("minimize", [False, True])
@pytest.mark.parametrize(
    "strategy",
    [
        "random",
        "hill-climbing",
        {"name": "evolution", "arguments": {"population": 5, "sample": 3}},
        {"name": "tpe", "arguments": {"settings": {"n_startup_trials": 4}}},
    ],
    ids=str,
)
def test_a_study_tries_what_a_search_tries(strategy, minimize, tmp_path):
    """Trial by trial, with failures among them, whichever direction is better."""
    estimator = Function(worth, builds=False)
    search = Search(everything, strategy, estimator, budget=14, seed=3, lag=1, minimize=minimize)
    search.run(tmp_path / "run", quiet=True)
    expected = [trial.architecture for trial in Result.open(tmp_path / "run").trials]
    sampler = StrategySampler(everything, strategy, seed=3)
    study = optuna.create_study(direction="minimize" if minimize else "maximize", sampler=sampler)
    assert run_study(study, 14, sampler) == expected


class Spent(Random):
    """Has nothing to propose."""

    def propose(self, state, pending, rng):
        return Stop("nothing left")


def test_a_study_that_is_asked_outlives_a_stop():
    """A strategy with nothing left stops a study that optimises; one that is asked trial by trial goes on
    with architectures at random."""
    sampler = StrategySampler(everything, Spent(), seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(2):
        trial = study.ask()
        study.tell(trial, measure(suggest(sampler.space, trial)))
    assert len(run_study(study, 5, sampler)) == 1


def test_a_stored_study_goes_on():
    """Six trials and six more of a new sampler, from the storage of the study, are twelve."""
    whole, halves = [], []
    evolution = {"name": "evolution", "arguments": {"population": 3, "sample": 2}}
    for counts, tried in (((12,), whole), ((6, 6), halves)):
        storage = optuna.storages.InMemoryStorage()
        for count in counts:
            sampler = StrategySampler(everything, evolution, seed=5)
            study = optuna.create_study(
                direction="maximize", sampler=sampler, storage=storage, study_name="s", load_if_exists=True
            )
            tried += run_study(study, count, sampler)
    assert halves == whole


def test_trials_of_others_are_learned():
    """A climb goes on from a trial whose answers were fixed by hand: the next one differs in one answer."""
    sampler = StrategySampler(everything, "hill-climbing", seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial({"layers": 3, "kind0": "none", "kind1": "pool", "kind2": "pool", "rate": 0.4})
    first, second = run_study(study, 2, sampler)
    assert (first["layers"], first["kind0"], first["rate"]) == (3, "none", 0.4)
    assert sum(first[path] != second[path] for path in first.keys() & second.keys()) == 1


def test_a_trial_that_cannot_be_read_is_left_out():
    """One of another space, and one that failed before it had asked anything."""
    sampler = StrategySampler(everything, "evolution", seed=0)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("other", 0, 1), n_trials=3)
    study.sampler = sampler
    assert len(run_study(study, 5, sampler)) == 5
    assert sampler._learned[0] == [3, 4, 5, 6]


def test_a_study_does_not_know_an_earlier_one_of_its_name():
    """In memory, as a cell of a notebook makes it that is run twice."""

    def run(sampler, sign):
        study = optuna.create_study(study_name="mine", sampler=sampler, direction="maximize")
        seen = []

        def objective(trial):
            seen.append(suggest(sampler.space, trial))
            return sign * measure(seen[-1])

        study.optimize(objective, n_trials=12)
        return seen

    used = StrategySampler(everything, "hill-climbing", seed=0)
    run(used, -1)
    assert run(used, 1) == run(StrategySampler(everything, "hill-climbing", seed=0), 1)


def test_several_workers_share_a_study():
    """Proposals while others run, which is when progressive search would wait: each is legal."""
    sampler = StrategySampler(
        "tiny-chain", {"name": "progressive", "arguments": {"surrogate": "ridge"}}, seed=0
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(lambda trial: float(len(suggest(sampler.space, trial))), n_trials=12, n_jobs=3)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 12


def test_what_optuna_does_not_give_is_refused_in_a_sentence(monkeypatch):
    """Weights of other trials, lower fidelities, several objectives, the number of trials."""
    with pytest.raises(Incompatible, match="OptunaObjective cannot"):
        StrategySampler("nasbench201", "enas")
    with pytest.raises(Incompatible, match="OptunaObjective cannot"):
        StrategySampler("tiny-chain", "asha")
    with pytest.raises(UsageError, match=r"trials=100"):
        StrategySampler("tiny-chain", {"name": "remeasured", "arguments": {"strategy": "random"}})
    sampler = StrategySampler("tiny-chain", "random")
    with pytest.raises(UsageError, match="the study has 2"):
        optuna.create_study(directions=["maximize"] * 2, sampler=sampler).ask()


def test_without_optuna_it_says_what_to_install(monkeypatch):
    """As the strategies of Optuna's do."""
    monkeypatch.setitem(sys.modules, "optuna.samplers", None)
    monkeypatch.delitem(sys.modules, "cambrian.bridges.optuna_sampler")
    with pytest.raises(MissingExtra, match=r"pip install 'cambrian\[optuna\]'"):
        importlib.import_module("cambrian.bridges.optuna_sampler")


def test_a_trial_that_has_ended_is_read_once(monkeypatch):
    """However long the study is: each proposal walked through all trials before. Another study of the same
    sampler is read from its own trials."""
    sampler = StrategySampler("nasbench201", "random", seed=0)
    read = []
    whole = optuna_sampler._read_answers
    monkeypatch.setattr(
        optuna_sampler,
        "_read_answers",
        lambda space, frozen, known: read.append(1) or whole(space, frozen, known),
    )

    def objective(trial):
        return float(len(suggest(sampler.space, trial)["node1/from0"]))

    for _ in range(2):
        read.clear()
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(objective, n_trials=30)
        assert len(read) == 29
