"""An exported program, ready to run: the network itself where a space of cambrian's builds it, since the
program's file needs torch's compiler, which takes seconds to import."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.exports.export import ARCHITECTURE, PROGRAM, SAMPLE, WEIGHTS
from cambrian.exports.verification import ROUNDING, TOLERANCE
from cambrian.goal import read_goal

if TYPE_CHECKING:
    from torch import Tensor, nn

Program = Callable[["Tensor"], "Tensor"]


def load_program(directory: Path, facts: Mapping[str, Any]) -> Program:
    """The program: float32 images [n, c, h, w] to logits [n, classes]. Raises UsageError where its file is
    missing or damaged."""
    return _rebuild(directory, facts) or _load(directory)


def _load(directory: Path) -> Program:
    import torch

    try:
        program: nn.Module = torch.export.load(directory / PROGRAM).module()
    except Exception as error:  # of a damaged file torch raises any type
        raise UsageError(f"{directory / PROGRAM} is missing or damaged: export the network again") from error
    return program


def _rebuild(directory: Path, facts: Mapping[str, Any]) -> Program | None:
    """The network behind its normalisation, built by its space; None where that is not one of cambrian's, or
    where anything but the recorded logits comes out, as after an update of cambrian."""
    try:
        if not (directory / PROGRAM).is_file():
            return None
        program = _build(directory, facts)
        return program if program is not None and _gives_sample(program, directory) else None
    # Files may be damaged in any way: the program is asked then, which says what is wrong.
    except Exception:
        return None


def _build(directory: Path, facts: Mapping[str, Any]) -> nn.Module | None:
    from safetensors.torch import load_file

    from cambrian.architecture import Architecture
    from cambrian.networks.normalisation import Normalised, in_unit
    from cambrian.search.parts.components import space_for
    from cambrian.spaces import SPACES
    from cambrian.spaces.program.function_space import Shape

    record = json.loads((directory / ARCHITECTURE).read_text())
    spec = record["space"]
    if spec["name"] not in SPACES.names():  # no code of anybody else's is imported
        return None
    shape = Shape(facts["channels"], facts["height"], facts["width"], len(facts["labels"]))
    answers = Architecture.from_json(record["answers"])
    network = space_for(spec, shape).build(answers, shape, **record["skeleton"])
    network = in_unit(network, read_goal(facts.get("goal")))
    weights = load_file(directory / WEIGHTS)
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    return Normalised(network, facts["mean"], facts["std"]).eval()


def _gives_sample(program: Program, directory: Path) -> bool:
    import torch
    from safetensors.torch import load_file

    sample = load_file(directory / SAMPLE)
    with torch.inference_mode():
        difference = float((program(sample["inputs"]) - sample["logits"]).abs().max())
    return difference <= max(TOLERANCE, ROUNDING * float(sample["logits"].abs().max()))
