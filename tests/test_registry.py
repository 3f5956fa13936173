"""Names and specs: what can be written as JSON comes back as it was, what cannot says so."""

from __future__ import annotations

import dataclasses
import json
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian import user_code
from cambrian.errors import UnknownName, UsageError
from cambrian.estimators import ESTIMATORS
from cambrian.predictors import PREDICTORS
from cambrian.registry import Registry
from cambrian.search.engines import ENGINES
from cambrian.spaces import SPACES
from cambrian.strategies import STRATEGIES


@dataclass(frozen=True)
class Plain:
    """A component with settings of every JSON kind."""

    number: int = 1
    rate: float = 0.5
    name: str | None = None
    sizes: tuple[Any, ...] = ()
    table: Any = None
    derived: int = dataclasses.field(init=False, default=7)


INSTANCE = Plain(number=3)
HERE = __name__
REGISTRY = Registry("thing", {"plain": f"{HERE}:Plain", "three": f"{HERE}:INSTANCE"})

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text()
)
tuples = st.recursive(st.lists(leaves, max_size=3).map(tuple), lambda t: st.lists(t, max_size=2).map(tuple))


@settings(max_examples=60, deadline=None)
@given(st.integers(), st.floats(allow_nan=False), st.none() | st.text(), tuples)
def test_a_spec_is_json_and_comes_back(number: int, rate: float, name: Any, sizes: Any) -> None:
    """make(spec(x)) == x, through JSON text, tuples within tuples included."""
    component = Plain(number, rate, name, sizes)
    spec = json.loads(json.dumps(REGISTRY.spec(component)))
    assert spec["name"] == "plain"
    assert REGISTRY.make(spec) == component


def test_what_has_no_name_is_written_as_module_and_attribute() -> None:
    """An unregistered class is found where it was defined."""
    nameless = Registry("thing", {})
    spec = nameless.spec(Plain(2))
    assert spec is not None
    assert spec["name"] == f"{HERE}:Plain"
    assert nameless.make(spec) == Plain(2)


@pytest.mark.parametrize("value", [object(), lambda x: x, {1: 2}, [object()], b"bytes", {"a": {2: 3}}])
def test_what_is_not_json_has_no_spec(value: Any) -> None:
    """A setting that JSON cannot hold: the component can only run in this process."""
    assert REGISTRY.spec(Plain(table=value)) is None


def test_what_is_local_has_no_spec() -> None:
    """A class defined inside a function cannot be found by another process."""

    @dataclass(frozen=True)
    class Local:
        number: int = 1

    assert REGISTRY.spec(Local()) is None


def test_what_is_in_main_has_no_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class defined in a script or notebook cannot either."""
    monkeypatch.setattr(Plain, "__module__", "__main__")
    assert REGISTRY.spec(Plain()) is None


def test_a_spec_may_be_a_name_alone() -> None:
    """Settings are the defaults then."""
    assert REGISTRY.make("plain") == Plain()


def test_a_spec_may_be_a_text_of_the_command_line() -> None:
    """Which is then the same in Python."""
    assert REGISTRY.make("plain(number=2)") == REGISTRY.parse("plain(number=2)") == Plain(2)
    with pytest.raises(UsageError, match="has no setting 'numbers'"):
        REGISTRY.make("plain(numbers=2)")


def test_a_name_may_be_an_instance() -> None:
    """Its settings are those it has, changed where the spec says so."""
    assert REGISTRY.make("three") is INSTANCE
    assert REGISTRY.make({"name": "three", "arguments": {"rate": 1.0}}) == Plain(3, 1.0)


def test_a_wrong_name_names_the_nearest() -> None:
    """With the valid ones, while they are few."""
    with pytest.raises(
        UnknownName, match=r"unknown thing 'plan'; did you mean 'plain'\? \(valid: plain, three\)"
    ):
        REGISTRY.make("plan")


@pytest.mark.parametrize("name", ["plain", "three"])
def test_a_wrong_setting_names_the_nearest(name: str) -> None:
    """One sentence: which thing, which setting, what was meant."""
    with pytest.raises(UsageError, match=r"no setting 'nmber'; did you mean 'number'"):
        REGISTRY.make({"name": name, "arguments": {"nmber": 2}})


def test_a_derived_field_is_no_setting() -> None:
    """Fields that cannot be given are refused like unknown ones."""
    with pytest.raises(UsageError, match="no setting 'derived'"):
        REGISTRY.make({"name": "plain", "arguments": {"derived": 2}})


@pytest.mark.parametrize("target", ["no_such_module_here:Thing", f"{HERE}:NoSuchThing", "json:dumps.nothing"])
def test_what_cannot_be_loaded_says_why(target: str) -> None:
    """A missing module or attribute is the user's mistake, with the true cause."""
    with pytest.raises(UsageError, match="cannot load thing"):
        Registry("thing", {}).get(target)


