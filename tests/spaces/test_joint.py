"""Networks with their trainings as one space: its two parts, its size, growth, and what training reads."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

import cambrian
from cambrian.architecture import Architecture, replay, sample
from cambrian.cli.options.architectures import architecture_of
from cambrian.codec import encode
from cambrian.errors import Unread, UsageError
from cambrian.estimators.function import Function
from cambrian.estimators.train import Train
from cambrian.estimators.training_answers import apply_answers
from cambrian.estimators.training_start import augment_for
from cambrian.neighbourhood import neighbours
from cambrian.outcome import Done, Fidelity
from cambrian.randomness import stream
from cambrian.request import Stop, trial_of
from cambrian.search.assembly import make_problem
from cambrian.search.parts.components import spec_of
from cambrian.search.planning.plan import plan
from cambrian.spaces import SPACES
from cambrian.spaces.budgets import HasPortfolio
from cambrian.spaces.knowledge import Canonical, Encodes, Grows, Morphs, Moves, know
from cambrian.spaces.program.function_space import Shape
from remembered import fix_race_speed
from tiers import slow_but

RATES, DECAYS = (0.1, 0.2, 0.4), (1e-4, 1e-3)
TRAINING = {"learning_rate": RATES, "weight_decay": DECAYS}
SHAPE = Shape(3, 16, 16, 4)


def make_joint(space: str) -> object:
    return SPACES.make({"name": "joint", "arguments": {"space": space, "training": TRAINING}})


def test_it_has_each_network_with_each_training() -> None:
    """Its first level is the product of the inner space's and of all trainings, each pair once, and a child
    keeps its parent's training: the second level is the product again."""
    inner, joint = SPACES.make("tiny-chain"), make_joint("tiny-chain")
    networks, both = know(inner, Grows), know(joint, Grows)
    one, firsts = networks.grow((), stream(0, "a")), both.grow((), stream(0, "a"))
    pairs = {
        Architecture({**one.architecture(i), "train.learning_rate": r, "train.weight_decay": d})
        for i in range(len(one))
        for r in RATES
        for d in DECAYS
    }
    grown = [firsts.architecture(i) for i in range(len(firsts))]
    assert set(grown) == pairs
    assert len(grown) == len(pairs) == 6 * len(one)
    two = networks.grow([one.architecture(i) for i in range(len(one))], stream(0, "b"))
    children = both.grow(grown, stream(0, "b"))
    assert len(children) == 6 * len(two)
    for i in range(0, len(children), 7):
        parent, child = grown[children.parent[i]], children.architecture(i)
        assert joint.read_training(child) == joint.read_training(parent)


def test_tokens_of_a_child_are_its_parents_and_its_step() -> None:
    """Tokens of the training stand in every step: what a pool adds to a parent's tokens is the child's."""
    joint = make_joint("tiny-chain")
    growth, encodes = know(joint, Grows), know(joint, Encodes)
    firsts = growth.grow((), stream(0, "a"))
    parents = [firsts.architecture(i) for i in range(0, len(firsts), 5)]
    children = growth.grow(parents, stream(0, "b"))
    for i in range(0, len(children), 11):
        whole = encodes.tokens([children.architecture(i)])[0]
        begun = encodes.tokens([parents[children.parent[i]]])[0]
        assert np.array_equal(whole, [*begun, children.step[i]])


def test_the_network_does_not_depend_on_its_training() -> None:
    """It is built of the architecture's own part: the same weights by the same seed as in the inner space."""
    inner, joint = SPACES.make("stages"), make_joint("stages")
    both = sample(joint, stream(3, "network"))
    networks = []
    for space, architecture in ((joint, both), (inner, joint.strip(both))):
        torch.manual_seed(0)
        networks.append(space.build(architecture, SHAPE, filters=4).state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[1])


def test_neighbours_change_the_network_or_its_training() -> None:
    """There are as many as the inner space's, and one for each other value of a setting."""
    inner, joint = SPACES.make("tiny-chain"), make_joint("tiny-chain")
    both = sample(joint, stream(1, "near"))
    near = neighbours(joint, both, stream(0, "near"))
    same = [each for each in near if joint.strip(each) == joint.strip(both)]
    assert len(same) == len(RATES) - 1 + len(DECAYS) - 1
    assert len(near) - len(same) == len(neighbours(inner, joint.strip(both), stream(0, "near")))
    canonical = know(joint, Canonical)
    assert len({canonical.canonical(each) for each in same}) == len(same)


def test_a_training_reads_its_answers() -> None:
    """The recipe of an architecture has the settings that it was found with, and the augmentation's strength
    scales shifts and holes: none at 0, twice the shifts and a hole of three eighths at 2."""
    joint = make_joint("tiny-chain")
    found = sample(joint, stream(2, "recipe"))
    recipe = apply_answers(Train(), found)
    assert recipe.learning_rate == found["train.learning_rate"]
    assert recipe.weight_decay == found["train.weight_decay"]
    texts = []
    for strength in (0.0, 1.0, 2.0):
        stronger = apply_answers(Train(), Architecture({"train.augment_strength": strength}))
        texts.append(str(augment_for(stronger, Shape(3, 32, 32, 10), Fidelity())))
    assert texts == ["none", "shifts up to 4 px, flips", "shifts up to 8 px, flips, cutout of 12 px"]


