"""This process's membership in a Ray cluster: one that runs already, or one of this machine, started here."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import threading
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from cambrian.errors import MissingExtra, RunError, UsageError
from cambrian.search.engines.seat import Seat

QUIET = {
    # Ray asks, and then sends figures of its use over the net.
    "RAY_USAGE_STATS_ENABLED": "0",
    # A seat without GPUs sees those of its machine hidden in a later version of Ray; until then it warns.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
"""Ray's names of an actor's options, and those of a machine's resources."""

MODE = "RAY_AUTH_MODE"
"""The variable that says whether Ray's processes show each other a token."""

ANSWER = 10.0
"""Seconds in which the head of a cluster takes up a connection."""


def import_ray() -> ModuleType:
    """Ray, imported late: it takes a second. Raises MissingExtra."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", "ray", "engine 'ray'") from error
    module: ModuleType = ray
    return module


class Cluster:
    """`join` makes one; `leave` ends what `join` began, and nothing else: a cluster that this process had
    joined before goes on."""

    def __init__(self, ray: ModuleType, options: dict[str, Any], joined: bool) -> None:
        self._ray, self._joined = ray, joined
        self.errors: tuple[type[Exception], ...] = (ray.exceptions.RayError,)
        # No attempt by Ray: the ledger counts them.
        self._seats = ray.remote(max_restarts=0, max_task_retries=0, **options)(RaySeat)

    @staticmethod
    def join(address: str | None, workers: int, options: dict[str, Any]) -> Cluster:
        """Join the cluster at `address`, or start one that has room for `workers` actors of these options.
        Raises RunError where none answers, and where this machine alone could never run one."""
        ray = import_ray()
        if ray.is_initialized():
            warn_of_no_room(ray, options)
            return Cluster(ray, options, joined=False)
        place = find_place(address)
        local = {"num_cpus": math.ceil(workers * options["num_cpus"]), "include_dashboard": False}
        _init(ray, place, local if place == "local" else {})
        try:
            if place == "local" and not has_room(ray, options):
                raise RunError(
                    f"this machine has no room for {_describe(options)}: ask for less, as ray(gpus=0)"
                )
            warn_of_no_room(ray, options)
            return Cluster(ray, options, joined=True)
        except BaseException:  # a warning that is an error too: the next search would find Ray begun already
            ray.shutdown()
            raise

    def make_actor(self, *arguments: Any) -> Any:
        return self._seats.remote(*arguments)

    def put(self, content: bytes) -> Any:
        try:
            return self._ray.put(content)
        except self.errors as error:  # neither memory nor disk has room for it
            raise RunError(
                f"Ray cannot take up {len(content):,} bytes to be sent: {shorten(error)}"
            ) from error

    def get(self, reference: Any) -> Any:
        return self._ray.get(reference)

    def wait(self, references: list[Any], timeout: float) -> Sequence[Any]:
        """The references that are ready, once one of them is, or `timeout` seconds have passed."""
        if not references:
            return []
        self._ray.wait(references, num_returns=1, timeout=timeout, fetch_local=False)
        ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0, fetch_local=False)
        return list(ready)

    def blames_machine(self, error: Exception) -> bool:
        """Whether an actor ended because its machine left the cluster."""
        # Ray has no type or number for it, only this sentence.
        return "node has died" in str(error)

    def kill(self, actor: Any) -> None:
        self._ray.kill(actor, no_restart=True)

    def dismiss(self, actors: Sequence[Any], patience: float) -> None:
        """End actors: those that cannot by themselves within `patience` seconds are killed."""
        farewells = [actor.close.remote() for actor in actors]
        if farewells:
            self._ray.wait(farewells, num_returns=len(farewells), timeout=patience, fetch_local=False)
        for actor in actors:
            self.kill(actor)

    def leave(self) -> None:
        if self._joined:
            self._ray.shutdown()


class RaySeat(Seat):
    """A seat whose files are references to objects in Ray's store."""

    def __init__(self, start: bytes, data: dict[str, Any], paths: Sequence[str]) -> None:
        super().__init__(start, data, paths, fetch=import_ray().get)

    def listen(self, seconds: float, begun: object = None) -> tuple[bytes, dict[str, bytes]]:
        """As a seat's. `begun` is the answer of a call whose failure shall be this one's as well."""
        return super().listen(seconds)


