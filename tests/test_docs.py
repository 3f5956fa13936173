"""What the documents show is run, fits the length they promise, and passes the suites."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cambrian.curves import CURVE_MODELS
from cambrian.networks.trained import TRAINED_METRICS
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES
from cambrian.testing import MEASURE, PREDICTOR, SPACE, STRATEGY, SpaceCase
from cambrian.testing.suite import Conformance
from tiers import slow_but, slow_for

DOCS = Path(__file__).parent.parent / "docs"


def blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), flags=re.DOTALL)


@cache
def page(name: str) -> dict[str, Any]:
    """The names that a page's code blocks define, run in order in a module of their own."""
    module = types.ModuleType(f"docs_{Path(name).stem.replace('-', '_')}")
    sys.modules[module.__name__] = module
    code = compile("\n".join(blocks(name)), str(DOCS / name), "exec")
    types.FunctionType(code, module.__dict__)()
    return vars(module)


def lines_of(block: str) -> int:
    """Lines of code after the imports, blank ones aside."""
    body = block[block.index("@") :]
    return sum(bool(line.strip()) for line in body.splitlines())


@pytest.mark.parametrize(
    ("name", "most"), [("new-space.md", 15), ("new-strategy.md", 30), ("new-predictor.md", 30)]
)
def test_examples_are_as_short_as_promised(name: str, most: int) -> None:
    """A new space takes at most 15 lines, a new strategy or predictor at most 30."""
    assert lines_of(blocks(name)[0]) <= most


@pytest.mark.parametrize("check", [c for c in SPACE.checks if "every_process" not in c.__name__])
def test_the_space_keeps_its_contract(check: Callable[[Any], None]) -> None:
    """The suite of the page's own test class passes (a page is no module another process can import)."""
    case: Conformance = page("new-space.md")["TestChain"]()
    check(case.case())


@pytest.mark.parametrize("name", slow_but(("perceptron",), ["perceptron", "staged"]))
def test_the_other_spaces_keep_their_contract(name: str) -> None:
    """The further spaces of the page have no violations either."""
    names = [c.__name__ for c in SPACE.checks if "every_process" not in c.__name__]
    assert SPACE.violations(SpaceCase(page("new-space.md")[name]), names) == []


def test_the_class_of_the_page_keeps_its_contract_and_is_shared() -> None:
    """Its supernet leaves every layer open, to a convolution, a pooling or nothing."""
    found = page("new-space.md")
    names = [c.__name__ for c in SPACE.checks if "every_process" not in c.__name__]
    assert SPACE.violations(SpaceCase(found["Layers"]()), names) == []
    assert list(found["layers"].choices) == ["layer0", "layer1", "layer2"]


def test_the_page_tells_outer_questions_from_shared_ones() -> None:
    """Its supernet is made for the two answers that the text names."""
    assert set(page("new-space.md")["supernet"].outer) == {"head/hidden", "train.lr"}


@pytest.mark.parametrize("check", STRATEGY.checks)
def test_the_strategy_keeps_its_contract(check: Callable[[Any], None]) -> None:
    """The suite of the page's own test class passes."""
    case: Conformance = page("new-strategy.md")["TestHillClimbing"]()
    check(case.case())


@pytest.mark.parametrize("check", PREDICTOR.checks)
def test_the_predictor_keeps_its_contract(check: Callable[[Any], None]) -> None:
    """The suite of the page's own test class passes."""
    case: Conformance = page("new-predictor.md")["TestNearest"]()
    check(case.case())


def test_the_study_of_the_page_finds_more_than_chance() -> None:
    """Sixty trials of a strategy in an Optuna study: the best of sixty random cells of six operations of five
    has four 3x3 convolutions or fewer with probability (1 - 25 / 15625) ** 60, 91 of 100 times."""
    study = page("optuna.md")["study"]
    assert study.best_value >= 5
    assert len(study.trials) == 60


GUIDES = sorted(path.name for path in (DOCS / "guides").iterdir())


