"""Trainings that begin with weights which the user has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import cambrian
from cambrian.architecture import Architecture
from cambrian.choices import Scalar
from cambrian.errors import RunError, UsageError
from cambrian.estimators.train import Train
from cambrian.networks.checkpoint import load_facts, save_weights
from cambrian.search.planning import plan as plan_module
from cambrian.search.planning.plan import plan
from cambrian.search.planning.pretrained import fit_portfolio
from cambrian.spaces import SPACES
from cambrian.spaces.space import Pick, Signature, Space
from remembered import fix_race_speed, fix_supernet_speed
from small_training import ARCHITECTURE, SmallConv, bars, estimated

STILL = Train(batch_size=16, learning_rate=1e-30, weight_decay=0.0)
"""A training that leaves parameters as they are."""


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    fix_race_speed(monkeypatch, lambda *arguments: 1e-4)


def make_task(classes: int = 4) -> cambrian.Task:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (80, 16, 16, 3), dtype=np.uint8)
    return cambrian.load((pixels, np.arange(80) % classes), name="noise")


def test_a_network_begins_with_the_tensors_that_fit(tmp_path: Path) -> None:
    """After a training that leaves parameters as they are, they are the file's; a linear layer of other
    classes keeps the values that are drawn by the seed, and a network of random ones differs."""
    network = SmallConv().build(ARCHITECTURE, bars())
    network[8] = torch.nn.Linear(8, 7)
    save_weights(network, tmp_path / "have.safetensors")
    file, random = tmp_path / "ended.safetensors", tmp_path / "random.safetensors"
    estimated(Train(**{**_settings(STILL), "pretrained": str(tmp_path / "have.safetensors")}), weights=file)
    estimated(STILL, weights=random)
    ended, drawn, given = load_file(file), load_file(random), network.state_dict()
    for name in ("0.weight", "0.bias", "3.weight"):
        assert torch.equal(ended[name], given[name])
        assert not torch.equal(drawn[name], given[name])
    assert torch.equal(ended["8.weight"], drawn["8.weight"])


def _settings(train: Train) -> dict[str, object]:
    return {"batch_size": train.batch_size, "learning_rate": train.learning_rate, "weight_decay": 0.0}


@pytest.mark.parametrize(("name", "filters"), [("resnet9", 12), ("cnn", 24), ("bottleneck", 8)])
def test_weights_are_fitted_to_their_own_network(name: str, filters: int, tmp_path: Path) -> None:
    """Of all networks and numbers of filters, a file fits the one that it is of, also where the classes are
    others: then all but the last layer."""
    space = SPACES.make("stages")
    network = space.build(space.portfolio[name], make_task(classes=5), filters=filters)
    save_weights(network, tmp_path / "have.safetensors")
    fit = fit_portfolio(tmp_path / "have.safetensors", make_task(), space, space.portfolio, (8, 12, 24), {})
    assert (fit.name, fit.filters) == (name, filters)
    last = network[-1].weight.numel() / 5 * 4 + 4
    total = sum(t.numel() for t in network.state_dict().values()) - (last / 4)
    assert fit.share == pytest.approx(1 - last / total)


def test_weights_make_their_network_the_favourite(tmp_path: Path) -> None:
    """The plan names it first, with the filters of the file, and every training begins with the file."""
    space, task = SPACES.make("stages"), make_task()
    save_weights(space.build(space.portfolio["cnn"], task, filters=20), tmp_path / "have.safetensors")
    file = str(tmp_path / "have.safetensors")
    planned = plan(task, "3m", workers=1, recipe={"pretrained": file})
    first = planned.search.strategy.entrants[0]
    assert (first["name"], first["skeleton"]["filters"]) == ("cnn", 20)
    assert planned.search.estimator.pretrained == file
    assert dict(planned.rows)["weights"].startswith("those given are of cnn with 20 filters")


@pytest.mark.parametrize("how", [{"strategy": "random"}, {"budget": 20}])
def test_a_search_that_is_no_race_says_whether_weights_fit(how: dict[str, object], tmp_path: Path) -> None:
    """Weights of a network of the portfolio fit no cell: a sentence says so, instead of a search that begins
    from chance. Weights of a network that the search may draw are told in the plan, with the share of it that
    they are, which is all but the last layer where the classes are others."""
    space, task = SPACES.make("stages"), make_task()
    save_weights(space.build(space.portfolio["cnn"], task, filters=20), tmp_path / "have.safetensors")
    recipe = {"pretrained": str(tmp_path / "have.safetensors")}
    with pytest.raises(UsageError, match=r"have.safetensors fits no network of this search: .* a time alone"):
        plan(task, **{"budget": "3m", "workers": 1, "recipe": recipe, **how})


def test_weights_of_a_users_network_are_told_in_the_plan(tmp_path: Path) -> None:
    """Of a network of a space of one's own, whose one question the file has answered."""
    space, task = Heads(), make_task()
    save_weights(space.build(Architecture({"head": 4}), make_task(2)), tmp_path / "have.safetensors")
    recipe = {"pretrained": str(tmp_path / "have.safetensors")}
    planned = plan(task, 4, workers=1, space=space, strategy="random", recipe=recipe, baselines=())
    own = sum(p.numel() for p in space.build(Architecture({"head": 4}), task).parameters())
    share = 1 - (4 * 4 + 4) / own
    assert dict(planned.rows)["weights"].endswith(f"up to {share:.0%} of the numbers of one")
    assert planned.search.remarks["plan"] == planned.rows


