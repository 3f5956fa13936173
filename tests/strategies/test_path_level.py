"""The controller of path-level transformations against closed forms, and its search against made-up
outcomes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cambrian.architecture import Architecture, completions, sample
from cambrian.outcome import Done, Infeasible, Trial
from cambrian.spaces import SPACES
from cambrian.spaces.knowledge import Trees, know
from cambrian.spaces.space import Space
from cambrian.strategies.morphing.decided import Decided, repeat
from cambrian.strategies.morphing.eas_actors import Sizes
from cambrian.strategies.morphing.named_weights import NamedWeights, Reader
from cambrian.strategies.morphing.path_level import PathLevel
from cambrian.strategies.morphing.tree_actor import Grower, encode, grow, list_taken, merge_branches
from cambrian.testing.play import Game, Measure, StrategyCase
from cambrian.weights import MORPHISM, Fresh, Inherit

SPACE = SPACES.parse("tree-cells(depth=1)")
DEEP = SPACES.make("tree-cells")
SIZES = Sizes(3, 4)
SMALL = PathLevel(networks=4, hidden=6, embedding=4)


def make_grower(space: Space) -> Grower:
    """With poolings, so that every tree of the space can grow."""
    trees = know(space, Trees)
    assert trees is not None
    return Grower(space, trees, SIZES, pools=True)


def count_fives(trial: Trial) -> Done:
    """An accuracy by the share of 5x5 convolutions."""
    operations = [a for path, a in trial.architecture.items() if path.endswith("operation")]
    return Done(0.1 + 0.8 * sum(a == "sep5x5" for a in operations) / max(2, len(operations)))


def play(strategy: PathLevel, trials: int, measure: Measure = count_fives) -> Game:
    return Game(StrategyCase(strategy, SPACE, trials=trials), measure=measure).play(trials)


def test_all_trees_grow_from_the_one_that_was_trained_first() -> None:
    """A single leaf first, afresh; then trees that begin with its weights, whatever was better meanwhile;
    those of an episode are distinct."""
    first, *rest = play(SMALL, 13).trials
    assert (first.architecture, first.weights) == (
        Architecture({"operation": "identity", "merge": "none"}),
        Fresh(),
    )
    assert all(t.weights == Inherit(0, MORPHISM) for t in rest)
    assert all(len({t.architecture for t in rest[n : n + 4]}) == 4 for n in (0, 4, 8))
    answers = {answer for t in rest for answer in t.architecture.values()}
    assert "sep3x3" in answers
    assert not answers & {"avg3x3", "max3x3"}  # a pooling would change the function


def test_failures_are_outlived() -> None:
    """A first network that fails is followed by a random one."""

    def fail(trial: Trial) -> Done | Infeasible:
        return count_fives(trial) if trial.number in (1, 4) else Infeasible("nan")

    game = play(SMALL, 10, fail)
    assert game.trials[1].weights == Fresh()
    assert {t.weights for t in game.trials[2:]} == {Inherit(1, MORPHISM)}


def test_the_settings_of_the_paper() -> None:
    """Batches of 10, 20 epochs, 100 units, Adam at 0.006, an entropy of 0.01."""
    paper = PathLevel.paper()
    assert (paper.networks, paper.epochs, paper.hidden, paper.lr, paper.entropy) == (10, 20, 100, 6e-3, 1e-2)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_node_is_the_tree_lstm_of_its_paper(ordered: bool) -> None:
    """Equations 2 to 14 of Tai et al. 2015, written out: gates by the sum of the branches' states, or by
    weights of their own, and a forget gate for each."""
    read = Reader(NamedWeights(0, "test"))
    rng = np.random.default_rng(0)
    x, branches = rng.normal(size=3), [(rng.normal(size=4), rng.normal(size=4)) for _ in range(2)]
    memories = [(torch.from_numpy(h), torch.from_numpy(c)) for h, c in branches]
    h, c = merge_branches(read, torch.from_numpy(x), memories, ordered, SIZES)
    w = {name: t.detach().numpy() for name, t in read.tensors.items()}
    name = "ordered" if ordered else "sum"
    past = [w[f"{name} past{k if ordered else ''}"] for k in range(2)]
    below = np.split(x @ w[f"{name} below"] + w[f"{name} bias"], 4)
    i, o, u = (
        below[g] + sum(branches[k][0] @ np.split(past[k], 4, axis=1)[g] for k in range(2)) for g in range(3)
    )
    forget = [sigmoid(below[3] + branches[k][0] @ np.split(past[k], 4, axis=1)[3]) for k in range(2)]
    cell = sigmoid(i) * np.tanh(u) + sum(f * branch[1] for f, branch in zip(forget, branches))
    np.testing.assert_allclose(c.detach().numpy(), cell)
    np.testing.assert_allclose(h.detach().numpy(), sigmoid(o) * np.tanh(cell))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_added_branches_are_read_without_an_order_and_halves_with_one() -> None:
    """The root's state is the same where branches of a mean change places, and another where halves do."""
    trees = know(DEEP, Trees)
    assert trees is not None

    def read_root(merge: str, one: str, other: str) -> torch.Tensor:
        tree = trees.tree({"merge": merge, "branch1/operation": one, "branch2/operation": other})
        return encode(Reader(NamedWeights(0, "test")), tree, SIZES)[""]

    same = [read_root("add2", *pair) for pair in (("sep3x3", "conv1x1"), ("conv1x1", "sep3x3"))]
    torch.testing.assert_close(*same)
    apart = [read_root("concat2", *pair) for pair in (("sep3x3", "conv1x1"), ("conv1x1", "sep3x3"))]
    assert not torch.allclose(*apart)


def test_probabilities_of_all_trees_of_two_branches_are_those_of_their_merge() -> None:
    """Brute force: 49 trees, whose probabilities add up to that of "identity" and "add2" at the root."""
    weights, grower = NamedWeights(0, "test", bound=1.0), make_grower(SPACE)

    def measure(architecture: Architecture, most: int) -> float:
        """The probability of the first `most` decisions."""
        logs: list[float] = []
        decided = Decided(repeat(list_taken(grower, architecture)))
        choose = decided.choose

        def note(logits: torch.Tensor) -> int:
            before = decided.log_probability
            index = choose(logits)
            logs.append(float((decided.log_probability - before).detach()))
            return index

        decided.choose = note  # type: ignore[method-assign]
        assert grow(Reader(weights), grower, decided) == architecture
        return float(np.exp(sum(logs[:most])))

    drawn = list(completions(SPACE, {"operation": "identity", "merge": "add2"}))
    assert len(drawn) == 49
    assert sum(measure(a, 4) for a in drawn) == pytest.approx(measure(drawn[0], 2))


def test_a_tree_is_its_own_decisions() -> None:
    """Random trees of two levels, grown again from the indices of their answers."""
    grower, rng = make_grower(DEEP), np.random.default_rng(0)
    for _ in range(5):
        drawn = sample(DEEP, rng)
        decided = Decided(repeat(list_taken(grower, drawn)))
        assert grow(Reader(NamedWeights(0, "test")), grower, decided) == drawn


@pytest.mark.slow
def test_the_controller_finds_what_pays() -> None:
    """Only 5x5 convolutions pay: there are more of them in later episodes."""
    game = play(PathLevel(networks=10, hidden=6, embedding=4, lr=0.05), 121)
    values = [t.value or 0.0 for t in game.trials]
    assert np.mean(values[91:]) > np.mean(values[1:31]) + 0.1
