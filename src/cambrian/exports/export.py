"""A trained network as files that need torch alone: weights, architecture, and a program that has been
loaded in a clean process, without cambrian, and has given the network's outputs there.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import CambrianError, RunError, UsageError
from cambrian.exports.onnx_card import INT8, ONNX, describe_onnx
from cambrian.exports.readme import OUTPUTS, write_readme
from cambrian.exports.verification import Verified, verify
from cambrian.files import stage_folder
from cambrian.goal import read_goal
from cambrian.outcome import Done

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from cambrian.outcome import Trial
    from cambrian.search.result import Result
    from cambrian.tasks.task import Task

PROGRAM, MODEL, SAMPLE = "program.pt2", "model.json", "sample.safetensors"
SOURCE, WEIGHTS, ARCHITECTURE = "network.py", "weights.safetensors", "architecture.json"
CARD = "README.md"
_OURS = {PROGRAM, MODEL, SAMPLE, SOURCE, WEIGHTS, ARCHITECTURE, CARD, ONNX, INT8, "__pycache__"}
"""What an export consists of, and what Python leaves beside an imported `network.py`."""
_FACTS = ("labels", "mean", "std", "channels", "height", "width", "stored")
INPUT = "float32"
"""What a program takes, however the training data are stored."""
_UNITS = {"uint8": "in [0, 1]: bytes divided by 255", "float32": "as they are in the training data"}


def export(
    result: Result | str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    onnx: bool = False,
    int8: bool = False,
) -> Path:
    """Write the network that a run chose, given as its result or its directory, as files that need torch
    alone, loaded in a clean process and compared; with `onnx` as an ONNX file too, with `int8` as one in
    8-bit integers beside it. Where it handed over several networks of a front, the others lie in folders
    beside these files, named front-2 and so on. Raises RunError where the run has none yet, and the errors of
    `export_network` and `add_int8`."""
    from cambrian.search.delivery.missing_network import explain_missing
    from cambrian.search.result import result_of

    result = result_of(result)
    if result.directory is None:
        raise UsageError("a result that is kept in memory has no network: search with run('runs/first')")
    if result.task is None or result.winner is None:
        raise RunError(explain_missing(result))
    if int8:
        from cambrian.exports.int8 import check_classes

        check_classes(result.task)
    written = _export_trial(result, result.winner, result.task, directory, onnx, int8)
    for trial in result.delivered[1:]:
        _export_trial(result, trial, result.task, written / trial.role.replace(" ", "-"), onnx, int8)
    return written


def _export_trial(
    result: Result, trial: Trial, task: Task, directory: str | os.PathLike[str], onnx: bool, int8: bool
) -> Path:
    from cambrian.reports.tested import is_tested

    facts = task.summary()
    size = trial.fidelity.resolution
    samples: NDArray[Any] | None = np.asarray(task.inputs[task.train[:8]])
    # A network trained at another resolution takes images of that size, which the task does not hold.
    if size:
        facts, samples = facts | {"height": size, "width": size}, None
    # What was measured of it goes with it: the run may be far away by then.
    if isinstance(trial.outcome, Done) and is_tested(trial.outcome.metrics):
        facts["tested"] = {"metric": task.metric, "value": trial.outcome.value, task.noun: len(task.test)}
    answers = trial.architecture.to_json()
    skeleton = dict(trial.fidelity.skeleton)
    space = result.facts.get("settings", {}).get("space")
    architecture = {"space": space, "answers": answers, "skeleton": skeleton}
    written = export_network(
        result.model(trial).network,
        facts,
        directory,
        architecture_json=architecture,
        samples=samples,
        onnx=onnx or int8,
    )
    if int8:
        from cambrian.exports.int8 import add_int8

        add_int8(written, task, size)
    return written


def export_network(
    network: nn.Module,
    facts: Mapping[str, Any],
    directory: str | os.PathLike[str],
    *,
    architecture_json: Mapping[str, Any],
    samples: NDArray[Any] | None = None,
    onnx: bool = False,
) -> Path:
    """Write `network` (normalised float[n, c, h, w] to logits float[n, classes]) to `directory`, which
    must be new, empty or an earlier export. `facts` are a task's `summary`: labels, mean, std,
    channels, height, width, and "stored", the type of its images. `samples` are images [n, h, w, c] of
    that type to compare outputs on; without them, seeded noise.

    The program takes float32 [n, c, h, w] in [0, 1] (float images: as they are) for any n, refuses any
    other type, and gives logits. Raises ExportMismatch, leaving nothing behind, where a clean process that
    loads it finds logits that differ from the network's by more than 1e-5 (or the four last bits of the
    largest one, beyond 20), or, with `onnx`, where those that ONNX Runtime gives differ by more than 1e-4;
    UsageError where `directory` cannot be written."""
    target = Path(directory).absolute()
    check_target(facts, target, onnx)
    try:
        with stage_folder(target) as draft:
            reason = _write(network, facts, draft, architecture_json, samples, onnx)
            verified = verify(draft)
            if verified.source is None:
                (draft / SOURCE).unlink(missing_ok=True)
            _describe(facts, draft, verified, reason or verified.failure)
    except (CambrianError, MemoryError):
        raise
    except OSError as error:
        raise UsageError(f"the export cannot be written to {target}: {error.strerror or error}") from error
    except Exception as error:  # a forward of the user's own, and torch, may raise anything
        reason = " ".join(str(error).split())[:200]  # torch.export writes pages
        raise UsageError(f"the network cannot be exported: {type(error).__name__}: {reason}") from error
    return target


def check_target(facts: Mapping[str, Any], target: Path, onnx: bool) -> None:
    """Raise for facts, a target or a missing package that would fail later: before anything is written."""
    missing = [name for name in _FACTS if name not in facts]
    if missing:
        raise UsageError(f"exporting needs the facts {', '.join(_FACTS)}; missing: {', '.join(missing)}")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file: name a directory to export to")
    # An earlier export may be replaced; other files of the user's are not ours to remove.
    others = _list_others(target) if target.is_dir() else []
    if others:
        raise UsageError(
            f"{target} holds other files, {others[0]} for one: move them, or export to a new or empty"
            " directory"
        )
    if onnx:
        from cambrian.networks.onnx.packages import RUNNING, check_packages

        check_packages(RUNNING, "exporting to ONNX")


def _list_others(target: Path) -> list[str]:
    """What lies in `target` that no export has written, by its path in there."""
    others = []
    for path in sorted(target.iterdir()):
        if re.fullmatch(r"front-\d+", path.name) and path.is_dir():
            others += [f"{path.name}/{name}" for name in _list_others(path)]
        elif path.name not in _OURS or not (target / MODEL).exists():
            others.append(path.name)
    return others


def _write(
    network: nn.Module,
    facts: Mapping[str, Any],
    directory: Path,
    architecture: Mapping[str, Any],
    samples: NDArray[Any] | None,
    onnx: bool,
) -> str:
    """The files that are to be verified; returns the reason why `network.py` is not among them, if so."""
    import torch

    from cambrian.networks.checkpoint import serialise
    from cambrian.networks.exporting import export_program
    from cambrian.networks.heads import first_head
    from cambrian.networks.normalisation import Float32Alone, Normalised, as_inputs
    from cambrian.networks.tensor_copies import copy_network

    # A contiguous copy on the CPU: the program must not depend on the device or layout of training.
    network = copy_network(network).to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    inputs = as_inputs(samples if samples is not None else _noise(facts))
    mean, std = (torch.tensor(facts[name]).reshape(1, -1, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        normal = (inputs - mean) / std
        logits = first_head(network(normal))
        # One by one as well: convolutions may choose another algorithm for a batch of one.
        single = torch.cat([first_head(network(normal[i : i + 1])) for i in range(len(normal))])
    program = export_program(Float32Alone(Normalised(network, facts["mean"], facts["std"])), inputs)
    written = io.BytesIO()  # torch's writer to a file does not say why it failed
    torch.export.save(program, written)
    (directory / PROGRAM).write_bytes(written.getvalue())
    reason, extra = _write_source(network, normal, facts, directory)
    (directory / WEIGHTS).write_bytes(serialise({**network.state_dict(), **extra}))
    (directory / SAMPLE).write_bytes(serialise({"inputs": inputs, "logits": logits, "single_logits": single}))
    (directory / ARCHITECTURE).write_text(json.dumps(architecture, indent=1) + "\n")
    if onnx:
        from cambrian.networks.onnx.onnx_file import write_program

        write_program(program, directory / ONNX)
    return reason


def _write_source(
    network: nn.Module, inputs: Tensor, facts: Mapping[str, Any], directory: Path
) -> tuple[str, Mapping[str, Tensor]]:
    """Write `network.py`; return the tensors that it needs beside the state dict, or why there is none."""
    from cambrian.exports.source import write_source
    from cambrian.networks.tensor_copies import copy_network

    try:
        # A copy, since a forward may change its network.
        source = write_source(copy_network(network), inputs, facts, _unit(facts))
    except MemoryError:
        raise
    # A forward of the user's own may do anything, and the program is whole without its source.
    except Exception as error:
        known = isinstance(error, CambrianError)
        text = " ".join(str(error).split())[:200]
        return text if known else f"{type(error).__name__}: {text}", {}
    (directory / SOURCE).write_text(source.text, encoding="utf-8", errors="replace")
    return "", source.tensors


def _noise(facts: Mapping[str, Any]) -> NDArray[Any]:
    # Seeded, so that two exports of a network are compared on the same inputs.
    rng = np.random.default_rng(0)
    shape = (8, facts["height"], facts["width"], facts["channels"])
    if facts["stored"] == "uint8":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    return rng.normal(facts["mean"], facts["std"], shape).astype(np.float32)


def _unit(facts: Mapping[str, Any]) -> str:
    return _UNITS.get(facts["stored"], _UNITS["float32"])


def _describe(facts: Mapping[str, Any], directory: Path, verified: Verified, reason: str) -> None:
    """Write `model.json` and the README; `reason` says why there is no `network.py`, where there is none."""
    unit = _unit(facts)
    record = {
        **{name: facts[name] for name in ("name", "rendering", "columns", "goal", *_FACTS) if name in facts},
        # A task's own "test" is how many examples that part has.
        **({"test": facts["tested"]} if "tested" in facts else {}),
        "input": INPUT,
        "preprocessing": f"{INPUT} [n, channels, height, width], {unit}; the program normalises them",
        "output": OUTPUTS[read_goal(facts.get("goal")).kind],
        "verified_difference": verified.difference,
        "source_difference": verified.source,
    }
    if verified.source is None:
        record["no_source"] = reason
    if verified.onnx is not None:
        record["onnx"] = describe_onnx(directory, verified.onnx)
    (directory / MODEL).write_text(json.dumps(record, indent=1) + "\n")
    text = write_readme(facts, unit, "" if verified.source is not None else reason, verified.onnx is not None)
    (directory / CARD).write_text(text, encoding="utf-8", errors="replace")
