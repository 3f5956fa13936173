"""A network as a program of torch's own (torch.export), or why it cannot be one, in a sentence."""

from __future__ import annotations

import contextlib
import io
import logging
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from cambrian.errors import UsageError

LONGEST = 200


def export_program(network: nn.Module, inputs: Tensor) -> torch.export.ExportedProgram:
    """The program of `network`, in evaluation mode, for any number of inputs like these (which are at
    least 2). Raises UsageError where its forward is not the same operations whatever its input's numbers."""
    batch = {0: torch.export.Dim("batch", min=1)}
    try:
        with _silence():
            return torch.export.export(network.eval(), (inputs,), dynamic_shapes=(batch,))
    except MemoryError:
        raise
    except Exception as error:  # torch raises what it happens to meet
        raise UsageError(f"the network cannot be exported: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = str(error)
    place = _place(error)
    if "data-dependent" in text.lower() or "GuardOnDataDependent" in type(error).__name__:
        return (
            f"its forward{place} decides by the numbers it is given, as `if x.mean() > 0` does; "
            f"torch.where or torch.cond choose without that"
        )
    if "Constraints violated" in text or "specialized" in text.lower():
        return f"its forward{place} is fixed to one number of images at a time, where any must do"
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"torch.export fails in its forward{place} with {type(error).__name__}: {first[:LONGEST]}"


def _place(error: Exception) -> str:
    """Where, as far as it is in code that is not torch's."""
    ours = Path(torch.__file__).parent
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.exists() and ours not in path.parents and path != Path(__file__):
            return f" ({path.name}, line {frame.lineno})"
    return ""


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without what torch logs, prints and warns of besides raising: what is exported is compared."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    out, err = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    try:
        with out, err, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
