"""Artifacts: kept by hash while they may be named, within the room there is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import living
import mocks
from cambrian.outcome import Artifact
from cambrian.search import assembly
from cambrian.search.ledger.store import Store
from cambrian.search.search import Search


def left(directory: Path, name: str, **files: str) -> None:
    place = directory / "drafts" / name
    place.mkdir(parents=True)
    for file, text in files.items():
        (place / f"{file}.json").write_text(text)


def there(directory: Path) -> set[str]:
    return {f"artifacts/{file.name}" for file in (directory / "artifacts").iterdir()}


def test_files_are_named_by_their_hash(tmp_path: Path) -> None:
    """Two that are equal are one; others than safetensors and JSON stay in the draft, which is removed."""
    store = Store(tmp_path)
    left(tmp_path, "0-1", one="same", other="same", third="else")
    (tmp_path / "drafts" / "0-1" / "core").write_text("of no use")
    artifacts = store.adopt("0-1")
    digest = hashlib.sha256(b"same").hexdigest()
    assert set(artifacts) == {"one.json", "other.json", "third.json"}
    assert artifacts["one.json"] == artifacts["other.json"] == Artifact(digest, 4, f"artifacts/{digest}.json")
    assert len(there(tmp_path)) == 2
    assert not (tmp_path / "drafts" / "0-1").exists()
    assert store.adopt("7-1") == {}


@pytest.mark.parametrize(("room", "kept"), [(100, {"a", "b", "c", "d"}), (12, {"a", "d", "c"}), (0, {"a"})])
def test_the_newest_are_kept_for_which_there_is_room(tmp_path: Path, room: int, kept: set[str]) -> None:
    """What is needed is always kept; what nobody wants never is."""
    store = Store(tmp_path, room)
    for name in "abcde":
        left(tmp_path, name, file=name * 4)
    artifacts = {name: store.adopt(name)["file.json"] for name in "abcde"}
    store.sweep([artifacts["a"]], [artifacts[n] for n in "bcd"])
    assert there(tmp_path) == {artifacts[n].file for n in kept}


def test_a_search_keeps_what_its_strategy_may_name(tmp_path: Path) -> None:
    """At its end only artifacts of trials that may still be promoted are there, each as the ledger has it."""
    search = Search(mocks.Toy(), living.Promoting(trials=40), living.Sleeps(0.0001), budget=40, seed=5)
    result = search.run(tmp_path / "run")
    gone = {t.parent for t in result.trials}
    wanted = [t for t in result.trials if t.number not in gone and t.reason["rung"] < 2]
    files = {a.file for t in wanted for a in t.artifacts.values()}
    assert there(tmp_path / "run") == files
    for trial in wanted:
        for artifact in trial.artifacts.values():
            data = (tmp_path / "run" / artifact.file).read_bytes()
            assert hashlib.sha256(data).hexdigest() == artifact.sha256


def test_where_all_are_kept_there_is_room_first_for_those_of_the_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later choice may take any network, and no newer one displaces what a training may yet go on from."""
    monkeypatch.setattr(assembly, "_delivers_any", lambda search: True)
    usual = Search(mocks.Toy(), living.Promoting(trials=40), living.Sleeps(0.0001), budget=40, seed=5)
    result = usual.run(tmp_path / "usual")
    gone = {t.parent for t in result.trials}
    wanted = [t for t in result.trials if t.number not in gone and t.reason["rung"] < 2]
    artifacts = [a for t in wanted for a in t.artifacts.values()]
    assert {a.file for a in artifacts} < there(tmp_path / "usual")
    room = sum({a.file: a.bytes for a in artifacts}.values())
    narrow = Search(
        mocks.Toy(), living.Promoting(trials=40), living.Sleeps(0.0001), budget=40, seed=5, room=room
    )
    narrow.run(tmp_path / "narrow")
    assert there(tmp_path / "narrow") == {a.file for a in artifacts}


def test_without_room_the_numbers_are_the_same(tmp_path: Path) -> None:
    """A limit of nothing: every training is continued from nothing, with the same values."""
    runs = [
        Search(mocks.Toy(), living.Halving(), living.Sleeps(0.0001), budget=40, seed=5, room=room)
        for room in (0, 1 << 20)
    ]
    values = [[t.value for t in run.run(tmp_path / str(n)).trials] for n, run in enumerate(runs)]
    assert values[0] == values[1]
