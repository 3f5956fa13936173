"""Files are whole or not there, whichever call is the last."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cambrian.files import make_folder, move_file, remove_drafts, stage_file, stage_folder, write_file
from cambrian.search.ledger.run_directory import claim
from power import PowerFailure, failing_after


def write_folder(path: Path, data: bytes) -> None:
    with stage_folder(path) as draft:
        (draft / "one").write_bytes(data)
        (draft / "two").write_bytes(data)


def read(path: Path) -> list[bytes]:
    return [path.read_bytes()] if path.is_file() else [file.read_bytes() for file in sorted(path.iterdir())]


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_a_failure_at_any_call_leaves_the_old_or_the_new(
    write: Callable[[Path, bytes], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut short before each of its system calls in turn; writing it anew succeeds and leaves nothing else.
    An earlier folder may have stepped aside when the failure came: then it lies beside."""
    seen: list[list[bytes]] = []
    for k in range(1000):
        place = tmp_path / str(k) / "place"
        place.parent.mkdir()
        write(place, b"old")
        try:
            with failing_after(k, monkeypatch):
                write(place, b"new")
            break
        except PowerFailure:
            pass
        aside = [path for path in place.parent.iterdir() if path.name.endswith(".old")]
        seen.append(read(place if place.exists() else aside[0]))
        write(place, b"new")
        assert set(read(place)) == {b"new"}
        assert [path.name for path in place.parent.iterdir()] == ["place"]
    assert {content for contents in seen for content in contents} == {b"old", b"new"}
    assert all(len(set(contents)) == 1 for contents in seen)
    assert len(seen) >= 5  # flush the draft, rename it, flush its folder


def fail_half_way(stage: Any, place: Path) -> None:
    with stage(place) as draft:
        (draft / "one" if draft.is_dir() else draft).write_bytes(b"ne")
        raise ValueError("half way")


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """And no draft of it, of a file or of a folder."""
    write_file(tmp_path / "file", b"old")
    write_folder(tmp_path / "folder", b"old")
    for stage, name in ((stage_file, "file"), (stage_folder, "folder")):
        with pytest.raises(ValueError, match="half way"):
            fail_half_way(stage, tmp_path / name)
        assert set(read(tmp_path / name)) == {b"old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_moved_file_is_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, at its old name or at its new one, whichever call fails; the new one's folder is made, and what
    lay there is replaced."""
    places = []
    for k in range(100):
        source, target = tmp_path / f"source-{k}", tmp_path / "folder" / "target"
        source.write_bytes(b"whole")
        try:
            with failing_after(k, monkeypatch):
                move_file(source, target)
            break
        except PowerFailure:
            pass
        (there,) = [path for path in (source, target) if path.exists()]
        assert there.read_bytes() == b"whole"
        places.append(there.name)
        target.unlink(missing_ok=True)
    assert not source.exists()
    assert target.read_bytes() == b"whole"
    assert len(places) == 5  # open and flush it, rename it, open and flush its folder
    assert places[-2:] == ["target", "target"]
    source.write_bytes(b"another")
    move_file(source, target)
    assert target.read_bytes() == b"another"


def test_drafts_of_the_dead_are_removed(tmp_path: Path) -> None:
    """Those of one name, drafts of drafts and what SQLite keeps beside them; then all; files are none."""
    mine = (".a.1.part", "..a.1.part.2.part", ".a.12.part-wal")
    for name in (*mine, ".b.1.part", "a", ".a", "a.1.part"):
        (tmp_path / name).write_bytes(b"")
    remove_drafts(tmp_path, "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a", ".b.1.part", "a", "a.1.part"]
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a", "a", "a.1.part"]


def test_a_draft_lies_hidden_beside_its_place(tmp_path: Path) -> None:
    """Under a name that has the process's number. A folder's is empty, whatever a kill left under its name;
    the folders above it are made."""
    with stage_file(tmp_path / "x") as draft:
        assert draft == tmp_path / f".x.{os.getpid()}.part"
        draft.write_bytes(b"")
    place = tmp_path / "new" / "y"
    left = place.with_name(f".y.{os.getpid()}.part")
    left.mkdir(parents=True)
    (left / "old").write_bytes(b"")
    with stage_folder(place) as draft:
        assert draft == left
        assert list(draft.iterdir()) == []
    with stage_folder(tmp_path / "newer" / "z"):
        pass
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "new",
        "new/y",
        "newer",
        "newer/z",
        "x",
    ]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int | str]:
    """What is flushed, by inode, and renamed, in this order."""
    calls: list[int | str] = []
    flush, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append(os.fstat(file).st_ino), flush(file)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("rename"), rename(*names)))
    return calls


def test_all_is_flushed_before_it_has_its_name(tmp_path: Path, calls: list[int | str]) -> None:
    """Each file within a folder, and the folder; and then the folder that has its name."""
    write_folder(tmp_path / "folder", b"new")
    place = tmp_path / "folder"
    at = calls.index("rename")
    assert set(calls[:at]) == {path.stat().st_ino for path in (place / "one", place / "two", place)}
    assert calls[at + 1 :] == [tmp_path.stat().st_ino]


def test_a_file_is_flushed_before_it_has_its_name(tmp_path: Path, calls: list[int | str]) -> None:
    """Written or moved: a name that reaches the disk first would be an empty file's."""
    write_file(tmp_path / "file", b"new")
    flushed = [(tmp_path / "file").stat().st_ino, "rename", tmp_path.stat().st_ino]
    assert calls == flushed
    calls.clear()
    move_file(tmp_path / "file", tmp_path / "other")
    assert calls == flushed


def test_a_new_folder_is_on_the_disk_before_anything_is_written_into_it(
    tmp_path: Path, calls: list[int | str]
) -> None:
    """The names of all that are missing, from the top; one that is there costs nothing. A run's directory is
    made like that, whether it is named or numbered."""
    made = tmp_path / "a" / "b"
    make_folder(made)
    assert calls == [tmp_path.stat().st_ino, made.parent.stat().st_ino]
    make_folder(made)
    assert len(calls) == 2
    with pytest.raises(FileExistsError):
        make_folder(made, new=True)
    calls.clear()
    claim("digits", tmp_path / "runs")
    assert calls == [tmp_path.stat().st_ino, (tmp_path / "runs").stat().st_ino]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_flush_folders_is_used_as_it_is(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some behind a network. A file that cannot be flushed is an error."""
    flush = os.fsync

    def refuse(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode) == folders:
            raise OSError(code, os.strerror(code))
        flush(file)

    monkeypatch.setattr(os, "fsync", refuse)
    folders = True
    make_folder(tmp_path / "new")
    write_file(tmp_path / "new" / "file", b"new")
    assert (tmp_path / "new" / "file").read_bytes() == b"new"
    folders = False
    with pytest.raises(OSError, match=re.escape(os.strerror(code))):
        write_file(tmp_path / "new" / "file", b"newer")
    assert (tmp_path / "new" / "file").read_bytes() == b"new"


def test_an_earlier_folder_comes_back_where_the_new_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has stepped aside by then."""
    place, replace = tmp_path / "place", os.replace
    write_folder(place, b"old")

    def refuse(source: Path, target: Path) -> None:
        if str(source).endswith(".part"):
            raise PermissionError("refused")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match="refused"):
        write_folder(place, b"new")
    assert read(place) == [b"old", b"old"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
