"""The loggers of `--log`: `tensorboard`, `tensorboard:FOLDER`, `mlflow`, `mlflow:ADDRESS`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
                loggers.append(TensorBoard(where or place / "tensorboard"))
            else:
                logger = MLflow(where or None, place.name)
                ending.callback(logger.close)
                loggers.append(logger)
        yield Together(watch, *loggers) if loggers else watch
