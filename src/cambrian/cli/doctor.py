"""`doctor`: installed and missing packages, and the health of a run."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from cambrian.cli.app import Json, app, give, say
from cambrian.cli.display.panels import MACHINE
from cambrian.counts import counted

EXTRAS = {"onnx": "export", "onnxruntime": "export"}
NEEDED = ("torch", "numpy", "scipy", "scikit-learn", "safetensors", "matplotlib", "Pillow")


@app.command(rich_help_panel=MACHINE, epilog="cambrian doctor")
def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run directory to examine.")] = None,
    repair: Annotated[
        Path | None, typer.Option(help="A run: replace its damaged ledger by the readable rows.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is installed; examine a run, or repair its ledger."""
    facts: dict[str, Any] = {"versions": _versions(), "missing": _missing(), "cuda": _cuda()}
    # Repaired first, so that a run that is named twice is examined as it is afterwards.
    if repair is not None:
        from cambrian.search.ledger.repair import repair as mend

        facts["repaired"] = mend(repair)
    if run is not None:
        from cambrian.search.result import Result

        result = Result.open(run)  # raises for a damaged ledger
        facts["run"] = {"trials": len(result.trials), "ledger": "whole"}
    if as_json:
        give(facts)
        return
    for name, version in facts["versions"].items():
        say(f"{name:>14}  {version}")
    say(f"{'CUDA':>14}  {facts['cuda']}")
    for name, cure in facts["missing"].items():
        say(f"{name:>14}  missing; {cure}")
    if "repaired" in facts:
        say(f"{'repaired':>14}  {_describe_repair(**facts['repaired'])}")
    if "run" in facts:
        say(
            f"{'run':>14}  {counted(facts['run']['trials'], 'trial')}; its ledger is {facts['run']['ledger']}"
        )


def _describe_repair(kept: int, lost: int | None, damaged: str) -> str:
    """
    >>> _describe_repair(7, 1, "a")
    '7 rows kept, 1 lost; the damaged ledger is a'
    """
    many = "an unknown number" if lost is None else f"{lost:,}"
    return f"{counted(kept, 'row')} kept, {many} lost; the damaged ledger is {damaged}"


def _versions() -> dict[str, str]:
    """Versions of the installed packages, found without importing them."""
    versions = {name: _version(name) for name in ("cambrian", *NEEDED)}
    installed = {name: version for name, version in versions.items() if version is not None}
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
        import torch  # which alone knows whether CUDA works, and may itself be broken
    except ImportError as error:
        return f"unknown, since torch cannot be imported: {error}"
    return (
        torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no device; searches run on the CPU"
    )
