"""A network exported as a torch.export program, or one sentence on why it cannot be exported."""

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
"""Characters quoted of torch's message, so that the sentence stays one line."""


def export_program(network: nn.Module, inputs: Tensor) -> torch.export.ExportedProgram:
    """The program of `network`, in evaluation mode, for batches of any size; `inputs` are an example batch of
    at least 2. Raises UsageError where the forward's operations depend on the values of its input."""
    # torch.export takes a dimension of 1 for a constant, hence at least 2 examples.
    batch = {0: torch.export.Dim("batch", min=1)}
    try:
        with silence():
            return torch.export.export(network.eval(), (inputs,), dynamic_shapes=(batch,))
    except MemoryError:
        raise
    except Exception as error:  # torch raises what it happens to meet
        raise UsageError(f"the network cannot be exported: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    # torch has no types for these cases that last over versions, so its words are matched.
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
    """The file and line that failed, if the code is not torch's; else an empty text."""
    # Innermost frame first: the user's line nearest to the error says more than those that called it.
    ours = Path(torch.__file__).parent
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.exists() and ours not in path.parents and path != Path(__file__):
            return f" ({path.name}, line {frame.lineno})"
    return ""


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Suppress the log, prints and warnings of torch, inside; errors are still raised."""
    # Nothing is lost: the caller compares the exported program with the network.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    out, err = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    try:
        with out, err, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
