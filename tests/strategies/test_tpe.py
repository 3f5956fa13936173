"""The bridge to Optuna proposes what Optuna proposes."""

from __future__ import annotations

import sys

import optuna
import pytest

from cambrian.architecture import replay, sample
from cambrian.errors import MissingExtra, UnknownName, UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Trial
from cambrian.problem import Problem
from cambrian.randomness import stream
from cambrian.spaces.program.function_space import space
from cambrian.strategies import STRATEGIES
from cambrian.strategies.bayesian.tpe import KEPT, TPE, freeze_trial, suggest
from mocks import Toy, truth
from tiers import slow_for

optuna.logging.set_verbosity(optuna.logging.WARNING)


@space
def everything(pick, task):
    """Every kind of question, some of them asked only after some answers, some walks rejected."""
    for i in range(pick.depth("layers", 1, 3)):
        if pick(f"kind{i}", ["conv", "pool"]) == "conv":
            pick.integer(f"width{i}", 1, 9)
    rate = pick.real("rate", 1e-4, 1.0, log=True)
    kept = pick.some("kept", ["a", "b", "c", "d"], 1, 3)
    pick.require(rate < 0.5 or len(kept) < 3, "too much")


def worth(architecture):
    return architecture["rate"] + architecture["layers"] + ("a" in architecture["kept"])


def outcome(n, architecture):
    """Every seventh fails, one way or the other."""
    if n % 7 == 6:
        return Infeasible("nan") if n % 2 else Crashed("x")
    return Done(worth(architecture))


def by_hand(trial):
    """The same questions in Optuna's own words."""
    found = {"layers": trial.suggest_categorical("layers", [1, 2, 3])}
    for i in range(found["layers"]):
        found[f"kind{i}"] = trial.suggest_categorical(f"kind{i}", ["conv", "pool"])
        if found[f"kind{i}"] == "conv":
            found[f"width{i}"] = trial.suggest_int(f"width{i}", 1, 9)
    found["rate"] = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    kept = []
    for i, option in enumerate("abcd"):
        if len(kept) < 3 and (
            (i == 3 and not kept) or trial.suggest_categorical(f"kept[{option!r}]", [False, True])
        ):
            kept.append(option)
    return {**found, "kept": tuple(kept)}


@pytest.mark.parametrize("sampler", ["TPESampler", "RandomSampler"])
def test_it_proposes_what_optuna_alone_proposes(sampler):
    """A study that Optuna keeps from the first trial to the last, its sampler seeded for every trial as
    the bridge seeds it, asks for the same forty architectures."""
    strategy = TPE(sampler)
    state = strategy.start(Problem(everything))
    study = optuna.create_study(direction="maximize")
    for n in range(40):
        proposal = strategy.propose(state, [], stream(0, "propose", n))
        study.sampler = strategy.make_sampler(int(stream(0, "propose", n).integers(2**32)))
        while True:
            trial = study.ask()
            theirs = by_hand(trial)
            if theirs["rate"] < 0.5 or len(theirs["kept"]) < 3:
                break
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        assert dict(proposal.architecture) == theirs, n
        said = outcome(n, proposal.architecture)
        if isinstance(said, Done):
            study.tell(trial, said.value)
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        learned = Trial(n, proposal.architecture, Fidelity(), memory=proposal.memory, outcome=said)
        state = strategy.learn(state, learned)


def test_what_a_sampler_writes_on_trials_is_kept():
    """NSGA-II counts generations there: twenty trials in populations of five are generations 0 to 3."""
    strategy = TPE("NSGAIISampler", {"population_size": 5})
    state, generations = strategy.start(Problem(everything)), []
    for n in range(20):
        proposal = strategy.propose(state, [], stream(0, "propose", n))
        generations.append(proposal.memory["optuna"]["NSGAIISampler:generation"])
        done = Done(worth(proposal.architecture))
        learned = Trial(n, proposal.architecture, Fidelity(), memory=proposal.memory, outcome=done)
        state = strategy.learn(state, learned)
    assert generations == [n // 5 for n in range(20)]


def test_a_space_is_an_objective():
    """`suggest` in an objective of one's own; Optuna optimises the space, and what it finds is legal."""

    def objective(trial):
        found = suggest(plain, trial)
        assert replay(plain, found) == found
        return found["rate"] - found["width"]

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=40)
    assert study.best_value > 0.5 - 2


@space
def plain(pick, task):
    pick.integer("width", 1, 9)
    pick.real("rate", 0.0, 1.0)


@space
def dependent(pick, task):
    """What the second question offers depends on the first answer."""
    if pick("kind", ["conv", "pool"]) == "conv":
        pick("size", [1, 3, 5])
    else:
        pick("size", [2, 3])


def test_options_may_depend_on_earlier_answers():
    """As a strategy and in an objective of one's own: what is offered first has the path as its name, what
    is offered otherwise has its options there too, and the sampler learns both."""
    strategy, state, found = TPE(), TPE().start(Problem(dependent)), []
    for n in range(40):
        architecture = strategy.propose(state, [], stream(n, "dependent")).architecture
        assert replay(dependent, architecture) == architecture
        found.append(architecture["size"] + 2 * (architecture["kind"] == "pool"))
        trial = Trial(n, architecture, Fidelity(), outcome=Done(float(found[-1])))
        state = strategy.learn(state, trial)
    assert found[20:].count(5) > 10  # five of six architectures are worth less

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(lambda trial: suggest(dependent, trial)["size"], n_trials=40)
    names = {name for trial in study.trials for name in trial.params}
    assert names in [{"kind", "size", "size [1, 3, 5]"}, {"kind", "size", "size [2, 3]"}]
    assert study.best_value == 5


