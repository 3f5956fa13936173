"""A search told to other programs: `Search(...).run(watch=TensorBoard("logs"))`, `--log tensorboard`."""

from __future__ import annotations

from cambrian.loggers.mlflow import MLflow
from cambrian.loggers.tensorboard import TensorBoard
from cambrian.loggers.together import Together
from cambrian.search.loop.watch import Watch

__all__ = ["MLflow", "TensorBoard", "Together", "Watch"]
