"""The loggers of `--log`: `tensorboard`, `tensorboard:FOLDER`, `mlflow`, `mlflow:ADDRESS`, and one's own,
`module:name`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cambrian.errors import UnknownName, UsageError
from cambrian.loggers.mlflow import MLflow
from cambrian.loggers.tensorboard import TensorBoard
from cambrian.loggers.together import Together
from cambrian.registry import Registry
from cambrian.search.loop.watch import Watch

NAMES = ("tensorboard", "mlflow")


def check_log(text: str) -> None:
    """Raise UnknownName or UsageError for a logger that does not exist, before anything begins."""
    name, own, _ = text.partition(":")
    if name in NAMES:
        return
    # A module of another name than theirs, and not a slip of the pen: `tensorbord:logs` is none.
    if not own or difflib.get_close_matches(name, NAMES, n=1, cutoff=0.8):
        raise UnknownName("logger", name, NAMES)
    _find_own(text)


def _find_own(text: str) -> Callable[[Path], Any]:
    """The user's own class or function at `module:name`."""
    make: Any = Registry("logger", {}).get(text)
    try:
        inspect.signature(make).bind(Path())
    except (TypeError, ValueError):
        raise UsageError(
            f"logger {text!r} cannot be called with the folder of the run: write a class, or a function, that"
            " takes it, and gives a cambrian.loggers.Watch"
        ) from None
    found: Callable[[Path], Any] = make
    return found


def _open_own(text: str, place: Path) -> Watch:
    logger = _find_own(text)(place)
    if not isinstance(logger, Watch):
        raise UsageError(f"logger {text!r} gives {type(logger).__name__!r}, and no cambrian.loggers.Watch")
    return logger


@contextmanager
def open_loggers(watch: Watch, logs: list[str], place: Path) -> Iterator[Watch]:
    """The watch that tells `watch` and the loggers of the run in `place`. Raises UsageError."""
    with ExitStack() as ending:
        loggers: list[Watch] = []
        for text in logs:
            name, _, where = text.partition(":")
            if name == "tensorboard":
                logger: Any = _open_tensorboard(where, place)
            else:
                logger = MLflow(where or None, place.name) if name == "mlflow" else _open_own(text, place)
            loggers.append(logger)
            if hasattr(logger, "close"):
                ending.push(partial(_close, logger))
        yield Together(watch, *loggers) if loggers else watch


def _close(logger: Any, kind: object, error: BaseException | None, trace: object) -> None:
    logger.close(error)


def _open_tensorboard(where: str, place: Path) -> TensorBoard:
    """The one in the run itself; or in the folder `where`, which may have the logs of many runs: each
    has a folder there, a line of its own to TensorBoard."""
    if not where:
        return TensorBoard(place / "tensorboard")
    return TensorBoard(Path(where) / place.absolute().name, run=str(place.absolute()))
