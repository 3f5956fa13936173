"""Evaluations on the machines of a Ray cluster, each in a seat (see `seat`), which is a Ray actor.

Only Ray Core is used: actors, and objects that are bytes. Ray repeats nothing by itself, since the ledger
counts attempts: a seat that dies, or that is silent for longer than its lease, loses its trial and is
replaced; whatever it may still say is not listened to.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import msgspec

from cambrian.codec import decode, encode
from cambrian.errors import Incompatible, RunError, UsageError
from cambrian.search.engines.engine import Assignment, Engine, Report, Work
from cambrian.search.engines.freight import Freight
from cambrian.search.engines.ray_cluster import Cluster, check_reach, import_ray, name_place, shorten
from cambrian.search.engines.seat import read_version
from cambrian.search.engines.wire import Broken, Message, Start
from cambrian.settings import COUNT, POSITIVE, Span, check_settings

TICK = 1.0
"""Seconds at most in which a seat that runs a trial answers, with news or without: its sign of life, and the
time that a cancellation may take to reach it."""

LEAST = 1e-4
"""The smallest part of a CPU or GPU that Ray counts."""

PATIENCE = 3.0
"""Seconds in which seats may end by themselves when the engine is closed."""


@dataclass(eq=False)
class _Member:
    """The coordinator's end of one seat. `answer` is the call that it has yet to answer; `heard` is when it
    last answered one. It has `lived` once it was `ready` for a trial; while it is in doubt whether it still
    lives it is not ready."""

    actor: Any
    answer: Any
    ready: bool = False
    lived: bool = False
    assignment: Assignment | None = None
    heard: float = 0.0


@dataclass(eq=False)
class Ray(Engine):
    """`workers` trials at a time, on the cluster at `address` (`auto`, or HOST:PORT of its head), else that
    of the variable RAY_ADDRESS, else on this machine. A trial has `cpus` CPUs (left open, its `threads`),
    `gpus` GPUs, which may be a fraction (left open, one where the search's device is a GPU), and `memory`
    bytes, which Ray only reserves. Machines may come and go: a trial begins where there is room. A seat that
    answers nothing for `lease` seconds counts as lost."""

    workers: Annotated[int, COUNT] = 2
    threads: Annotated[int, COUNT] = 1
    address: str | None = None
    cpus: Annotated[float | None, Span(LEAST)] = None
    gpus: Annotated[float | None, Span(0)] = None
    memory: Annotated[int | None, COUNT] = None
    lease: Annotated[float, POSITIVE] = 60.0
    elsewhere: ClassVar[bool] = True
    slots: int = field(init=False)
    stillborn: int = field(default=5, init=False)
    """So many seats in a row that die before they are ready, not with their machine, and the engine gives
    up."""
    _cluster: Cluster | None = field(default=None, init=False)
    _freight: Freight | None = field(default=None, init=False)
    _hello: tuple[Any, ...] = field(default=(), init=False)
    _members: list[_Member] = field(default_factory=list, init=False)
    _queue: list[Assignment] = field(default_factory=list, init=False)
    _reports: list[Report] = field(default_factory=list, init=False)
    _deaths: int = field(default=0, init=False)
    _reached: bool = field(default=False, init=False)
    """Whether a cluster has answered: joining one takes a second, and a plan and its search both ask."""

    def __post_init__(self) -> None:
        check_settings(self, "engine 'ray'")
        if self.gpus is not None and not (self.gpus % 1 == 0 or LEAST <= self.gpus < 1):
            raise UsageError(
                f"engine 'ray': gpus must be a part of one GPU, at least {LEAST:g}, or a whole number, but is"
                f" {self.gpus:g}"
            )
        self.slots = self.workers

    @property
    def _tick(self) -> float:
        # Several answers within a lease, however short it is: else a seat that is well would be given up.
        return min(TICK, self.lease / 3)

    @property
    def threads_of_one(self) -> int:
        # A trial has what Ray reserved for its seat, however many other seats are idle.
        return self.threads

    @property
    def slots_here(self) -> int:
        # Seats may all be on other machines, whose memory only they know. A plan measures one trial here.
        return self.workers if self.address is None and name_place(None) == "local" else 1

    def require(self) -> None:
        if not self._reached:
            check_reach(import_ray(), self.address)
            self._reached = True

    def start(self, work: Work) -> None:
        if work.spec is None:
            raise Incompatible(
                "engine 'ray' needs a space, an estimator and a task that can be named: "
                "define them in a module that can be imported, or use engine 'serial'"
            )
        self.close()
        self._deaths = 0
        options = self._choose_options(work)
        self._cluster = Cluster.join(self.address, self.workers, options)
        self._freight = Freight(work, self._cluster.put)
        start = encode(Start.of(work, self.threads))
        self._hello = (start, self._freight.data, sys.path)
        for _ in range(self.workers):
            self._hire(self._cluster)

    def submit(self, assignment: Assignment) -> None:
        running = sum(member.assignment is not None for member in self._members)
        if self._cluster is None or running + len(self._queue) >= self.slots:
            raise RuntimeError(f"submit before start, or beyond {self.slots} slots")
        # A queue of its own: a seat that waits for a machine must not hold a trial that another could begin.
        self._queue.append(assignment)
        self._hand_out()

    def wait(self, timeout: float | None = None) -> list[Report]:
        end = None if timeout is None else time.monotonic() + timeout
        while not self._reports and self._cluster is not None and self._is_busy():
            left = TICK if end is None else max(0.0, min(TICK, end - time.monotonic()))
            self._listen(self._cluster, left)
            self._hand_out()
            if end is not None and time.monotonic() >= end:
                break
        reports, self._reports = self._reports, []
        return reports

    def cancel(self, number: int) -> None:
        for assignment in [each for each in self._queue if each.trial.number == number]:
            self._queue.remove(assignment)
            self._reports.append(Report(number, assignment.attempt, lost="cancelled"))
        for member in self._members:
            if member.assignment is not None and member.assignment.trial.number == number:
                member.actor.cancel.remote(number)

    def close(self) -> None:
        cluster, self._cluster = self._cluster, None
        members, self._members = self._members, []
        self._queue, self._reports, self._freight, self._hello = [], [], None, ()
        if cluster is not None:
            cluster.dismiss([member.actor for member in members], PATIENCE)
            cluster.leave()

    # -- seats ------------------------------------------------------------------------------------

    def _choose_options(self, work: Work) -> dict[str, Any]:
        """The resources of a seat, in Ray's names."""
        gpus = self.gpus if self.gpus is not None else float(work.device.startswith("cuda"))
        options = {"num_cpus": self.threads if self.cpus is None else self.cpus, "num_gpus": gpus}
        return options if self.memory is None else {**options, "memory": self.memory}

    def _hire(self, cluster: Cluster) -> None:
        actor = cluster.make_actor(*self._hello)
        self._members.append(_Member(actor, actor.describe.remote()))

    def _is_busy(self) -> bool:
        return bool(self._queue) or any(member.assignment is not None for member in self._members)

    def _hand_out(self) -> None:
        """Begin the trials of the queue in seats that are ready and idle."""
        idle = [member for member in self._members if member.ready and member.assignment is None]
        for member in idle[: len(self._queue)]:
            self._begin(member, self._queue.pop(0))

    def _begin(self, member: _Member, assignment: Assignment) -> None:
        assert self._freight is not None
        # The threads of a training are those that its seat was given, on whichever machine that is.
        order = msgspec.structs.replace(assignment, threads=0)
        if order.deadline is not None:
            order = msgspec.structs.replace(order, deadline=order.deadline - time.monotonic())
        member.assignment, member.heard = assignment, time.monotonic()
        # One call after the other in the same seat: a `begin` that fails is heard of by `answer`.
        begun = member.actor.begin.remote(encode(order), self._freight.load(assignment))
        member.answer = member.actor.listen.remote(self._tick, begun)

    def _listen(self, cluster: Cluster, timeout: float) -> None:
        """Take the answers that come within `timeout` seconds, and give up seats that are silent too long."""
        waiting = {member.answer: member for member in self._members if member.answer is not None}
        for answer in cluster.wait(list(waiting), timeout):
            self._take(cluster, waiting[answer])
        # After the answers: where this process itself was stopped for a while, they are all there.
        for member in list(self._members):
            asked = member.lived and member.answer is not None
            if asked and time.monotonic() - member.heard > self.lease:
                self._replace(cluster, member, f"did not answer for {self.lease:g} s")

    def _take(self, cluster: Cluster, member: _Member) -> None:
        try:
            answer = cluster.get(member.answer)
        except cluster.errors as error:
            # A machine that goes is no sign that seats cannot live: a cluster may be elastic.
            self._deaths += not (member.lived or cluster.blames_machine(error))
            self._replace(cluster, member, f"ended: {shorten(error)}")
            return
        member.heard, member.answer = time.monotonic(), None
        if not member.ready:
            self._welcome(member, decode(answer, str))
            return
        self._read(member, *answer)
        if member.assignment is not None:
            member.answer = member.actor.listen.remote(self._tick)

    def _welcome(self, member: _Member, version: str) -> None:
        if version != read_version():
            raise RunError(
                f"a machine of the Ray cluster has cambrian {version} and this one {read_version()}: install"
                " the same on both"
            )
        member.ready = member.lived = True
        self._deaths = 0

    def _read(self, member: _Member, messages: bytes, files: dict[str, bytes]) -> None:
        assert self._freight is not None
        news: list[Message] = decode(messages, list[Message])
        for message in news:
            if isinstance(message, Broken):
                raise RunError(f"a machine of the Ray cluster cannot begin: {message.error}")
            if not isinstance(message, Report):
                continue
            if message.last and member.assignment is not None:
                message = self._freight.unload(member.assignment, message, files)
                member.assignment = None
            self._reports.append(message)

    def _replace(self, cluster: Cluster, member: _Member, end: str) -> None:
        """Report the trial of a lost seat as lost, and ask for another seat."""
        self._members.remove(member)
        # Killed too where it was only silent: if it goes on one day, it must not take room.
        with suppress(*cluster.errors):
            cluster.kill(member.actor)
        if member.assignment is not None:
            number, attempt = member.assignment.trial.number, member.assignment.attempt
            self._reports.append(Report(number, attempt, lost=f"its seat in the Ray cluster {end}"))
        if self._deaths >= self.stillborn and not any(other.lived for other in self._members):
            raise RunError(f"{self._deaths} seats in a row died on their Ray machines; the last one {end}")
        if member.lived:
            self._doubt_idle()
        self._hire(cluster)

    def _doubt_idle(self) -> None:
        """Give idle seats a trial only when they have answered once more. Of a dead one nothing is heard
        while it is idle, and several may have died with one machine: a trial that was handed to one after
        the other would be lost as often as a trial may be, and never have begun."""
        for member in self._members:
            if member.ready and member.assignment is None:
                member.ready, member.heard = False, time.monotonic()
                member.answer = member.actor.describe.remote()
