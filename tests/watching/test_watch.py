"""The page of `cambrian watch`, asked over plain http as browsers and strangers would."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from cambrian.errors import UsageError
from cambrian.outcome import Crashed, Done, Fidelity, Point, Trial
from cambrian.search.ledger.ledger import Ledger
from cambrian.search.ledger.lock import Lock
from cambrian.search.ledger.rows import Row
from cambrian.watching.app import _Pages
from cambrian.watching.board import Board
from cambrian.watching.parts import PARTS, make_detail, make_parts
from cambrian.watching.run_view import RunReader
from cambrian.watching.trial_views import _count_lengths, name_trial
from report_cases import cells

EVIL = "<script>document.title='owned'</script>"
SETTINGS = {"space": {"name": "pnas", "arguments": {}}, "estimator": {"name": EVIL}, "minimize": False}


def begin(place, count=3, running=1):
    """A ledger in `place` with `count` ended trials, one of which crashed, and `running` ones."""
    place.mkdir(parents=True, exist_ok=True)
    ledger = Ledger.create(place / "ledger.sqlite")
    ledger.remember(settings=SETTINGS, budget={"trials": 10})
    rows = [
        Row(Trial(n, cell, Fidelity(), reason={"level": 1}), str(n), "running", 1, n)
        for n, cell in enumerate(cells(count + running))
    ]
    ledger.record(claimed=rows)
    for n in range(count):
        outcome = (
            Crashed(f"ValueError: {EVIL}", f"Traceback {EVIL}") if n == 1 else Done((n + 1) / 10, seconds=1.0)
        )
        ledger.record([(n, 1, outcome, n + 1.0)])
    return ledger


class Server:
    """`cambrian watch` as a child process."""

    def __init__(self, address: str) -> None:
        self.host, self.token = re.fullmatch(r"http://(127\.0\.0\.1:\d+)/\?token=(.+)", address).groups()

    def ask(self, path="/", method="GET", token=False, **headers):
        """The status, the headers and the body of one answer."""
        line = http.client.HTTPConnection(self.host, timeout=60)
        query = f"?token={self.token}" if token is True else f"?token={token}" if token else ""
        line.request(method, f"{path}{query}", headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = line.getresponse()
        body = answer.read().decode()
        line.close()
        return answer.status, answer.headers, body

    @contextmanager
    def follow(self) -> Iterator[Iterator[dict[str, str]]]:
        """The parts of the page as they come."""
        line = http.client.HTTPConnection(self.host, timeout=60)
        line.request("GET", f"/events?token={self.token}")
        answer = line.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (answer.readline().decode() for _ in iter(int, 1))
        try:
            yield (json.loads(text.removeprefix("data: ")) for text in lines if text.startswith("data: "))
        finally:
            line.close()


@contextmanager
def serve(place: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "cambrian", "watch", str(place), "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lines = iter(process.stdout.readline, "")
        yield Server(next(m[0] for text in lines if (m := re.search(r"http://\S+", text))))
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
        assert "Traceback" not in errors


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    place = tmp_path_factory.mktemp("watch") / "run"
    begin(place).close()
    with serve(place) as running:
        yield running


def wait_for(events, name, text):
    """Read events until the part of that name holds the text; returns the part."""
    end = time.monotonic() + 60
    for event in events:
        if event["name"] == name and text in event["html"]:
            return event["html"]
        assert time.monotonic() < end
    raise AssertionError(f"no {text!r} in {name}")


PATHS = ["/", "/events", "/trial/0", "/final/0", "/watch.js", "/watch.css", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE", "PUT", "PATCH"])
def test_no_route_answers_without_the_token(server, path, method):
    """401 by every method, for a wrong token and a wrong cookie too, and to who asks for a WebSocket."""
    wrong = {"Cookie": f"cambrian-{server.host.rpartition(':')[2]}=wrong"}
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert server.ask(path, method)[0] == 401
    assert server.ask(path, method, token="wrong")[0] == 401
    assert server.ask(path, method, **wrong)[0] == 401
    assert server.ask(path, method, **upgrade, Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==")[0] == 401


def test_the_token_becomes_a_cookie_that_no_script_reads(server):
    """Asked with the token, the page sets it; asked with the cookie alone, every route answers."""
    status, headers, body = server.ask(token=True)
    assert status == 200
    cookie, *flags = headers["set-cookie"].split("; ")
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert server.token not in body
    assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
    for path in ("/", "/watch.js", "/watch.css", "/trial/0"):
        assert server.ask(path, Cookie=cookie)[0] == 200
        status, headers, body = server.ask(path, "HEAD", Cookie=cookie)
        assert (status, body, "set-cookie" in headers) == (200, "", False)
    assert server.ask("/events", "HEAD", Cookie=cookie)[0] == 200
    for nowhere in ("/trial/99", f"/trial/{'9' * 5000}", "/final/-1", "/trial/one"):
        assert server.ask(nowhere, Cookie=cookie)[0] == 404


@pytest.mark.parametrize("other", ['x={"a": 1}', "bad[]=1", "novalue", "a b=1"])
def test_cookies_of_other_programs_keep_nobody_out(server, other):
    """Any server of this machine sets them for its name, and the browser sends all of them, in any form."""
    cookie = server.ask(token=True)[1]["set-cookie"].split("; ")[0]
    assert server.ask("/watch.css", Cookie=f"{other}; {cookie}")[0] == 200
    assert server.ask("/watch.css", Cookie=f"{other}; {cookie}x")[0] == 401


def test_pages_behind_two_tunnels_have_two_cookies(server):
    """Tunnels to the same port of two machines begin at two ports here: by the port of the machine itself
    the second page took the first one's cookie away."""
    own = server.host.partition(":")[2]
    for host, port in (("localhost:8001", "8001"), ("localhost", "80"), (server.host, own)):
        cookie = server.ask(token=True, Host=host)[1]["set-cookie"].split("; ")[0]
        assert cookie.startswith(f"cambrian-{port}=")
        assert server.ask("/watch.css", Host=host, Cookie=cookie)[0] == 200


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "DELETE", "PUT", "PATCH", "TRACE"])
def test_what_changes_something_is_refused(server, method):
    """405 with the token, and the methods that are allowed."""
    status, headers, _ = server.ask(method=method, token=True)
    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost@evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_another_site_is_refused_though_it_has_the_token(server, headers):
    """DNS rebinding asks under the site's own name; a script of another page says its origin."""
    for method in ("GET", "HEAD", "OPTIONS"):
        assert server.ask(method=method, token=True, **headers)[0] == 403