@pytest.mark.parametrize(
    "estimator", [None, "extrapolated", lambda network: 0.5], ids=["train", "ended-early", "own"]
)
def test_a_report_says_that_weights_were_given(estimator: object, tmp_path: Path) -> None:
    """As the plan does, also where another estimator ranks the search than trains the final network."""
    space, task = Heads(), make_task()
    save_weights(space.build(Architecture({"head": 4}), make_task(2)), tmp_path / "have.safetensors")
    settings = {} if estimator is None else {"estimator": estimator}
    planned = plan(
        task,
        1,
        workers=1,
        space=space,
        strategy="random",
        recipe={"pretrained": str(tmp_path / "have.safetensors")},
        changes={"final_epochs": 1} | ({} if callable(estimator) else {"epochs": 1}),
        baselines=(),
        **settings,
    )
    page = cambrian.report(planned.run(quiet=True), tmp_path / "report.html").read_text()
    assert "from the weights given" in dict(planned.rows)["then"]
    assert "Trained from the weights in have.safetensors, where their names and shapes fit" in page


@pytest.mark.parametrize("strategy", ["spos", "darts"])
def test_the_plan_of_a_supernet_says_with_which_weights_a_network_alone_begins(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is for the networks that are trained alone in the end."""
    monkeypatch.setattr(plan_module, "fit_search", lambda file, search: 1.0)
    fix_supernet_speed(monkeypatch)
    save_file({"layer.weight": torch.ones(3)}, tmp_path / "have.safetensors")
    recipe = {"pretrained": str(tmp_path / "have.safetensors")}
    rows = dict(plan(make_task(), "1h", workers=1, strategy=strategy, recipe=recipe).rows)
    assert "from the weights given" in rows["then"]
    assert "scratch" not in rows["then"]


@dataclass(frozen=True)
class Heads(Space):
    """A convolution, and a head of one of two widths."""

    def program(self, pick: Pick) -> None:
        pick("head", [4, 8])

    def build(self, architecture: Architecture, task: Signature, **skeleton: Scalar) -> torch.nn.Module:
        width = int(architecture["head"])  # type: ignore[arg-type]
        layers = (torch.nn.Conv2d(task.channels, width, 16), torch.nn.Flatten())
        return torch.nn.Sequential(*layers, torch.nn.Linear(width, task.classes))


def test_filters_that_are_named_are_not_replaced_by_those_of_the_file(tmp_path: Path) -> None:
    """Weights of 20 filters do not fit a race of 8: a sentence says so, before anything is trained."""
    space, task = SPACES.make("stages"), make_task()
    save_weights(space.build(space.portfolio["cnn"], task, filters=20), tmp_path / "have.safetensors")
    recipe = {"pretrained": str(tmp_path / "have.safetensors")}
    with pytest.raises(UsageError, match=r"the nearest is .* of 8 filters"):
        plan(task, "3m", workers=1, recipe=recipe, changes={"filters": 8})


def test_weights_of_a_network_over_a_limit_are_refused(tmp_path: Path) -> None:
    """A narrower network of the same kind would take none of them."""
    space, task = SPACES.make("stages"), make_task()
    save_weights(space.build(space.portfolio["cnn"], task, filters=20), tmp_path / "have.safetensors")
    recipe = {"pretrained": str(tmp_path / "have.safetensors")}
    with pytest.raises(UsageError, match="weights of cnn of 20 filters, which is over a limit"):
        plan(task, "3m", workers=1, recipe=recipe, limits={"params": 20_000})


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    """Before anything is trained, in a sentence with the file's name: missing ones, text, and weights of an
    unknown network."""
    missing, text, other = (tmp_path / name for name in ("missing", "text", "other"))
    text.write_text("no weights at all, whatever the first eight bytes may say")
    save_file({"layer.weight": torch.ones(3)}, other)
    for file, kind, sentence in (
        (missing, RunError, "cannot be read"),
        (text, RunError, "is not a safetensors file"),
        (other, UsageError, "fits no network of the portfolio; the nearest is"),
    ):
        with pytest.raises(kind, match=f"{file.name}.*{sentence}"):
            plan(make_task(), "3m", workers=1, recipe={"pretrained": str(file)})


def test_facts_of_a_file_that_promises_more_than_it_has(tmp_path: Path) -> None:
    """The length in its first bytes may be any number: only the file is read."""
    (tmp_path / "short").write_bytes(b"\xff" * 8 + b"{}")
    with pytest.raises(RunError, match="its header is longer than the file"):
        load_facts(tmp_path / "short")
