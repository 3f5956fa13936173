"""Your data: readers, splits, metrics. `load` makes a `Task` of it."""

from __future__ import annotations

from cambrian.tasks.loading import load
from cambrian.tasks.metrics import METRICS
from cambrian.tasks.readers import TASKS
from cambrian.tasks.task import Task, prepare

__all__ = ["METRICS", "TASKS", "Task", "load", "prepare"]
