"""`doctor`: what is installed, what is missing, and what is wrong with a run."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from cambrian.cli.app import Json, app, give, say

EXTRAS = {"onnx": "export", "onnxruntime": "export"}
NEEDED = ("torch", "numpy", "scipy", "scikit-learn", "safetensors", "matplotlib", "Pillow")


@app.command()
def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run directory to examine.")] = None,
    repair: Annotated[
        Path | None, typer.Option(help="A run whose damaged ledger is to be replaced by what can be read.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what is installed and what is missing; examine a run, or repair its ledger."""
    found: dict[str, Any] = {"versions": _versions(), "missing": _missing(), "cuda": _cuda()}
    if repair is not None:
        from cambrian.search.ledger.repair import repair as mend

        found["repaired"] = mend(repair)
    if run is not None:
        from cambrian.search.result import Result

        result = Result.open(run)
        found["run"] = {"trials": len(result.trials), "ledger": "whole"}
    if as_json:
        give(found)
        return
    for name, version in found["versions"].items():
        say(f"{name:>14}  {version}")
    say(f"{'CUDA':>14}  {found['cuda']}")
    for name, cure in found["missing"].items():
        say(f"{name:>14}  missing; {cure}")
    for key in ("repaired", "run"):
        if key in found:
            say(f"{key:>14}  {found[key]}")


def _versions() -> dict[str, str]:
    """Of what is installed; nothing is imported."""
    found = {name: _version(name) for name in ("cambrian", *NEEDED)}
    installed = {name: version for name, version in found.items() if version is not None}
    return {**installed, "python": platform.python_version(), "machine": platform.machine()}


def _missing() -> dict[str, str]:
    needed = {name: f"pip install {name}" for name in NEEDED if _version(name) is None}
    extras = {m: f"pip install 'cambrian[{e}]'" for m, e in EXTRAS.items() if _version(m) is None}
    return {**needed, **extras}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cuda() -> str:
    try:
        import torch
    except ImportError as error:
        return f"unknown, for torch cannot be imported: {error}"
    return (
        torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no device; searches run on the CPU"
    )
