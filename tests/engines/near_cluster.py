"""A cluster without Ray: seats of this process, each with a thread that obeys its calls in turn.

It has the functions of `ray_cluster.Cluster`, and others by which a test kills or silences a seat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import SimpleNamespace

from cambrian.search.engines.seat import Seat


class Died(Exception):
    """The end of a seat, as Ray reports it."""


class Actor:
    """A seat whose calls return at once, each with a future. Between `pause` and `go_on` no answer of it
    arrives."""

    def __init__(self, make: Callable[[], Seat]) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._seat = self._thread.submit(make)
        self._answers: list[Future] = []
        self._awake = threading.Event()
        self._awake.set()
        self.dead = False

    def __getattr__(self, name: str) -> SimpleNamespace:
        if name.startswith("_"):
            raise AttributeError(name)
        return SimpleNamespace(remote=lambda *arguments: self._call(name, arguments))

    def pause(self) -> None:
        self._awake.clear()

    def go_on(self) -> None:
        self._awake.set()

    def kill(self) -> None:
        """Fail all calls that are not answered, and all later ones."""
        self.dead = True
        for answer in self._answers:
            _settle(answer, Died("the seat was killed"))

    def bury(self) -> None:
        """Remove the seat and its processes. A paused one first says all that it has still to say."""
        self.kill()
        self._awake.set()
        self._thread.submit(lambda: self._seat.result().close()).exception()
        self._thread.shutdown()

    def _call(self, name: str, arguments: tuple) -> Future:
        answer: Future = Future()
        self._answers.append(answer)
        if self.dead:
            _settle(answer, Died("the seat is dead"))
        else:
            self._thread.submit(self._answer, answer, name, arguments)
        return answer

    def _answer(self, answer: Future, name: str, arguments: tuple) -> None:
        try:
            # A call whose argument is another's answer fails with it, as Ray's calls do.
            plain = [each.result() if isinstance(each, Future) else each for each in arguments]
            result = getattr(self._seat.result(), name)(*plain[: 1 if name == "listen" else None])
        except Exception as error:
            result = Died(f"{type(error).__name__}: {error}")
        self._awake.wait()
        _settle(answer, result)


def _settle(answer: Future, result: object) -> None:
    """Give the answer, unless it was given already: the dead and the living race for it."""
    if answer.done():
        return
    if isinstance(result, Died):
        answer.set_exception(result)
    else:
        answer.set_result(result)


class NearCluster:
    """`version`, where given, is the one that its seats say they have. The first seats die of `deaths`."""

    errors = (Died,)

    def __init__(self, version: bytes | None = None, deaths: Sequence[str] = ()) -> None:
        self.actors: list[Actor] = []
        self.options: dict = {}
        self.sent: list[bytes] = []
        self._version, self._deaths = version, list(deaths)

    def join(self, address: str | None, workers: int, options: dict) -> NearCluster:
        self.options = options
        return self

    def make_actor(self, *arguments: object) -> Actor:
        death = self._deaths.pop(0) if self._deaths else None

        def make() -> Seat:
            if death is not None:
                raise RuntimeError(death)
            seat = Seat(*arguments)
            if self._version is not None:
                seat.describe = lambda: self._version
            return seat

        self.actors.append(Actor(make))
        return self.actors[-1]

    def put(self, content: bytes) -> bytes:
        self.sent.append(content)
        return content

    def get(self, answer: Future) -> object:
        return answer.result()

    def wait(self, answers: list[Future], timeout: float) -> list[Future]:
        wait(answers, timeout, return_when=FIRST_COMPLETED)
        return [answer for answer in answers if answer.done()]

    def blames_machine(self, error: Exception) -> bool:
        return "machine" in str(error)

    def kill(self, actor: Actor) -> None:
        actor.kill()

    def dismiss(self, actors: list[Actor], patience: float) -> None:
        for actor in actors:
            actor.kill()

    def leave(self) -> None:
        """The test buries the seats."""
