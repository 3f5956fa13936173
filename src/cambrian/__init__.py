"""cambrian: neural architecture search on PyTorch.

Bring data, a device and a budget; take home a trained network and the evidence. Importing it does
not import torch: the names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from cambrian.architecture import Architecture
    from cambrian.audits.entrance import audit
    from cambrian.errors import CambrianError
    from cambrian.exports.export import export
    from cambrian.outcome import Crashed, Done, Fidelity, Infeasible, Point, Trial
    from cambrian.pictures.draw import draw
    from cambrian.reports.report_file import report
    from cambrian.reports.robustness import robustness
    from cambrian.search.classifier import Classifier, Regressor
    from cambrian.search.loop.final import Final
    from cambrian.search.planning.budget import Budget
    from cambrian.search.planning.plan import plan
    from cambrian.search.result import Result
    from cambrian.search.search import Search
    from cambrian.spaces.models.space import from_model
    from cambrian.spaces.program.function_space import space
    from cambrian.tasks import Task, load

NO_WINDOWS = "Windows is not supported; in its Linux (WSL) cambrian runs as it does on Linux"
_HOMES = {
    "Architecture": "cambrian.architecture",
    "Budget": "cambrian.search.planning.budget",
    "CambrianError": "cambrian.errors",
    "Classifier": "cambrian.search.classifier",
    "Crashed": "cambrian.outcome",
    "Done": "cambrian.outcome",
    "Fidelity": "cambrian.outcome",
    "Final": "cambrian.search.loop.final",
    "Infeasible": "cambrian.outcome",
    "Point": "cambrian.outcome",
    "Regressor": "cambrian.search.classifier",
    "Result": "cambrian.search.result",
    "Search": "cambrian.search.search",
    "Task": "cambrian.tasks",
    "Trial": "cambrian.outcome",
    "audit": "cambrian.audits.entrance",
    "draw": "cambrian.pictures.draw",
    "export": "cambrian.exports.export",
    "from_model": "cambrian.spaces.models.space",
    "load": "cambrian.tasks",
    "plan": "cambrian.search.planning.plan",
    "report": "cambrian.reports.report_file",
    "robustness": "cambrian.reports.robustness",
    "space": "cambrian.spaces.program.function_space",
}

__all__ = [
    "Architecture",
    "Budget",
    "CambrianError",
    "Classifier",
    "Crashed",
    "Done",
    "Fidelity",
    "Final",
    "Infeasible",
    "Point",
    "Regressor",
    "Result",
    "Search",
    "Task",
    "Trial",
    "audit",
    "draw",
    "export",
    "from_model",
    "load",
    "plan",
    "report",
    "robustness",
    "space",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # From the package's metadata, late: reading them takes as long as all else here.
        return importlib.import_module("importlib.metadata").version("cambrian")
    if name not in _HOMES:
        raise AttributeError(f"module 'cambrian' has no attribute {name!r}")
    if sys.platform == "win32":  # else one of its modules would say that it lacks `fcntl`
        raise ImportError(NO_WINDOWS)
    # Registers how a notebook shows a result: whoever uses one of these names may come to see one.
    if _HOMES[name].startswith("cambrian.search."):
        importlib.import_module("cambrian.reports.notebook")
        _open_doors()
    return getattr(importlib.import_module(_HOMES[name]), name)


def _open_doors() -> None:
    """Lets `result.export` and `result.report` call the functions of the rooms above."""
    doors = importlib.import_module("cambrian.search.result").doors
    for name in ("export", "report"):
        doors.setdefault(name, partial(_call, name))


def _call(name: str, *arguments: Any, **settings: Any) -> Any:
    return __getattr__(name)(*arguments, **settings)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
