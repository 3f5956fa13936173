"""Weights in files, and checkpoints that survive a kill at any point: safetensors beside a JSON state
that vouches for them.

A checkpoint is complete once its JSON exists: the JSON is written last, and holds the SHA-256 of the tensors'
file and of itself. Each file is either complete or absent (`cambrian.files`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from cambrian.errors import DiskRefused, RunError
from cambrian.files import make_folder, write_file

# Two: should the newest be damaged, one is left to go on from.
KEPT = 2
# A zip's beginning, and a pickle's of protocols 2 to 5: as they are since torch 1.6, and as they were before.
_OF_TORCH = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_log = logging.getLogger(__name__)
_JSON = re.compile(r"(\d{8})\.json")


class Unusable(Exception):
    """A checkpoint that was damaged or belongs to another training; the message says which."""


def write(directory: Path, number: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write checkpoint `number`, keep it and the one before, and remove older ones. `state` is JSON, and its
    "identity" names the training that the checkpoint belongs to. Raises DiskRefused."""
    data = serialise(tensors)
    digest = hashlib.sha256(data).hexdigest()
    text = json.dumps({"sha256": digest, "state": state, "seal": _seal(state, digest)}, indent=1)
    with _report_disk_errors(directory):
        make_folder(directory)
        for draft in directory.glob(".*.part"):  # of attempts that were killed
            draft.unlink(missing_ok=True)
        # The tensors first: a kill between the two files leaves no JSON, and so no checkpoint.
        write_file(directory / f"{number:08d}.safetensors", data)
        write_file(directory / f"{number:08d}.json", text.encode())
        for old in _numbers(directory)[KEPT:]:
            for end in ("json", "safetensors"):  # the JSON first: without it the rest is no checkpoint
                (directory / f"{old:08d}.{end}").unlink(missing_ok=True)


def latest(directory: Path, identity: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The tensors and state of the newest usable checkpoint of `identity`, or None where there is none.
    Damaged checkpoints and those of other trainings are skipped with a warning in the log."""
    numbers = _numbers(directory)
    for number in numbers:
        try:
            return _read(directory, number, identity)
        # A damaged file can fail in any of these ways: its JSON may be of another shape, or deeply nested.
        except (Unusable, OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
            _log.warning(
                "checkpoint %d in %s cannot be used (%s): trying an older one", number, directory, error
            )
    if numbers:
        _log.warning("no checkpoint in %s can be used: starting from scratch", directory)
    return None


def save_weights(network: nn.Module, path: Path, facts: Mapping[str, str] | None = None) -> None:
    """Write the network's weights and buffers to one safetensors file, with `facts` in its header. The file
    is complete or absent. Raises DiskRefused."""
    with _report_disk_errors(path):
        make_folder(path.parent)
        write_file(path, serialise(network.state_dict(), facts))


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
    """Write tensors and texts to one safetensors file, complete or absent. Raises DiskRefused."""
    with _report_disk_errors(path):
        make_folder(path.parent)
        write_file(path, serialise(tensors, facts))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and texts that `save_tensors` or `save_weights` wrote to `path`. Raises RunError."""
    data = b""
    try:
        data = path.read_bytes()
        return load(data), _facts(data)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    except (SafetensorError, ValueError) as error:
        raise RunError(f"{path} is not a safetensors file: {_explain(data, path) or error}") from error


def load_weights(network: nn.Module, path: Path, sha256: str | None = None) -> dict[str, str]:
    """Load the weights that `save_weights` wrote to `path` into the network, and return the facts stored with
    them. Raises RunError where the file is missing, does not have that hash (hexadecimal; None: unchecked),
    or belongs to another network."""
    data = b""
    try:
        # Read once: the bytes that are hashed are the bytes that are loaded.
        data = path.read_bytes()
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise RunError(f"{path} is not the file that was written: its SHA-256 is not {sha256}")
        network.load_state_dict(load(data))
        return _facts(data)
    except OSError as error:
        raise RunError(f"the weights {path} cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise RunError(f"{path} is not a safetensors file: {_explain(data, path) or error}") from error
    except RuntimeError as error:  # load_state_dict's, for names or shapes that differ
        raise RunError(f"the weights in {path} are of another network: {error}") from error


def load_facts(path: Path) -> dict[str, str]:
    """The texts alone that `save_tensors` or `save_weights` left at `path`. Raises RunError."""
    length = b""
    try:
        with path.open("rb") as file:
            length = file.read(8)
            return _facts(length + file.read(min(int.from_bytes(length, "little"), path.stat().st_size)))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RunError(f"{path} is not a safetensors file: {_explain(length, path) or error}") from error


def _explain(data: bytes, path: Path) -> str:
    """How to convert what `torch.save` wrote, a zip or a pickle by its first bytes; "" for other files."""
    if not data.startswith(_OF_TORCH):
        return ""
    target = path.with_suffix(".safetensors").name
    return (
        "torch.save wrote it, whose files may run code when they are read. Convert it once, in Python:"
        f" safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), {target!r}),"
        " where it holds the state dict of a network"
    )


def serialise(tensors: Mapping[str, Tensor], facts: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file; tensors may lie in any memory format, on any device."""
    # Cloned: safetensors refuses tensors that share memory, as tied weights do.
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    data = bytes(save(plain, dict(facts) if facts else None))
    return _sort_facts(data) if facts and len(facts) > 1 else data


def _sort_facts(data: bytes) -> bytes:
    """The file with its texts in the order of their names: safetensors writes several in any order, and the
    same weights have to be the same bytes."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _facts(data: bytes) -> dict[str, str]:
    """The texts stored beside the tensors: the header is JSON, its length stands in the first 8 bytes."""
    length = int.from_bytes(data[:8], "little")
    if length > len(data) - 8:  # in a file of another kind these bytes may be any number
        raise ValueError("its header is longer than the file")
    return dict(json.loads(data[8 : 8 + length]).get("__metadata__", {}))


@contextmanager
def _report_disk_errors(path: Path) -> Iterator[None]:
    """Raise the disk's errors as DiskRefused: a full disk says nothing about the network in training."""
    try:
        yield
    except OSError as error:
        raise DiskRefused(f"the disk refused {path}: {error.strerror or error}") from error


def _numbers(directory: Path) -> list[int]:
    """The numbers of the checkpoints whose JSON exists, newest first."""
    if not directory.is_dir():
        return []
    matches = (_JSON.fullmatch(entry.name) for entry in directory.iterdir())
    return sorted((int(match[1]) for match in matches if match), reverse=True)


def _read(directory: Path, number: int, identity: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    record = json.loads((directory / f"{number:08d}.json").read_bytes())
    data = (directory / f"{number:08d}.safetensors").read_bytes()
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise Unusable("its tensors are not those that were written")
    if record["seal"] != _seal(record["state"], record["sha256"]):
        raise Unusable("its state is not the one that was written")
    if record["state"]["identity"] != identity:
        raise Unusable("it is of another training")
    return load(data), record["state"]


def _seal(state: Mapping[str, Any], digest: str) -> str:
    """The SHA-256 of the state and of the tensors' digest, by which an edited or mixed-up JSON is noticed."""
    # Sorted, since the state is hashed again after it has been through a file.
    return hashlib.sha256((json.dumps(state, sort_keys=True) + digest).encode()).hexdigest()