def test_a_module_that_is_nowhere_is_to_be_put_on_the_path() -> None:
    """Whose space lies in a file of their own learns what to do; a missing attribute needs no such word."""
    with pytest.raises(UsageError, match=r"PYTHONPATH=.* or continue from your own program"):
        Registry("space", {}).get("no_such_module_here.inner:net")
    with pytest.raises(UsageError, match="NoSuchThing") as caught:
        Registry("space", {}).get(f"{HERE}:NoSuchThing")
    assert "PYTHONPATH" not in str(caught.value)


def test_a_misspelt_name_in_a_module_is_told_the_nearest() -> None:
    """As for registered names; where nothing is near, nothing is proposed."""
    with pytest.raises(
        UsageError, match=r"no attribute 'test_a_derived_field_is_no_settin'; did you mean 'test"
    ):
        Registry("space", {}).get(f"{HERE}:test_a_derived_field_is_no_settin")
    with pytest.raises(UsageError, match=r"no attribute 'zzz'$"):
        Registry("space", {}).get(f"{HERE}:zzz")
    with pytest.raises(UsageError, match=r"did you mean '[a-z]"):  # what is private is nobody's
        Registry("space", {}).get("cambrian.registry:_find_nea")


def test_a_module_that_fails_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the user's module raises while it is imported."""
    (tmp_path / "half_written.py").write_text("def net(pick, task)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match=r"cannot load space 'half_written:net': SyntaxError"):
        Registry("space", {}).make("half_written:net")


MISTAKES = {
    "a class for a space": (
        "import cambrian\n\n@cambrian.space\nclass net:\n    pass\n",
        "a space is a function",
        3,
    ),
    "an error": ("def fail():\n    return {}['x']\n\nnet = fail()\n", "KeyError: 'x'", 2),
    "a missing import": (
        "import json\nimport no_such_module_here\n",
        "No module named 'no_such_module_here'",
        2,
    ),
    "an exit": ("import sys\n\nsys.exit(3)\n", "SystemExit: 3", 3),
    "of the library": ("import json\n\nnet = json.loads('{')\n", "JSONDecodeError", 3),
}
"""Modules of a user's that fail while they are imported: the text, the words of the cause, and the line."""


@pytest.mark.parametrize("kind", ["space", "strategy", "estimator", "measure", "model"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_users_module_names_its_line(
    mistake: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest line of the user's, whoever raised the error; also where another module imported it."""
    text, words, line = MISTAKES[mistake]
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "package.py").write_text("from mine import net\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "package"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        with pytest.raises(UsageError) as caught:
            Registry(kind, {}).get(f"{name}:net")
        sentence = str(caught.value)
        assert f"mine.py, line {line}: {words}" in sentence
        assert sentence.count("mine.py") == 1


def test_code_below_pythons_own_folder_may_be_the_users() -> None:
    """As a program in /usr/src, where Python is /usr/bin/python3: its libraries alone are not the user's."""
    installed = user_code._INSTALLED
    assert Path(sysconfig.get_path("purelib")) in installed
    assert Path(sysconfig.get_path("data")) not in installed


def test_no_line_is_named_where_none_is_the_users() -> None:
    """A module or an attribute that is not there is missed by cambrian."""
    for target in ("no_such_module_here:Thing", "json:nothing"):
        with pytest.raises(UsageError) as caught:
            Registry("thing", {}).get(target)
        assert ", line " not in str(caught.value)


@dataclass(frozen=True)
class Strict:
    """A component that compares its setting with a number."""

    number: int
    most: int | None = None

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError("too small")


class Loose:
    """No dataclass."""


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (5, "cannot read 5 as a thing: expected a name"),
        (["plain"], "cannot read"),
        ({}, "cannot read"),
        ({"name": 5}, "cannot read"),
        ({"name": "plain", "arguments": [1]}, "cannot read"),
        ({"name": "plain", "number": 3}, "settings stand under 'arguments', and 'number' is beside them"),
        (
            {"name": "strict", "arguments": {"number": "x"}},
            "'strict': number='x' cannot be: expected a whole number, got a text",
        ),
        (
            {"name": "strict", "arguments": {"most": 1.5}},
            "most=1.5 cannot be: expected a whole number, got a number$",
        ),
        ({"name": "strict", "arguments": {"number": 0}}, "too small"),
        ("strict", "'strict' cannot be made of {}: .*number"),
        ("os:getcwd", "'os:getcwd' is no thing but a function"),
        (f"{HERE}:Loose", "is no thing but 'Loose'"),
    ],
)
def test_what_makes_no_component_is_one_sentence(spec: Any, sentence: str) -> None:
    """A spec of another form, arguments the component refuses, and names of something else."""
    registry = Registry("thing", {"plain": f"{HERE}:Plain", "strict": f"{HERE}:Strict"})
    with pytest.raises(UsageError, match=sentence):
        registry.make(spec)


def forgotten(pick: Any, task: Any) -> None:
    """A space without its decorator."""


class Unfrozen:
    """A strategy without its decorator."""

    needs = ()
    start = propose = learn = lambda *arguments: None


@pytest.mark.parametrize(
    ("registry", "name", "sentence"),
    [
        (
            SPACES,
            "forgotten",
            "is no space but a function: write @cambrian.space above it, or, if it makes a",
        ),
        (STRATEGIES, "Unfrozen", "is no strategy but 'Unfrozen': it is no dataclass; write @dataclass"),
        (STRATEGIES, "Plain", "is no strategy but 'Plain': it lacks start, propose, learn$"),
    ],
)
def test_a_component_that_is_none_says_what_it_lacks(registry: Registry, name: str, sentence: str) -> None:
    """Of a file of the user's own, which no name of ours is near to."""
    with pytest.raises(UsageError, match=sentence):
        registry.make(f"{HERE}:{name}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine.py:net", "a module is named without .py: write mine:NAME$"),
        ("code/mine.py:net", "write mine:NAME, with PYTHONPATH=code before the command$"),
    ],
)
def test_a_file_in_place_of_a_module(name: str, words: str) -> None:
    """A natural mistake, for which no path is to be changed."""
    with pytest.raises(UsageError, match=words):
        SPACES.make(name)