def shorten(error: BaseException) -> str:
    """The end of a message of Ray's, which has the cause, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


def name_place(address: str | None) -> str:
    """The address that is meant: the one given, else that of RAY_ADDRESS, else `local`."""
    return address or os.environ.get("RAY_ADDRESS") or "local"


def find_place(address: str | None) -> str:
    """The address of the cluster to join, `local` for one of this machine. Raises UsageError for an address
    of Ray's client, and RunError where nobody listens at HOST:PORT."""
    place = name_place(address)
    if place.startswith("ray://"):
        raise UsageError(
            f"{place} is an address for Ray's client: run cambrian on a machine of the cluster and give"
            " auto, or HOST:PORT of its head"
        )
    _find_answer(place)
    return place


def check_reach(ray: ModuleType, address: str | None) -> None:
    """Raise what `join` would raise where no cluster can be joined at `address`, before anything is planned
    or written. A cluster of this machine alone is begun by `join`."""
    if ray.is_initialized():
        return
    place = find_place(address)
    if place != "local":
        # Joined and left again: only Ray itself knows whether what answers is a cluster.
        _init(ray, place, {})
        ray.shutdown()


def has_room(ray: ModuleType, options: dict[str, Any]) -> bool:
    """Whether one machine of the cluster, when it is idle, has all that an actor asks for."""
    wanted = {RESOURCES[name]: amount for name, amount in options.items()}
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return any(all(has.get(name, 0) >= amount for name, amount in wanted.items()) for has in machines)


def warn_of_no_room(ray: ModuleType, options: dict[str, Any]) -> None:
    """Say that trials will wait: Ray itself would wait without a word, since a machine may come."""
    if not has_room(ray, options):
        warnings.warn(
            f"no machine of the Ray cluster has room for {_describe(options)}: trials wait for one that does",
            stacklevel=2,
        )


def _describe(options: dict[str, Any]) -> str:
    parts = [f"{amount:g} {RESOURCES[name]}" for name, amount in options.items() if amount]
    return f"a trial, which asks for {', '.join(parts)}"


def _split_address(address: str) -> tuple[str, int] | None:
    """Host and port of HOST:PORT; None for another address."""
    host, _, port = address.rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else None


def _find_answer(address: str) -> None:
    """Raise RunError where nobody listens at HOST:PORT, which Ray tries for many minutes."""
    place = _split_address(address)
    if place is None:
        return
    try:
        socket.create_connection(place, timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _refuse(address, error, "begin one with: ray start --head") from error


def _refuse(address: str, error: Exception, advice: str) -> RunError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return RunError(f"no Ray cluster can be joined at {address!r}: {reason}; {advice}")


def _advise(address: str) -> str:
    """What to do where Ray could not join. At HOST:PORT somebody has answered by then: Ray says no more than
    that it failed where it was a cluster with a token, which is never sent there unasked."""
    if _split_address(address) is None or os.environ.get(MODE) == "disabled":
        return "begin one with: ray start --head"
    if os.environ.get(MODE) == "token":
        return "a cluster that answers there may have another token than ~/.ray/auth_token"
    return (
        f"a cluster that answers there may ask for its token: copy ~/.ray/auth_token, and export {MODE}=token"
    )


def _init(ray: ModuleType, address: str, settings: dict[str, Any]) -> None:
    """Start or join, leaving this process's answer to SIGTERM as it is, which Ray replaces."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **settings)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise _refuse(address, error, _advise(address)) from error
    finally:
        if main and before is not None:
            signal.signal(signal.SIGTERM, before)
