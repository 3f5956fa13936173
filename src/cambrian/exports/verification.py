"""An export, loaded in a clean process that cannot import cambrian, and compared with the network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from cambrian.errors import ExportMismatch

TOLERANCE = 1e-5
ONNX_TOLERANCE = 1e-4
"""ONNX Runtime has kernels of its own, which add in another order."""
SOURCE_TOLERANCE = 1e-6
"""The source calls the same functions in the same order, so that it is nearer than the program."""
ROUNDING = 4 * 2.0**-23
"""Rounding of float32, of the largest logit: the last bits, more than a tolerance for logits beyond 20."""

_CHECK = """
import importlib.util, json, os, sys
sys.path[:] = sys.argv[1:]
sys.dont_write_bytecode = True
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cambrian":
            raise ImportError("the exported program must not need cambrian")
sys.meta_path.insert(0, Blocked())
import torch
from safetensors.torch import load_file
torch.set_num_threads(1)
sample = load_file("sample.safetensors")
inputs = sample["inputs"]
def difference(program):
    with torch.inference_mode():
        together, single = program(inputs), torch.cat([program(image) for image in inputs.split(1)])
    differences = [together - sample["logits"], single - sample["single_logits"]]
    # Of a NaN the maximum is NaN, which no comparison takes for small.
    return float(torch.stack([d.abs().max() for d in differences]).max())
def source():
    spec = importlib.util.spec_from_file_location("network", "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load()
    return difference(lambda images: network(module.normalise(images)))
def run_onnx():
    import onnxruntime
    session = onnxruntime.InferenceSession("program.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: torch.from_numpy(session.run(None, {name: images.numpy()})[0])
answer = {"largest": float(sample["logits"].abs().max())}
answer["difference"] = difference(torch.export.load("program.pt2").module())
if os.path.exists("program.onnx"):
    answer["onnx"] = difference(run_onnx())
if os.path.exists("network.py"):
    try:
        answer["source"] = source()
    except Exception as error:
        answer["failure"] = f"{type(error).__name__}: {error}"
assert "cambrian" not in sys.modules
print(json.dumps(answer))
"""


class Verified(msgspec.Struct, frozen=True):
    """The largest differences of logits from the network's. `source` is that of `network.py`: None where
    there is no such file, or where `failure` says why it cannot be used. `onnx` is that of the ONNX file in
    ONNX Runtime, None where there is none."""

    difference: float
    source: float | None = None
    failure: str = ""
    onnx: float | None = None


def verify(directory: Path) -> Verified:
    """Compare the sample's logits with the program's in a clean process: all images at once, and one by one,
    each against the network's own in the same manner (a library may add in another order for another number
    of images, and large logits show it). Raises ExportMismatch for the program, and for its ONNX
    file where there is one; `network.py` is only described, since the program does without it."""
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
    return _judge(json.loads(done.stdout.splitlines()[-1]))


def _judge(answer: dict[str, float | str]) -> Verified:
    last_bits = ROUNDING * float(answer["largest"])
    difference = _check("program", float(answer["difference"]), max(TOLERANCE, last_bits))
    onnx = None
    if "onnx" in answer:
        onnx = _check("ONNX program", float(answer["onnx"]), max(ONNX_TOLERANCE, last_bits))
    if "source" not in answer:
        failure = " ".join(str(answer.get("failure", "")).split())[:200]
        return Verified(difference, failure=failure, onnx=onnx)
    source = float(answer["source"])
    if not source <= max(SOURCE_TOLERANCE, last_bits):
        failure = f"its outputs differ from the network's by {source:.3g}"
        return Verified(difference, failure=failure, onnx=onnx)
    return Verified(difference, source, onnx=onnx)


def _check(name: str, difference: float, allowed: float) -> float:
    """The difference. Raises ExportMismatch where it is more than is allowed."""
    # Written so that NaN is refused too.
    if not difference <= allowed:
        raise ExportMismatch(
            f"the exported {name}'s outputs differ from the network's by {difference:.3g}, more than "
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
