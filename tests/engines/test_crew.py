"""A crew of worker processes: whatever a member does, its owner hears of it and nobody is left."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mocks
from cambrian.errors import RunError
from cambrian.search.engines.crew import Crew, Member

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are counted on Linux")

GREETING = {"hello": "crew"}


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crew[dict[str, Any]]]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    others = mocks.descendants(os.getpid())
    crew = Crew[dict[str, Any]]("echo", GREETING, dict)
    yield crew
    crew.close(patience=0.0)
    assert mocks.descendants(os.getpid()) == others


def receive(crew: Crew[dict[str, Any]]) -> tuple[Member[dict[str, Any]], list[Any] | None]:
    """The first member that answers or ends, and its messages."""
    while True:
        for member in crew.listen(60.0):
            messages = member.receive()
            if messages != []:
                return member, messages


def test_members_answer_in_whatever_order_they_finish(crew: Crew[dict[str, Any]]) -> None:
    """Each is greeted first, and its answers come as it gives them."""
    members = [crew.hire() for _ in range(2)]
    for _ in members:
        assert receive(crew)[1] == [GREETING]
    members[0].begin({"seconds": 1.0})
    members[1].begin({"seconds": 0.0})
    assert crew.busy
    assert receive(crew) == (members[1], [{"seconds": 0.0}])
    assert receive(crew) == (members[0], [{"seconds": 1.0}])


def test_chatter_never_stops_a_member(crew: Crew[dict[str, Any]]) -> None:
    """A megabyte on standard error, which is 16 times what a pipe holds, and the answer still comes."""
    member = crew.hire()
    receive(crew)
    member.begin({"chatter": 1 << 20})
    assert receive(crew) == (member, [{"chatter": 1 << 20}])
    assert member.last_words.endswith("xlast words")


@pytest.mark.parametrize(("job", "status"), [({"exit": 7}, 7), ({"noise": True}, None)])
def test_a_dead_member_is_dismissed_with_its_last_words(
    crew: Crew[dict[str, Any]], job: dict[str, Any], status: int | None
) -> None:
    """One that ended, and one that sends what is no message: its successor works."""
    member = crew.hire()
    receive(crew)
    member.begin(job)
    assert receive(crew) == (member, None)
    ended = crew.dismiss(member, 0.2)
    assert ended == (-9 if status is None else status)
    assert member.last_words.endswith("last words")
    assert member.job == job
    assert not crew.busy
    assert crew.hire() is not member
    assert receive(crew)[1] == [GREETING]


def test_closing_waits_no_longer_than_it_is_told(crew: Crew[dict[str, Any]]) -> None:
    """Members that sleep for a minute are killed side by side, idle ones end by themselves."""
    members = [crew.hire() for _ in range(3)]
    for _ in members:
        receive(crew)
    members[0].begin({"seconds": 60.0})
    started = time.monotonic()
    crew.close(patience=0.3)
    assert time.monotonic() - started < 20.0
    assert crew.members == []


def test_a_process_that_the_system_refuses_is_a_sentence(
    crew: Crew[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are too many open files or processes; the files that were opened for it are closed."""

    def refuse(*arguments: Any, **settings: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    gc.collect()  # of earlier tests
    before = os.listdir("/proc/self/fd")
    with pytest.raises(RunError, match="another worker process: Too many open files; fewer workers"):
        crew.hire()
    assert (crew.members, os.listdir("/proc/self/fd")) == ([], before)