def test_it_knows_no_more_than_its_networks() -> None:
    """A portfolio has the usual training, the middle of each setting's values; a space that has no moves has
    none here either; the spec makes an equal space."""
    stages, pnas = make_joint("stages"), make_joint("pnas")
    portfolio = know(stages, HasPortfolio).portfolio
    assert list(portfolio) == list(SPACES.make("stages").portfolio)
    for network in portfolio.values():
        assert replay(stages, network)["train.learning_rate"] == 0.2
    assert know(pnas, HasPortfolio) is None
    assert (know(pnas, Moves) is None) == (know(SPACES.make("pnas"), Moves) is None)
    again = SPACES.make(spec_of("space", stages))
    assert again == stages
    assert hash(again) == hash(stages)


@pytest.mark.parametrize(
    "spec", ["joint(space=os:path)", {"name": "joint", "arguments": {"space": "os:path"}}]
)
def test_a_file_has_no_inner_space_imported(spec: object, tmp_path: object) -> None:
    """A file may not name code to import, nor may the space in it, nor one within that."""
    file = tmp_path / "network.json"  # type: ignore[operator]
    for written in (spec, {"name": "joint", "arguments": {"space": spec}}):
        file.write_bytes(encode({"space": written, "answers": {}}))
        with pytest.raises(UsageError, match="none of cambrian's own"):
            architecture_of(str(file))


def test_a_morphism_of_the_training_leaves_the_network() -> None:
    """ "retrain" takes one setting to the next value up or down, each of them in turn, and nothing else; the
    morphisms of the network leave the training."""
    joint = make_joint("stages")
    morphing = know(joint, Morphs)
    assert morphing.morphs == (*know(SPACES.make("stages"), Morphs).morphs, "retrain")
    rng = stream(0, "retrain")
    first = know(joint, HasPortfolio).portfolio["resnet"]  # a rate of 0.2 and a decay of 1e-3
    children = {morphing.morph("retrain", first, rng) for _ in range(40)}
    changed = [{path: a for path, a in child.items() if a != first[path]} for child in children]
    assert sorted(map(str, changed)) == sorted(
        map(str, ({"train.learning_rate": 0.1}, {"train.learning_rate": 0.4}, {"train.weight_decay": 1e-4}))
    )
    deeper = morphing.morph("deepen", first, rng) or morphing.morph("widen", first, rng)
    assert joint.read_training(deeper) == joint.read_training(first)


@pytest.mark.parametrize("strategy", slow_but(("hill-climbing",), ["hill-climbing", "bayes"]))
def test_strategies_search_the_training_with_the_network(strategy: str) -> None:
    """A made-up score that counts the depth and the fitness of the training: each of them finds another
    training than the usual one, that scores more than any network does with it."""
    joint = make_joint("stages")

    def score(architecture: Architecture, fidelity: Fidelity) -> float:
        trained = RATES.index(architecture["train.learning_rate"]) - DECAYS.index(
            architecture["train.weight_decay"]
        )
        return trained + 0.1 * sum(a for path, a in architecture.items() if path.endswith("/depth"))

    result = cambrian.Search(joint, strategy, Function(score, builds=False), budget=25, seed=1).run(
        quiet=True
    )
    assert result.best.value > 0.1 * 4 * 3


def test_a_race_is_over_networks_and_their_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entrants have the usual training; challengers change the network or the training, and begin with the
    leader's function; a setting that the space asks for is refused elsewhere."""
    fix_race_speed(monkeypatch, lambda *arguments: 1e-5)
    task = cambrian.load("digits", limit=400)
    planned = plan(task, "3h", workers=1, space=make_joint("stages"), changes={"entrants": 2, "filters": 8})
    race = planned.search.strategy
    assert all(e["architecture"]["train.learning_rate"] == 0.2 for e in race.entrants)
    assert race.challengers == 2
    state = race.start(make_problem(planned.search, None))
    steps = set()
    for number in range(60):
        request = race.propose(state, [], stream(0, "race", number))
        if isinstance(request, Stop):
            break
        trial = trial_of(number, request, planned.search.fidelity)
        steps.add(request.reason.get("step"))
        state = race.learn(state, msgspec.structs.replace(trial, outcome=Done(number / 100)))
    assert "retrain" in steps
    assert steps & {"deepen", "widen", "kernel"}
    with pytest.raises(Unread, match="learning_rate is for other spaces: joint searches it"):
        plan(task, "3h", workers=1, space=make_joint("stages"), recipe={"learning_rate": 0.1})


def test_settings_that_no_training_has_are_refused() -> None:
    """With the nearest name; and a setting without values, or with one twice."""
    for training, words in (
        ({"learning_rat": [0.1]}, "did you mean 'learning_rate'|learning_rate"),
        ({"weight_decay": []}, "weight_decay has different values, got"),
        ({"weight_decay": [0.1, 0.1]}, "weight_decay has different values, got"),
    ):
        with pytest.raises(UsageError, match=words):
            SPACES.make({"name": "joint", "arguments": {"training": training}})


def test_an_empty_training_is_refused() -> None:
    with pytest.raises(UsageError, match="training is empty"):
        SPACES.make({"name": "joint", "arguments": {"training": {}}})