def test_a_setting_is_given_once() -> None:
    """Of two values nobody knows which was meant; values may hold commas and equals signs."""
    assert REGISTRY.parse('plain(number=2, name="a, number=3")') == Plain(2, name="a, number=3")
    with pytest.raises(UsageError, match=r"thing 'plain\(number=1, number =2\)' has 'number' 2 times"):
        REGISTRY.parse("plain(number=1, number =2)")


@pytest.mark.parametrize("registry", [SPACES, STRATEGIES, ESTIMATORS], ids=lambda r: r.kind)
def test_what_is_loaded_is_of_its_kind(registry: Registry) -> None:
    """A spec that names another component than a run directory's should is refused."""
    with pytest.raises(UsageError, match=f"is no {registry.kind} but 'Plain'"):
        registry.make(f"{HERE}:Plain")


def test_what_is_no_dataclass_has_no_spec() -> None:
    """It has no fields that could be its settings, and runs in this process alone."""
    assert REGISTRY.spec(Loose()) is None


def test_import_errors_name_their_true_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is there but needs one that is not: the message names that one."""
    (tmp_path / "needs_more.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="no_such_dependency"):
        Registry("thing", {}).get("needs_more:Thing")


@pytest.mark.parametrize(
    "registry", [SPACES, STRATEGIES, ESTIMATORS, ENGINES, PREDICTORS], ids=lambda r: r.kind
)
def test_every_registered_name_can_be_loaded(registry: Registry) -> None:
    """Each name points at something that is there, and is given back as the name in its spec."""
    assert registry.names() == sorted(registry.names())
    for name in registry.names():
        found = registry.get(name)
        if isinstance(found, type) and all(_has_default(f) for f in dataclasses.fields(found) if f.init):
            spec = registry.spec(registry.make(name))
            assert spec is not None
            assert spec["name"] == name
            assert registry.make(json.loads(json.dumps(spec))).__class__ is found


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def test_registries_load_nothing_before_they_are_asked() -> None:
    """Their kinds are in the messages; the classes are imported by `get` alone."""
    before = set(sys.modules)
    lazy = Registry("thing", {"late": "no_such_module_here:Thing"})
    assert lazy.names() == ["late"]
    assert set(sys.modules) == before
