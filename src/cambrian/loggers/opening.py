"""The loggers of `--log`: `tensorboard`, `tensorboard:FOLDER`, `mlflow`, `mlflow:ADDRESS`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from cambrian.errors import UnknownName
from cambrian.loggers.mlflow import MLflow
from cambrian.loggers.tensorboard import TensorBoard
from cambrian.loggers.together import Together
from cambrian.search.loop.watch import Watch

NAMES = ("tensorboard", "mlflow")


def check_log(text: str) -> None:
    """Raise UnknownName for a logger that does not exist, before anything begins."""
    name = text.partition(":")[0]
    if name not in NAMES:
        raise UnknownName("logger", name, NAMES)


@contextmanager
def open_loggers(watch: Watch, logs: list[str], place: Path) -> Iterator[Watch]:
    """The watch that tells `watch` and the loggers of the run in `place`. Raises UsageError."""
    with ExitStack() as ending:
        loggers: list[Watch] = []
        for text in logs:
            name, _, where = text.partition(":")
            if name == "tensorboard":
                loggers.append(_open_tensorboard(where, place))
            else:
                logger = MLflow(where or None, place.name)
                ending.push(partial(_close, logger))
                loggers.append(logger)
        yield Together(watch, *loggers) if loggers else watch


def _close(logger: MLflow, kind: object, error: BaseException | None, trace: object) -> None:
    logger.close(error)


def _open_tensorboard(where: str, place: Path) -> TensorBoard:
    """The one in the run itself; or in the folder `where`, which may have the logs of many runs: each
    has a folder there, a line of its own to TensorBoard."""
    if not where:
        return TensorBoard(place / "tensorboard")
    return TensorBoard(Path(where) / place.absolute().name, run=str(place.absolute()))