@pytest.mark.parametrize("guide", slow_for(("own-data.md",), GUIDES))
def test_a_guide_runs_as_printed(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, from its first block to its last; all guides are of one manner, and lead on."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "guides" / guide).read_text()
    assert all(part in text for part in ("**You have**", "**You get**", "**Look** at", "**More**:"))
    assert page(f"guides/{guide}")
    assert all((DOCS / "guides" / link).exists() for link in re.findall(r"\]\((\.\.[\w./-]+)\)", text))


def test_the_guides_find_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is played on by its test score, and the training loop's trials have values."""
    monkeypatch.chdir(tmp_path)
    table = page("guides/own-table.md")
    assert len(table["rows"]) == 18
    assert 0 < table["played"].test[-1] <= table["mine"].optimum
    assert page("guides/own-training-loop.md")["result"].best.value > 0


def test_the_pages_name_every_question() -> None:
    """The table of questions in the page is complete."""
    from cambrian.spaces.program.function_space import ModulePick

    text = (DOCS / "new-space.md").read_text()
    public = {n for n, _ in inspect.getmembers(ModulePick, inspect.isfunction) if not n.startswith("_")}
    missing = [n for n in public - {"ask", "architecture"} if f"`pick.{n}(" not in text]
    assert missing == []


def test_the_benchmarks_of_the_page() -> None:
    """Its code runs, its table names every benchmark, and its own table is one."""
    from cambrian.benchmarks import BENCHMARKS

    found = page("benchmarks.md")
    assert 80 < found["played"].test[-1] < 95
    text = (DOCS / "benchmarks.md").read_text()
    assert [name for name in BENCHMARKS.names() if f"`{name}`" not in text] == []


def test_the_population_of_the_page() -> None:
    """Each of its networks has a loss and a score."""
    found = page("population.md")
    assert len(found["losses"]) == len(found["scores"]) == 4
    assert all(0 <= score["accuracy"] <= 1 for score in found["scores"])


def test_the_table_of_the_page(tmp_path: Path) -> None:
    """The example of a CSV is read as the page says."""
    rows = re.findall(r"```\n(op1.*?)```", (DOCS / "benchmarks.md").read_text(), flags=re.DOTALL)
    (tmp_path / "mine.csv").write_text(rows[0])
    found = page("benchmarks.md")["mine"](tmp_path / "mine.csv")
    assert found.space.questions == ("op1", "op2", "width")
    assert (found.optimum, found.timed) == (0.9, True)


def test_the_tables_of_components_are_current() -> None:
    """`python -m cambrian.testing.tables > docs/components.md` would change nothing; every name is there."""
    from cambrian.testing.tables import REGISTRIES, page

    text = page()
    assert (DOCS / "components.md").read_text() == text
    assert all(f"| `{name}` |" in text for registry in REGISTRIES.values() for name in registry.names())


def test_the_page_of_spaces() -> None:
    """Names every space there is."""
    text = (DOCS / "spaces.md").read_text()
    assert [name for name in SPACES.names() if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("check", MEASURE.checks)
def test_the_measure_keeps_its_contract(check: Callable[[Any], None]) -> None:
    """The suite of the page's own test class passes."""
    case: Conformance = page("measures.md")["TestLayers"]()
    check(case.case())


def test_the_page_of_proxies() -> None:
    """Its predictor learns from the answers, the paths and the proxies of networks."""
    from cambrian.architecture import sample
    from cambrian.predictors.predictor import make_trials
    from cambrian.randomness import stream

    space = SPACES.make("nasbench201")
    cells = [sample(space, stream(0, "cell", n)) for n in range(6)]
    fitted = page("proxies.md")["surrogate"].start(space, 0).fit(make_trials(cells, list(range(6))))
    assert len(fitted.predict(cells[:3]).mean) == 3
    assert set(page("proxies.md")["score"](space, cells[0])) == {"naswot", "synflow", "layers", "macs"}


def test_the_page_of_measures() -> None:
    """Names every measure there is, with amounts that are read, and the settings of latency."""
    from cambrian.estimators.limits import read_limits
    from cambrian.networks.measure import MEASURES
    from cambrian.networks.measure.latency import Latency

    text = (DOCS / "measures.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, flags=re.MULTILINE))
    assert sorted(rows) == MEASURES.names()
    for name, amounts in rows.items():
        for amount in re.findall("`(.*?)`", amounts):
            assert read_limits({name: amount})[name] > 0
    assert [f.name for f in fields(Latency) if f"`{f.name}`" not in text] == []


def test_the_page_of_data_names_every_option() -> None:
    """Of each reader, in the table of formats, and no other."""
    from cambrian.tasks import readers

    rows = re.findall(r"^\| .* \| `(\w+)` \| (.*) \|$", (DOCS / "data.md").read_text(), flags=re.MULTILINE)
    assert len(rows) > 8
    for name, options in rows:
        module = importlib.import_module(f"{readers.__name__}.{name}")
        own = [c for c in vars(module).values() if is_dataclass(c) and c.__module__ == module.__name__]
        there = {f.name for c in own for f in fields(c)} - {"path", "source"}
        assert set(re.findall(r"`(\w+)`", options)) == there, name


NAMED = (STRATEGIES, CURVE_MODELS, TRAINED_METRICS, SPACES)
TABLES = (
    "curves.md",
    "device.md",
    "fidelity.md",
    "gradient.md",
    "morphisms.md",
    "objectives.md",
    "one-shot.md",
)


@pytest.mark.parametrize("page", TABLES)
def test_a_table_of_components_names_their_settings(page: str) -> None:
    """A word in code in the row of a component is one of its settings, or another component."""
    known = {name for registry in NAMED for name in registry.names()}
    for row in re.findall(r"^\| `.*$", (DOCS / page).read_text(), flags=re.MULTILINE):
        name, _, rest = row.removeprefix("| ").partition("|")
        components = [r.get(n) for r in NAMED for n in re.findall(r"`([\w-]+)`", name) if n in r.names()]
        settings = {f.name for c in components for f in fields(c)}
        words = set(re.findall(r"`([a-z_]+)(?:=[^`]*)?`", rest))
        assert not components or words <= settings | known, (name, words - settings - known)