def test_this_machine_has_three_names(server):
    """And the page itself may say where it comes from; the port may be that of a tunnel."""
    for host in (server.host, "localhost:9000", "[::1]:9000", "localhost"):
        assert server.ask(token=True, Host=host, Origin=f"http://{host}")[0] == 200


@pytest.mark.slow
def test_rows_are_seen_as_they_are_appended(tmp_path):
    """The page waits for a run, shows it when it begins, each trial as it ends, and says that it was deleted;
    a run that begins in its place is shown in its stead."""
    place = tmp_path / "runs" / "later"
    with serve(place) as server, server.follow() as events:
        wait_for(events, "state", "no search has begun there")
        ledger = begin(place, 3, running=1)
        assert "trial/3" in wait_for(events, "trials", "trial/3")
        ledger.record([(3, 1, Done(0.87654, seconds=1.0), 9.0)])
        assert "0.8765" in wait_for(events, "trials", "0.8765")
        ledger.close()
        shutil.rmtree(place)
        wait_for(events, "state", "was deleted or moved")
        begin(place, 1, running=0).close()
        wait_for(events, "state", "The best of 1 architecture measured")


def test_a_name_of_anybodys_is_text(tmp_path):
    """A script in an error and in the name of an estimator is shown, and is no element of any part."""
    begin(tmp_path).close()
    view = RunReader(tmp_path).read()
    parts = make_parts(view)
    assert tuple(parts) == PARTS
    every = "".join(parts.values()) + make_detail(view, 1, final=False)
    assert "&lt;script&gt;" in every
    assert "<script" not in every


def test_a_damaged_ledger_is_said(tmp_path):
    """In the words of the error, which name the file and the remedy."""
    begin(tmp_path).close()
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(b"x" * 5000)
    assert "is damaged" in RunReader(tmp_path).read().trouble


def test_a_space_without_a_name_leaves_the_rest(tmp_path):
    """Its architectures are drawn as their answers, and the page has all other parts."""
    ledger = begin(tmp_path)
    ledger.remember(settings={"estimator": {"name": "x"}})
    ledger.close()
    parts = make_parts(RunReader(tmp_path).read())
    assert "<svg" in parts["cells"]
    assert parts["trials"]


@pytest.mark.parametrize(
    ("metrics", "point", "lengths"),
    [
        ({"epochs": 3.0, "steps": 90.0}, {}, (3.0, 90.0)),
        ({"epochs": 3.0, "steps": 90.0}, {"steps": 45.0}, (None, 90.0)),
        ({"epochs": 3.0}, {}, (3.0, None)),
    ],
)
def test_a_training_has_epochs_or_steps_in_their_columns(metrics, point, lengths):
    """Passes over the data where its curve goes by them, and steps where they are known."""
    outcome = Done(0.5, metrics, curve=(Point(1, {"value": 0.4, **point}),))
    assert _count_lengths(Trial(0, cells(1)[0], Fidelity(), outcome=outcome)) == lengths


