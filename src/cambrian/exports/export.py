"""A trained network as files that need torch alone: weights, architecture, and a program that has been
loaded in a clean process, without cambrian, and has given the network's outputs there.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.errors import CambrianError, ExportMismatch, MissingExtra, RunError, UsageError
from cambrian.files import stage_folder
from cambrian.reports.contents import task_facts

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from cambrian.search.result import Result

TOLERANCE = 1e-5
ROUNDING = 4 * 2.0**-23
"""Rounding of float32, of the largest logit: the last bits, more than `TOLERANCE` for logits beyond 20."""

PROGRAM, MODEL, SAMPLE = "program.pt2", "model.json", "sample.safetensors"
_FACTS = ("labels", "mean", "std", "channels", "height", "width", "input")
_UNITS = {"uint8": "in [0, 1]: bytes divided by 255", "float32": "as they are in the training data"}

_README = """# {name}: an image classifier

Needs torch alone:

```python
import json, torch

model = json.load(open("model.json"))
program = torch.export.load("program.pt2").module()
images = torch.rand(1, {channels}, {height}, {width})  # float32 [n, channels, height, width], {unit}
probabilities = program(images).softmax(1)  # normalisation is part of the program
print(model["labels"][int(probabilities[0].argmax())])
```

`model.json` has the classes, the input's size and how images are prepared: "rendering" has the colour
that transparent pixels are laid on, and the levels of 16-bit images that become 0 and 255.
`weights.safetensors` and `architecture.json` are the network's; `sample.safetensors` holds inputs and the
logits the program must give for them, all at once and one by one.
"""

_CHECK = """
import json, sys
sys.path[:] = sys.argv[1:]
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cambrian":
            raise ImportError("the exported program must not need cambrian")
sys.meta_path.insert(0, Blocked())
import torch
from safetensors.torch import load_file
torch.set_num_threads(1)
sample = load_file("sample.safetensors")
program = torch.export.load("program.pt2").module()
inputs = sample["inputs"]
with torch.inference_mode():
    together, single = program(inputs), torch.cat([program(image) for image in inputs.split(1)])
differences = [together - sample["logits"], single - sample["single_logits"]]
assert "cambrian" not in sys.modules
difference = max(float(d.abs().max()) for d in differences)
print(json.dumps({"difference": difference, "largest": float(sample["logits"].abs().max())}))
"""


def export(result: Result, directory: str | os.PathLike[str], *, onnx: bool = False) -> Path:
    """Write the network that a run chose as files that need torch alone, loaded in a clean process and
    compared; with `onnx` as an ONNX file too. Raises RunError where the run has none yet, and the errors of
    `export_network`."""
    if result.directory is None:
        raise UsageError("a result that is kept in memory has no network: search with run('runs/first')")
    if result.winner is None or result.task is None:
        raise RunError(f"{result.directory} holds no trained network yet: resume it to its end")
    task = result.task
    facts = task_facts(task)
    size = result.winner.fidelity.resolution
    samples: NDArray[Any] | None = np.asarray(task.inputs[task.train[:8]])
    # A network trained at another resolution takes images of that size, which the task does not hold.
    if size:
        facts, samples = facts | {"height": size, "width": size}, None
    answers = result.winner.architecture.to_json()
    skeleton = dict(result.winner.fidelity.skeleton)
    space = result.facts.get("settings", {}).get("space")
    architecture = {"space": space, "answers": answers, "skeleton": skeleton}
    return export_network(
        result.model().network, facts, directory, architecture_json=architecture, samples=samples, onnx=onnx
    )


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
    must be new, empty or an earlier export. `facts` are a task's (`contents.task_facts`): labels, mean, std,
    channels, height, width, and "input", the type of its images. `samples` are images [n, h, w, c] of
    that type to compare outputs on; without them, seeded noise.

    The program takes float32 [n, c, h, w] in [0, 1] (float images: as they are) for any n and gives
    logits. Raises ExportMismatch, leaving nothing behind, where a clean process that loads it finds
    logits that differ from the network's by more than 1e-5 (or the four last bits of the largest one,
    beyond 20), and UsageError where `directory` cannot be written."""
    target = Path(directory).absolute()
    _check_target(facts, target, onnx)
    try:
        with stage_folder(target) as draft:
            _write(network, facts, draft, architecture_json, samples, onnx)
            _describe(facts, draft, verify(draft))
    except (CambrianError, MemoryError):
        raise
    except OSError as error:
        raise UsageError(f"the export cannot be written to {target}: {error.strerror or error}") from error
    except Exception as error:  # a forward of the user's own, and torch, may raise anything
        reason = " ".join(str(error).split())[:200]  # torch.export writes pages
        raise UsageError(f"the network cannot be exported: {type(error).__name__}: {reason}") from error
    return target


