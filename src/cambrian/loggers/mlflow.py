"""A search in MLflow: a run of the experiment `cambrian`."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cambrian.errors import MissingExtra, UsageError
from cambrian.loggers.scalars import Scalar, ScalarWatch

EXPERIMENT = "cambrian"
MOST = 1000
"""Numbers of a request: a server refuses one with more (MLflow's REST API, "Log Batch")."""


class MLflow(ScalarWatch):
    """Logs to the tracking server or folder at `address`, by default MLflow's own; `name` is that of the run.
    Raises MissingExtra without MLflow, UsageError where it cannot begin a run; later a server that is away
    or refuses is a warning."""

    def __init__(self, address: str | None = None, name: str | None = None) -> None:
        super().__init__()
        try:
            mlflow: Any = importlib.import_module("mlflow")
            self._metric = importlib.import_module("mlflow.entities").Metric
        except ModuleNotFoundError as error:
            raise MissingExtra(str(error.name), "mlflow", "logging to MLflow") from None
        try:
            self._client = mlflow.MlflowClient(tracking_uri=address)
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            number = experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
            self._run = self._client.create_run(number, run_name=name).info.run_id
        except Exception as error:  # of the server, the network or the folder: its client raises many kinds
            raise UsageError(_describe(error)) from error

    def write(self, scalars: list[Scalar]) -> None:
        now = int(1000 * time.time())
        metrics = [self._metric(_clean(name), value, now, step) for name, value, step in scalars]
        with self._warning():
            # In one request where it can be: a server far away is asked once a trial.
            for first in range(0, len(metrics), MOST):
                self._client.log_batch(self._run, metrics=metrics[first : first + MOST])

    def on_stop(self, reason: str) -> None:
        with self._warning():
            self._client.set_tag(self._run, "cambrian.stopped", reason)

    def close(self, error: BaseException | None = None) -> None:
        """Say that the run has ended, and whether by itself: `error` is what ended it otherwise."""
        status = "FINISHED" if error is None else "FAILED" if isinstance(error, Exception) else "KILLED"
        with self._warning():
            self._client.set_terminated(self._run, status=status)

    @contextmanager
    def _warning(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # as above; no log is worth a search
            self.on_warning(_describe(error))


def _clean(name: str) -> str:
    """The name with what MLflow refuses replaced.

    >>> _clean("search/top-5 %")
    'search/top-5 _'
    """
    return re.sub(r"[^\w./ -]", "_", name)


def _describe(error: Exception) -> str:
    return f"cannot log to MLflow: {(str(error) or type(error).__name__).splitlines()[0]:.200}"