def test_what_cannot_be_shown_ends_no_page(tmp_path, monkeypatch):
    """A space whose drawing fails leaves all other parts; a look that fails leaves what was shown, says why,
    and the next one shows the run again. A role is text."""
    begin(tmp_path).close()
    pages = _Pages(tmp_path, 1.0, lambda: False)
    fail = Mock(side_effect=ValueError(EVIL))
    with monkeypatch.context() as failing:
        failing.setattr("cambrian.watching.trial_views._draw", fail)
        first = dict(pages._look())
        assert "This cannot be shown: ValueError: &lt;script&gt;" in first["cells"]
        assert "This cannot be shown" in make_detail(pages._view, 0, final=False)
        assert all(first[name] for name in ("state", "tiles", "anytime", "trials"))
        failing.setattr(pages._reader._follower, "look", fail)
        second = pages._look()
        assert "This cannot be shown" in second.pop("state")
        assert second.items() <= first.items()
    assert pages._look()["state"] == first["state"]
    role = Trial(0, cells(1)[0], Fidelity(), kind="final", role=EVIL)
    assert "<script" not in "".join(first.values()) + name_trial(role)
    # A story that cannot be told is told by the next look, though the ledger is the same.
    with monkeypatch.context() as failing:
        failing.setattr("cambrian.watching.run_view.outline_story", fail)
        again = _Pages(tmp_path, 1.0, lambda: False)
        assert list(again._look()) == ["state"]
    assert "<svg" in again._look()["cells"]


def test_a_log_that_vanishes_while_it_is_looked_at(tmp_path, monkeypatch):
    """The WAL is deleted by the writer's last checkpoint, at any time."""
    begin(tmp_path).close()
    monkeypatch.setattr(Path, "exists", lambda path: True)
    assert RunReader(tmp_path).read().result is not None


def test_a_port_in_use_is_one_sentence():
    """And so is one that is none."""
    from cambrian.watching.server import bind

    with bind(0) as taken:
        taken.listen()
        with pytest.raises(UsageError, match="leave out --port for a free one"):
            bind(taken.getsockname()[1])
    with pytest.raises(UsageError, match="cannot open port 70000"):
        bind(70000)


def test_the_page_takes_a_hundredth_of_a_core(monkeypatch):
    """A look of 0.1 seconds of the processor is followed by ten of rest, but the first, which imports."""
    clock = itertools.count()
    monkeypatch.setattr("cambrian.watching.board.time.thread_time", lambda: 0.1 * next(clock))
    rests = []

    async def rest(seconds):
        rests.append(seconds)
        if len(rests) == 3:
            raise asyncio.CancelledError

    async def follow():
        board = Board(lambda: {"state": "x"}, pause=1.0)
        board._wanted.set()
        monkeypatch.setattr("cambrian.watching.board.asyncio.sleep", rest)
        with contextlib.suppress(asyncio.CancelledError):
            await board.work()

    asyncio.run(follow())
    assert rests == pytest.approx([1.0, 10.0, 10.0])


def test_only_changed_parts_are_sent():
    """All at first; then those that a look found changed."""
    looks = iter([{"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "1", "b": "2"}])

    async def follow():
        board = Board(lambda: next(looks), pause=0.01)
        events = board.follow()
        assert await anext(events) == {}
        for expected in ({"a": "1", "b": "1"}, {"b": "2"}):
            board._refresh()
            assert await anext(events) == expected
        await events.aclose()

    asyncio.run(follow())


def test_parts_that_nothing_has_changed_are_not_made_again(tmp_path, monkeypatch):
    """While no trial begins or ends, those that go by the clock alone; then all, as from the beginning."""
    ledger = begin(tmp_path)
    reader = RunReader(tmp_path)
    first = make_parts(reader.read())
    with monkeypatch.context() as patch:
        patch.setattr("cambrian.watching.parts._OF_STORY", {"anytime": lambda _: pytest.fail("made again")})
        assert make_parts(reader.read(), first) == first
    ledger.record([(3, 1, Done(0.9), 9.0)])
    ledger.close()
    assert make_parts(reader.read()) == make_parts(RunReader(tmp_path).read()) != first


def test_a_trial_that_is_begun_once_more_is_under_way_since_then(tmp_path, monkeypatch):
    """And not since the day on which an earlier session claimed it."""
    monkeypatch.setattr("cambrian.search.ledger.rows.time.time", lambda: time.time_ns() / 1e9 - 86400)
    begin(tmp_path, 1, running=1).close()
    monkeypatch.undo()
    lock = Lock(tmp_path)
    shown = make_parts(RunReader(tmp_path).read())["running"]
    lock.release()
    assert "trial/1" in shown
    assert re.search(r">\d s</td>", shown), shown
