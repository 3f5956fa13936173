"""What the README shows is run, or exists."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
import torch

import cambrian
import cambrian.search.planning.plan
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
STANDING = types.SimpleNamespace(monotonic=lambda: 0.0)
"""A clock that stands still."""


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_is_python(block: str) -> None:
    """No example has a slip of the pen."""
    assert compile(block, "README.md", "exec")


@pytest.mark.slow
def test_the_space_of_ones_own_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of a space as a function runs as printed, progressively, by real training, and ends with a
    network that was trained and tested."""
    monkeypatch.chdir(tmp_path)
    block = next(b for b in BLOCKS if "@cambrian.space" in b)
    module = types.ModuleType("readme")
    sys.modules["readme"] = module
    types.FunctionType(compile(block, "README.md", "exec"), module.__dict__)()
    result = vars(module)["result"]
    assert len(result.trials) == 20
    assert result.best.value > 0.1
    assert {t.reason["level"] for t in result.trials} >= {1, 2}
    assert result.winner.value > 0.5
    assert vars(module)["network"](torch.rand(2, 1, 8, 8)).shape == (2, 10)


def test_the_first_example_ends_with_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block runs as printed, in a sixth of the time, and leaves a network that classifies. No
    time goes by until the plan begins: on a busy machine all of it would be over before."""
    monkeypatch.chdir(tmp_path)
    for module in ("plan", "plan_request"):
        monkeypatch.setattr(sys.modules[f"cambrian.search.planning.{module}"], "time", STANDING)
    names: dict[str, object] = {}
    block = BLOCKS[0].replace('"30s"', '"5s"')
    assert block != BLOCKS[0]
    types.FunctionType(compile(block, "README.md", "exec"), names)()
    network = names["network"]
    assert isinstance(network, torch.nn.Module)
    assert network(torch.rand(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./-]+)\)", README))
def test_every_link_leads_somewhere(path: str) -> None:
    """Pictures and pages the README points at are in the repository."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`(?:pytest|python) ([\w/. -]+?)(?: -k \w+)?`", README)))
)
def test_every_command_names_what_exists(path: str) -> None:
    """The files and folders in the commands of the table are there."""
    assert all((ROOT / part).exists() for part in path.split())


def test_as_many_spaces_and_strategies_as_it_says() -> None:
    """The numbers in its first paragraph are those of the registries."""
    said = re.search(r"with (\d+) search spaces and (\d+)\sstrategies", README)
    assert said is not None
    assert tuple(map(int, said.groups())) == (len(SPACES.names()), len(STRATEGIES.names()))


def test_every_strategy_is_named() -> None:
    """In the table of names, that of a strategy around others within its brackets."""
    table = README.partition("## Names")[2].partition("```")[0]
    assert [n for n in STRATEGIES.names() if not re.search(rf"(?<![\w-]){n}(?![\w-])", table)] == []


def test_the_citation_is_of_this_version() -> None:
    """CITATION.cff names the version that the program shows."""
    cited = (ROOT / "CITATION.cff").read_text()
    assert f"version: {cambrian.__version__}\n" in cited


def test_every_subcommand_exists() -> None:
    """`cambrian ...` in the README is a command of the program."""
    import cambrian.cli.commands  # noqa: F401
    from cambrian.cli.app import app

    known = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    assert set(re.findall(r"^cambrian (\w+)", README, flags=re.MULTILINE)) <= known


def test_the_first_page_of_the_results_leads_to_their_sections() -> None:
    """Each link within RESULTS.md is to one of its headings, as GitHub names them."""
    text = (ROOT / "RESULTS.md").read_text()
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links
    assert links <= anchors