@space
def branches(pick, task):
    """A question's path could be mistaken for the name of an option of a subset."""
    for branch in pick.some("branch", ["conv", "pool"], 0, 2):
        pick.integer(f"branch/{branch}", 1, 8)


@space
def flags(pick, task):
    """Options that Python says are equal."""
    pick("flag", [True, False] if pick("kind", ["truth", "number"]) == "truth" else [1, 0])


@space
def changing(pick, task):
    """A path under which a number is asked for, or one of some names."""
    if pick("kind", ["number", "name"]) == "number":
        pick.real("value", 0.0, 1.0)
    else:
        pick("value", ["a", "b"])


@pytest.mark.parametrize(("asked", "kinds"), [(branches, 4), (flags, 4), (changing, 3)])
def test_no_name_is_mistaken_for_another(asked, kinds):
    """Every kind of architecture is proposed, and each is legal."""
    strategy, state, found = TPE(), TPE().start(Problem(asked)), set()
    for n in range(40):
        architecture = strategy.propose(state, [], stream(n, "names")).architecture
        assert replay(asked, architecture) == architecture
        found.add(
            repr([v for v in architecture.values() if not isinstance(v, float) and v not in range(2, 9)])
        )
        state = strategy.learn(state, Trial(n, architecture, Fidelity(), outcome=Done(0.0)))
    assert len(found) >= kinds


def test_trials_are_told_as_they_ended():
    """Measured, failed and pending are complete, pruned and running; parameters are the answers."""
    architecture = sample(everything, stream(0, "told"))
    states = optuna.trial.TrialState
    for said, state in [
        (Done(0.5), states.COMPLETE),
        (Infeasible("oom"), states.PRUNED),
        (Crashed("x"), states.PRUNED),
        (None, states.RUNNING),
    ]:
        told = freeze_trial(everything, Trial(0, architecture, Fidelity(), outcome=said), {})
        assert told.state == state
        assert told.params["rate"] == architecture["rate"]
        chosen = [o for o in "abcd" if told.params.get(f"kept[{o!r}]")]
        assert set(chosen) <= set(architecture["kept"])


def test_a_wrong_sampler_or_setting_is_refused_before_the_search():
    """With the nearest name, or with what Optuna said."""
    with pytest.raises(UnknownName, match="did you mean 'TPESampler'"):
        TPE("TPSampler").start(Problem(plain))
    with pytest.raises(UsageError, match="TPESampler refuses its settings"):
        TPE(settings={"startup": 3}).start(Problem(plain))
    with pytest.raises(UsageError, match=r"NSGAIISampler refuses its settings: .*population_size"):
        TPE("NSGAIISampler", {"population_size": 1}).start(Problem(plain))


SAMPLERS = [n for n in optuna.samplers.__all__ if n.endswith("Sampler") and not n.startswith("Base")]


@pytest.mark.parametrize("sampler", slow_for(("GPSampler",), SAMPLERS))
def test_a_sampler_searches_or_is_refused(sampler):
    """Whichever Optuna has: of 64 architectures twelve proposals are ten different ones or more, which with
    as many random ones is so in nine of ten runs; or the search does not begin."""
    strategy, toy = TPE(sampler), Toy(questions=3)
    if sampler in KEPT:
        with pytest.raises(UsageError, match=f"{sampler} .*: choose another sampler, one of .*TPESampler"):
            strategy.start(Problem(toy))
        return
    state, seen = strategy.start(Problem(toy)), set()
    for n in range(12):
        proposal = strategy.propose(state, [], stream(1, sampler, n))
        seen.add(proposal.architecture)
        done = Done(truth(proposal.architecture, 0))
        trial = Trial(n, proposal.architecture, Fidelity(), memory=proposal.memory, outcome=done)
        state = strategy.learn(state, trial)
    assert len(seen) >= 10


def test_a_sampler_that_cannot_answer_is_refused_before_the_search(monkeypatch):
    """Brute force cannot list the values of a real number; what a sampler imports may not be installed."""
    with pytest.raises(UsageError, match=r"BruteForceSampler cannot answer the question 'rate': .*step"):
        TPE("BruteForceSampler").start(Problem(plain))

    def sample_independent(*arguments):
        raise ModuleNotFoundError("No module named 'made_up'")

    monkeypatch.setattr(optuna.samplers.RandomSampler, "sample_independent", sample_independent)
    with pytest.raises(UsageError, match="RandomSampler cannot answer the question 'width': No module named"):
        TPE("RandomSampler").start(Problem(plain))


@space
def unequal(pick, task):
    """Three architectures, and one that is rejected."""
    pick.require(pick("one", [0, 1]) + pick("other", [0, 1]) < 2, "both")


def test_a_sampler_that_knows_everything_goes_on():
    """Brute force has proposed all by its third trial, and proposes again what is known."""
    strategy = TPE("BruteForceSampler")
    state, seen = strategy.start(Problem(unequal)), []
    for n in range(8):
        seen.append(strategy.propose(state, [], stream(0, "brute", n)).architecture)
        state = strategy.learn(state, Trial(n, seen[-1], Fidelity(), outcome=Done(0.0)))
    assert len(set(seen[:3])) == len(set(seen)) == 3


def test_without_optuna_it_says_what_to_install(monkeypatch):
    """In one sentence, when the search starts; the strategy can be named without."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    strategy = STRATEGIES.make("tpe")
    with pytest.raises(MissingExtra, match=r"pip install 'cambrian\[optuna\]'"):
        strategy.start(Problem(plain))
