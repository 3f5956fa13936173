"""A run knows the code it was searched with, and what its trained network gave: an edit is noticed."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import cambrian
from cambrian.errors import RunChanged, UsageError
from cambrian.networks.known_outputs import describe_outputs, outputs_difference
from cambrian.search.identity.program_code import code_parts, find_edits
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.run_directory import LEDGER
from cambrian.search.loop.final import Final
from cambrian.spaces import SPACES

SOURCE = '''
from torch import nn
import cambrian

OPERATIONS = {"relu": lambda: nn.ReLU(), "tanh": lambda: nn.Tanh()}
PADDING = 1
seen, calls = [], 0


class Head(nn.Module):
    """What comes last."""

    def __init__(self, width, classes):
        super().__init__()
        self.linear = nn.Linear(width, classes)  # no bias is left out

    def forward(self, x):
        return self.linear(x.flatten(2).amax(2))


@cambrian.space
def net(pick, task, *, filters=4):
    global calls
    calls += 1
    seen.append(calls)
    layers = [nn.Conv2d(task.channels, filters, 3, padding=PADDING), OPERATIONS[pick("op", ["relu"])]()]
    return nn.Sequential(*layers, Head(filters, task.classes))
'''

Write = Callable[[str], ModuleType]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the module `edited_net` and imports it anew, as another process would."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def imported(source: str) -> ModuleType:
        (tmp_path / "edited_net.py").write_text(source)
        sys.modules.pop("edited_net", None)
        importlib.invalidate_caches()
        return importlib.import_module("edited_net")

    monkeypatch.setitem(sys.modules, "edited_net", ModuleType("edited_net"))  # taken out again afterwards
    return imported


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("  # no bias is left out", "", []),
        ('    """What comes last."""\n', "", []),
        ("layers", "parts", []),
        ("calls = [], 0", "calls = [7], 5", []),
        ("amax(2)", "mean(2)", ["edited_net:Head.forward"]),
        ("nn.Tanh", "nn.Sigmoid", ["edited_net:<lambda>#2"]),
        ("PADDING = 1", "PADDING = 2", ["edited_net:PADDING"]),
        ("filters=4", "filters=5", ["edited_net:net"]),
    ],
)
def test_an_edit_is_told_by_name(write: Write, old: str, new: str, names: list[str]) -> None:
    """What is written otherwise and computes the same does not count."""
    before, after = code_parts(write(SOURCE).net), code_parts(write(SOURCE.replace(old, new)).net)
    assert find_edits(before, after) == names


def test_a_variable_that_another_function_changes_is_no_edit(write: Write) -> None:
    """A counter that a helper keeps, and the space reads: it is another number by the next search of the same
    program, as of a notebook."""
    source = SOURCE.replace("    global calls\n    calls += 1\n", "    note()\n").replace(
        "@cambrian", "def note():\n    global calls\n    calls += 1\n\n\n@cambrian"
    )
    module = write(source)
    before = code_parts(module.net)
    module.note()
    assert find_edits(before, code_parts(module.net)) == []
    edited = write(source.replace("calls += 1", "calls += 2"))
    assert find_edits(before, code_parts(edited.net)) == [f"{edited.__name__}:note"]


def test_our_own_code_is_not_a_users() -> None:
    """It is told by its version, and by what its networks give."""
    assert [code_parts(SPACES.make(name)) for name in ("pnas", "nasbench201", "cgp")] == [{}, {}, {}]


@pytest.fixture(scope="module")
def task() -> cambrian.Task:
    return cambrian.load("digits", limit=120)


def search(module: ModuleType, task: cambrian.Task) -> cambrian.Search:
    final = Final(cambrian.Fidelity(2), top=1, baselines=())
    return cambrian.Search(
        module.net, "random", "train", task, budget=1, fidelity=cambrian.Fidelity(1), final=final
    )


def test_a_network_that_was_edited_is_not_handed_over(
    write: Write, task: cambrian.Task, tmp_path: Path
) -> None:
    """Neither as a model nor as an export, nor is the run continued; put back, all is as it was."""
    run = tmp_path / "run"
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    trained = search(write(SOURCE), task).run(run).model()(images)
    write(SOURCE.replace("amax(2)", "mean(2)"))
    with pytest.raises(RunChanged, match=r"differ by .* code of edited_net:Head.forward was edited since"):
        cambrian.Result.open(run).model()
    with pytest.raises(RunChanged, match="another network now than the one that was trained"):
        cambrian.export(cambrian.Result.open(run), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(RunChanged, match=r"the code of edited_net:Head.forward was edited"):
        cambrian.Search.resume(run, 2).run(run)
    write(SOURCE.replace("self.linear(", "self.linear.forward("))  # other code, the same network
    assert torch.equal(cambrian.Result.open(run).model()(images), trained)
    write(SOURCE + "# a remark\n")
    assert len(cambrian.Search.resume(run, 2).run(run).trials) == 2


def test_weights_that_fit_no_more(write: Write, task: cambrian.Task, tmp_path: Path) -> None:
    """The sentence says that the code was edited, besides what does not fit."""
    run = tmp_path / "run"
    search(write(SOURCE), task).run(run)
    write(SOURCE.replace("filters=4", "filters=5"))
    with pytest.raises(RunChanged, match=r"of another network[\s\S]*The code of edited_net:net was edited"):
        cambrian.Result.open(run).model()


def test_a_run_of_before_is_opened_and_continued(write: Write, task: cambrian.Task, tmp_path: Path) -> None:
    """It has neither hashes nor outputs: nothing can be told, and nothing is refused."""
    run = tmp_path / "run"
    result = search(write(SOURCE), task).run(run)
    assert result.winner is not None
    ledger = Ledger.open(run / LEDGER)
    settings = {k: v for k, v in ledger.facts()["settings"].items() if k != "code"}
    ledger.remember(settings=settings)
    ledger.close()
    write(SOURCE.replace("amax(2)", "mean(2)"))
    assert len(cambrian.Search.resume(run, 2).run(run).trials) == 2


def test_outputs_are_kept_with_the_weights(write: Write, task: cambrian.Task, tmp_path: Path) -> None:
    """In the same file; one without them is loaded all the same."""
    result = search(write(SOURCE), task).run(tmp_path / "run")
    assert result.winner is not None
    path = tmp_path / "run" / result.winner.artifacts["weights.safetensors"].file
    with safe_open(path, "pt") as file:
        described = file.metadata()["outputs"]
    assert outputs_difference(result.model().network, described) == 0
    save_file(load_file(path), path)
    changed = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = msgspec.structs.replace(result.winner.artifacts["weights.safetensors"], sha256=changed)
    outcome = msgspec.structs.replace(result.winner.outcome, artifacts={"weights.safetensors": kept})
    winner = msgspec.structs.replace(result.winner, outcome=outcome)
    assert isinstance(result.model(winner), nn.Module)


def test_a_difference_of_rounding_is_none() -> None:
    """A weight that is another by a ten-thousandth gives the same, one by a tenth does not; chance has no
    outputs to compare with."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    described = describe_outputs(network, (1, 4, 4))
    assert described is not None
    with torch.no_grad():
        network[1].bias[0] += 1e-4
        assert outputs_difference(network, described) == 0
        network[1].bias[0] += 0.1
    assert outputs_difference(network, described) == pytest.approx(0.1001, abs=1e-5)
    noisy = nn.Sequential(nn.Flatten(), Noise())
    assert describe_outputs(noisy, (1, 4, 4)) is None


class Noise(nn.Module):
    """Adds noise, whatever its mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand(16)


def test_what_is_nearly_a_space(task: cambrian.Task) -> None:
    """A function without its decorator, a class, anything else: a sentence."""

    def body(pick: object, task: object) -> nn.Module:
        return nn.Flatten()

    for given, says in (
        (body, "got body, which is none: write @cambrian.space above it"),
        (nn.Flatten, r"got the class Flatten: write a function \(pick, task\) that returns Flatten"),
        (3, "got int, which is none"),
    ):
        with pytest.raises(UsageError, match=says):
            cambrian.Search(given, "random", "train", task, budget=1)  # type: ignore[arg-type]