def verify(directory: Path) -> float:
    """The largest difference between the sample's logits and the program's in a clean process: all images at
    once, and one by one, each against the network's own in the same manner (a library may add in another
    order for another number of images, and large logits show it). Raises ExportMismatch."""
    # -I isolates: the process imports from the places passed to it, not from its environment.
    done = subprocess.run(
        [sys.executable, "-I", "-c", _CHECK, *_import_path()],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ExportMismatch(f"the exported program does not run in a clean process: {last[0]}")
    # The last line: a library may print before it.
    answer = json.loads(done.stdout.splitlines()[-1])
    difference = float(answer["difference"])
    allowed = max(TOLERANCE, ROUNDING * float(answer["largest"]))
    # Written so that NaN is refused too.
    if not difference <= allowed:
        raise ExportMismatch(
            f"the exported program's outputs differ from the network's by {difference:.3g}, more than "
            f"{allowed:.3g}; nothing was written"
        )
    return difference


def _import_path() -> list[str]:
    """The import path of this process, so that another one finds the same torch (by PYTHONPATH, a .pth file,
    a directory of the user's), without the places of the running program: its working directory and its
    own."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    own = {os.getcwd(), os.path.dirname(os.path.abspath(program or sys.argv[0]))}
    path = [os.path.abspath(entry) for entry in sys.path]
    # Files beside the program may shadow the standard library's; where torch lies there, it must stay.
    return [entry for entry in path if entry not in own or _holds_torch(entry)]


def _holds_torch(place: str) -> bool:
    return os.path.isdir(os.path.join(place, "torch"))


def _check_target(facts: Mapping[str, Any], target: Path, onnx: bool) -> None:
    """Raise for facts, a target or a missing package that would fail later: before anything is written."""
    missing = [name for name in _FACTS if name not in facts]
    if missing:
        raise UsageError(f"exporting needs the facts {', '.join(_FACTS)}; missing: {', '.join(missing)}")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file: name a directory to export to")
    # An earlier export may be replaced; other files of the user's are not ours to remove.
    if target.is_dir() and any(target.iterdir()) and not (target / MODEL).exists():
        raise UsageError(f"{target} holds other files: export to a new or empty directory")
    for module in ("onnx", "onnxscript") if onnx else ():
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(module, "export", "exporting to ONNX")


def _write(
    network: nn.Module,
    facts: Mapping[str, Any],
    directory: Path,
    architecture: Mapping[str, Any],
    samples: NDArray[Any] | None,
    onnx: bool,
) -> None:
    import torch

    from cambrian.networks.checkpoint import serialise
    from cambrian.networks.exporting import export_program
    from cambrian.networks.heads import first_head
    from cambrian.networks.normalisation import Normalised, as_inputs
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
    program = export_program(Normalised(network, facts["mean"], facts["std"]), inputs)
    written = io.BytesIO()  # torch's writer to a file does not say why it failed
    torch.export.save(program, written)
    (directory / PROGRAM).write_bytes(written.getvalue())
    (directory / "weights.safetensors").write_bytes(serialise(network.state_dict()))
    (directory / SAMPLE).write_bytes(serialise({"inputs": inputs, "logits": logits, "single_logits": single}))
    (directory / "architecture.json").write_text(json.dumps(architecture, indent=1) + "\n")
    if onnx:
        torch.onnx.export(program, (), directory / "program.onnx", dynamo=True, verbose=False)


def _noise(facts: Mapping[str, Any]) -> NDArray[Any]:
    # Seeded, so that two exports of a network are compared on the same inputs.
    rng = np.random.default_rng(0)
    shape = (8, facts["height"], facts["width"], facts["channels"])
    if facts["input"] == "uint8":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    return rng.normal(facts["mean"], facts["std"], shape).astype(np.float32)


def _describe(facts: Mapping[str, Any], directory: Path, difference: float) -> None:
    unit = _UNITS.get(facts["input"], _UNITS["float32"])
    record = {
        **{name: facts[name] for name in ("name", "rendering", *_FACTS) if name in facts},
        "preprocessing": f"float32 [n, channels, height, width], {unit}; the program normalises them",
        "output": "logits [n, classes]; softmax makes them probabilities",
        "verified_difference": difference,
    }
    (directory / MODEL).write_text(json.dumps(record, indent=1) + "\n")
    sizes = {name: facts[name] for name in ("channels", "height", "width")}
    name = str(facts.get("name", "network")).replace("\n", " ")
    text = _README.format(name=name, unit=unit, **sizes)
    (directory / "README.md").write_text(text, encoding="utf-8", errors="replace")
