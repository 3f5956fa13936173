"""Seats and the freight to them, by hand and without a cluster: everything comes and goes as bytes."""

import dataclasses
import errno
import hashlib
import os
import socket
import sys
import time

import msgspec
import pytest

import mocks
from cambrian import __version__
from cambrian.codec import decode, encode
from cambrian.errors import MissingExtra
from cambrian.outcome import Artifact, Done, Infeasible
from cambrian.search.engines import seat as seats
from cambrian.search.engines.freight import Freight
from cambrian.search.engines.seat import Seat
from cambrian.search.engines.wire import Message, Start
from cambrian.search.parts.engine_choice import choose_engine
from cambrian.weights import Continue
from continuing import Sleeps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and signals are tested on Linux")


@pytest.fixture
def seat_of(tmp_path, monkeypatch):
    """Makes seats of some work, whose folders lie in a place of this test's own."""
    monkeypatch.setattr(seats.tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    made = []

    def make(work):
        made.append(Seat(encode(Start.of(work, 1)), Freight(work, bytes).data, sys.path))
        return made[-1]

    yield make
    for seat in made:
        seat.close()
    assert list((tmp_path / "elsewhere").glob(f"{seats.PREFIX}*")) == [], "a closed seat leaves nothing"


def hear(seat):
    """The last report of the trial in a seat, and the files that came with it."""
    while True:
        messages, files = seat.listen(20.0)
        for report in decode(messages, list[Message]):
            if report.last:
                return report, files
        assert files == {}, "files come with the end"


def test_a_seat_gives_the_outcome_that_is_given_here(seat_of):
    """The value is the estimator's own, and the seat names its version, which the coordinator compares."""
    seat = seat_of(mocks.work(mocks.Mock(), seed=3))
    assert decode(seat.describe(), str) == __version__
    order = mocks.assignment(5)
    seat.begin(encode(order), {})
    report, files = hear(seat)
    assert report.outcome.value == mocks.truth(order.trial.architecture, 3)
    assert files == {}


def test_artifacts_go_there_and_come_back_as_bytes(seat_of, tmp_path):
    """A continued training finds the file of its source, which lies in the run's directory alone, and its own
    file comes into that directory's draft: the run and the seat share no folder."""
    work = dataclasses.replace(mocks.work(Sleeps(0.001)), directory=tmp_path / "run")
    content = b"1"
    digest = hashlib.sha256(content).hexdigest()
    artifact = Artifact(digest, 1, f"artifacts/{digest}.json")
    file = tmp_path / "run" / artifact.file
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    order = mocks.assignment(1, epochs=3)
    trial = msgspec.structs.replace(order.trial, weights=Continue(0))
    order = msgspec.structs.replace(order, trial=trial, keep=True, artifacts={"epochs.json": artifact})
    freight, seat = Freight(work, bytes), seat_of(work)
    assert freight.load(order) == {artifact.file: content}
    seat.begin(encode(order), freight.load(order))
    report, files = hear(seat)
    assert isinstance(report.outcome, Done)
    assert files == {"epochs.json": b"3"}
    assert freight.unload(order, report, files) == report
    (draft,) = (tmp_path / "run" / "drafts").iterdir()
    assert (draft / "epochs.json").read_bytes() == b"3"
    assert not list(seat._place.glob("drafts/*"))
    assert (seat._place / artifact.file).read_bytes() == content
    # Once there, it is not sent for again, and a file that was given up is simply not there.
    seat.begin(encode(msgspec.structs.replace(order, attempt=2)), {artifact.file: None})
    assert hear(seat)[1] == {"epochs.json": b"3"}
    file.unlink()
    assert Freight(work, bytes).load(order) == {}


def test_a_full_disk_of_the_run_is_a_refusal(tmp_path):
    """The draft cannot be written: the trial is not to blame, and the search stops with the sentence."""
    (tmp_path / "drafts").write_text("no folder")
    work = dataclasses.replace(mocks.work(mocks.Mock()), directory=tmp_path)
    order = mocks.assignment(1)
    report = Freight(work, bytes).unload(
        order, msgspec.convert({"type": "report", "number": 1, "attempt": 1}, Message), {"a.json": b""}
    )
    assert report.outcome is None
    assert "the disk refused" in report.refused


def test_a_full_disk_of_the_seats_machine_is_a_refusal(seat_of, tmp_path, monkeypatch):
    """The weights that a trial begins with cannot be written there: it was lost five times, and counted as
    crashed. The sentence names the machine; the seat serves the next trial."""
    seat = seat_of(dataclasses.replace(mocks.work(mocks.Mock()), directory=tmp_path / "run"))
    artifact = Artifact("0" * 64, 1, f"artifacts/{'0' * 64}.json")
    order = msgspec.structs.replace(mocks.assignment(1, attempt=3), artifacts={"a.json": artifact})

    def refuse(file, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    with monkeypatch.context() as patch:
        patch.setattr(seats, "_write", refuse)
        seat.begin(encode(order), {artifact.file: b"1"})
    report, _ = hear(seat)
    assert (report.number, report.attempt) == (1, 3)
    assert report.refused.startswith(f"on the machine {socket.gethostname()} the disk refused")
    seat.begin(encode(mocks.assignment(2)), {})
    assert hear(seat)[0].outcome is not None


def test_the_data_lie_in_the_seats_own_folder(seat_of, tmp_path):
    """Byte for byte, and a task again: the worker of the seat loads it before its first trial."""
    from small_training import bars

    bars(40).save(tmp_path / "task")
    work = mocks.work(mocks.Mock())
    work = dataclasses.replace(work, spec=work.spec | {"task": str(tmp_path / "task")})
    seat = seat_of(work)
    here, there = (
        {file.name: file.read_bytes() for file in place.iterdir()}
        for place in (tmp_path / "task", seat._place / "task")
    )
    assert here == there
    seat.begin(encode(mocks.assignment(0)), {})
    assert isinstance(hear(seat)[0].outcome, Done)


def test_deadlines_are_seconds_left(seat_of):
    """The clocks of two machines differ: the seat adds its own to the seconds that it is sent."""
    seat = seat_of(mocks.work(mocks.Mock()))
    begun = []
    seat._engine.submit = begun.append
    seat.begin(encode(msgspec.structs.replace(mocks.assignment(0), deadline=7.5)), {})
    assert begun[0].deadline == pytest.approx(time.monotonic() + 7.5, abs=5.0)


def test_limits_and_cancellations_are_those_of_processes(seat_of):
    """A loop without end is Infeasible at the limit; a cancelled trial is lost, and the next one runs."""
    seat = seat_of(mocks.work("obey", timeout=1.0))
    seat.begin(encode(mocks.order(0, "endless")), {})
    assert isinstance(hear(seat)[0].outcome, Infeasible)
    seat.begin(encode(mocks.order(1, "deaf")), {})
    seat.cancel(1)
    assert hear(seat)[0].lost == "cancelled"
    seat.begin(encode(mocks.order(2, "good")), {})
    assert hear(seat)[0].outcome.value == 0.5


def test_folders_of_killed_seats_are_removed(seat_of, tmp_path):
    """A seat removes what a killed one has left, also where its process number is another's by now, and
    nothing of a living one's, whose process it may not see: seats in containers that share the folder of
    temporary files lost theirs to each other."""
    gone, begun = (tmp_path / "elsewhere" / f"{seats.PREFIX}{pid}-x" for pid in (os.getpid(), 2**22 + 1))
    for place in (gone, begun):
        place.mkdir()
    (gone / "lock").touch()
    (linked := tmp_path / "elsewhere" / f"{seats.PREFIX}1-x").symlink_to(tmp_path)
    (tmp_path / "lock").write_text("precious")
    alive = seat_of(mocks.work(mocks.Mock()))
    alive._place = alive._place.rename(tmp_path / "elsewhere" / f"{seats.PREFIX}{2**22 + 2}-x")
    seat_of(mocks.work(mocks.Mock()))
    assert not gone.exists()
    assert begun.exists()
    assert (alive._place / "lock").exists()
    assert (tmp_path / "lock").read_text() == "precious"
    begun.rmdir()
    linked.unlink()


def test_without_ray_a_sentence_says_how_to_get_it(monkeypatch):
    """Before anything runs, and not as a traceback."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'cambrian\[ray\]'"):
        choose_engine("ray", 2, None, {})
