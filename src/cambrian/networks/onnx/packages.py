"""The packages of the extra [export]: named in one sentence where they are missing, before any work."""

from __future__ import annotations

import importlib.util

from cambrian.errors import MissingExtra

WRITING = ("onnx", "onnxscript")
RUNNING = (*WRITING, "onnxruntime")


def check_packages(modules: tuple[str, ...], purpose: str) -> None:
    """Raise MissingExtra for the first module that is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(module, "export", purpose)
