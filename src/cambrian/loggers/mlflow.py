"""A search in MLflow: a run of the experiment `cambrian`."""

from __future__ import annotations

import importlib
import time
from typing import Any

from cambrian.errors import MissingExtra
from cambrian.loggers.scalars import Scalar, ScalarWatch

EXPERIMENT = "cambrian"


class MLflow(ScalarWatch):
    """Logs to the tracking server or folder at `address`, by default MLflow's own; `name` is that of the run.
    Raises MissingExtra without MLflow."""

    def __init__(self, address: str | None = None, name: str | None = None) -> None:
        super().__init__()
        try:
            mlflow: Any = importlib.import_module("mlflow")
            self._metric = importlib.import_module("mlflow.entities").Metric
        except ModuleNotFoundError as error:
            raise MissingExtra(str(error.name), "mlflow", "logging to MLflow") from None
        self._client = mlflow.MlflowClient(tracking_uri=address)
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        number = experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
        self._run = self._client.create_run(number, run_name=name).info.run_id

    def write(self, scalars: list[Scalar]) -> None:
        now = int(1000 * time.time())
        metrics = [self._metric(name, value, now, step) for name, value, step in scalars]
        # In one request: a server far away is asked once a trial.
        self._client.log_batch(self._run, metrics=metrics)

    def on_stop(self, reason: str) -> None:
        self._client.set_tag(self._run, "cambrian.stopped", reason)

    def close(self) -> None:
        """Say that the run has ended."""
        self._client.set_terminated(self._run)
